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
  /** The slope is not below this, with 99 % confidence. This is what is judged: noise is no leak. */
  readonly atLeastPerHour: number;
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
/** Of the normal distribution, for 99 % on one side. */
const Z = 2.326;

export function trend({ points }: Series): Trend {
  const last = points.at(-1)?.s ?? 0;
  const judged = points.filter(({ s }) => s >= last / 2);
  const [first] = judged;
  if (first === undefined || judged.length < 8)
    throw new Error(`a trend needs 8 samples in its second half, not ${judged.length}`);
  const judgedS = last - first.s;
  const { slope, atLeast } = theilSen(thinned(judged, MOST_POINTS));
  const limitPerHour = (3600 * MAY_GAIN_BYTES) / judgedS;
  const atLeastPerHour = 3600 * atLeast;
  const holds = atLeastPerHour < limitPerHour;
  return { bytesPerHour: 3600 * slope, atLeastPerHour, limitPerHour, judgedS, holds };
}

/** The median of the slopes between any two points, in bytes per second, and its lower bound by Kendall's variance (Sen 1968). */
export function theilSen(points: readonly Point[]): { slope: number; atLeast: number } {
  const slopes = points
    .flatMap((from, i) =>
      points.slice(i + 1).map((to) => (to.bytes - from.bytes) / (to.s - from.s)),
    )
    .toSorted((a, b) => a - b);
  const n = points.length;
  const spread = Z * Math.sqrt((n * (n - 1) * (2 * n + 5)) / 18);
  const lower = Math.max(0, Math.floor((slopes.length - spread) / 2));
  return { slope: median(slopes), atLeast: slopes[lower] ?? Number.NaN };
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
