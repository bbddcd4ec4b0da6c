/** How private memory moves with time, by an estimator that a few odd samples cannot turn. */
import { median } from './measure.ts';

export interface Point {
  /** Since the start. */
  readonly s: number;
  readonly bytes: number;
}

export interface Series {
  readonly name: string;
  readonly points: readonly Point[];
}

export interface Trend {
  readonly bytesPerHour: number;
  readonly limitPerHour: number;
  /** What was judged: the second half, when caches are full and code is compiled. */
  readonly judgedS: number;
  readonly holds: boolean;
}

/**
 * What may be gained over the judged half, whatever its length: below this a garbage collector's moods cannot be told from a
 * leak. A longer soak judges more sharply: 80 MB/h after 3 minutes, 4 MB/h after an hour, 0.17 MB/h after a day.
 */
const MAY_GAIN_BYTES = 2e6;
/** Pairs grow with the square. */
const MOST_POINTS = 600;

export function trend({ points }: Series): Trend {
  const last = points.at(-1)?.s ?? 0;
  const judged = points.filter(({ s }) => s >= last / 2);
  const [first] = judged;
  if (first === undefined || judged.length < 8)
    throw new Error(`a trend needs 8 samples in its second half, not ${judged.length}`);
  const judgedS = last - first.s;
  const bytesPerHour = 3600 * theilSen(thinned(judged, MOST_POINTS));
  const limitPerHour = (3600 * MAY_GAIN_BYTES) / judgedS;
  return { bytesPerHour, limitPerHour, judgedS, holds: bytesPerHour < limitPerHour };
}

/** The median of the slopes between any two points, in bytes per second (Theil 1950, Sen 1968). */
export function theilSen(points: readonly Point[]): number {
  const slopes = points.flatMap((from, i) =>
    points.slice(i + 1).map((to) => (to.bytes - from.bytes) / (to.s - from.s)),
  );
  return median(slopes);
}

/** At most so many points, each the median of those it stands for. */
export function thinned(points: readonly Point[], most: number): readonly Point[] {
  const size = Math.ceil(points.length / most);
  if (size <= 1) return points;
  return Array.from({ length: Math.ceil(points.length / size) }, (_, i) => {
    const part = points.slice(i * size, (i + 1) * size);
    return { s: median(part.map(({ s }) => s)), bytes: median(part.map(({ bytes }) => bytes)) };
  });
}
