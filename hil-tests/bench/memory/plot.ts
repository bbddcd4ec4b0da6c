/** The picture of a soak: private memory over time, one line per process, and what its slope was found to be. */
import { card, line, round, type Shade, text, ticks, WIDTH } from './svg.ts';
import { type Point, type Series, thinned, type Trend } from './trend.ts';

export interface Soaked extends Series {
  readonly trend: Trend;
}

const SHADES: readonly Shade[] = ['a', 'b', 'c'];
const LEFT = 64;
const RIGHT = WIDTH - 24;
const HEIGHT = 320;
const MOST_POINTS = 400;

export function plot(series: readonly Soaked[], about: string): string {
  const top = 92 + series.length * 20;
  const bottom = top + HEIGHT;
  const lastS = Math.max(...series.flatMap(({ points }) => points.map(({ s }) => s)));
  const [unit, seconds] = lastS > 5400 ? ['h', 3600] : ['min', 60];
  const upward = ticks(Math.max(...series.flatMap(({ points }) => points.map(mb))), 6);
  const along = ticks(lastS / seconds, 8).filter((at) => at * seconds <= lastS);
  const x = (s: number): number => LEFT + (s / lastS) * (RIGHT - LEFT);
  const y = (height: number): number => bottom - (height / (upward.at(-1) ?? 1)) * HEIGHT;
  const title = 'Private memory of the edge over time';
  return card(bottom + 56, title, [
    text(24, 34, title, { style: 'title' }),
    text(24, 54, about, { style: 'small' }),
    ...upward.flatMap((at) => [
      line([LEFT, y(at)], [RIGHT, y(at)], 'grid'),
      text(LEFT - 8, y(at) + 4, String(at), { style: 'small', end: true }),
    ]),
    ...along.map((at) =>
      text(x(at * seconds), bottom + 18, String(at), { style: 'small', middle: true }),
    ),
    text(
      (LEFT + RIGHT) / 2,
      bottom + 40,
      `time (${unit}); the slope is judged right of the dashed line`,
      { style: 'small', middle: true },
    ),
    text(LEFT, top - 10, 'RssAnon (MB = 1,000,000 bytes)', { style: 'small' }),
    line([x(lastS / 2), top], [x(lastS / 2), bottom], 'goal'),
    ...series.flatMap((one, i) => {
      const shade = SHADES[i % SHADES.length] ?? 'a';
      return [
        ...legend(one, 76 + i * 20, shade),
        `<polyline class="line ${shade}" points="${thinned(one.points, MOST_POINTS)
          .map((point) => `${round(x(point.s))},${round(y(mb(point)))}`)
          .join(' ')}"/>`,
      ];
    }),
  ]);
}

function legend(one: Soaked, y: number, shade: Shade): readonly string[] {
  return [line([24, y - 4], [44, y - 4], `line ${shade}`), text(52, y, verdict(one))];
}

/** One line about one process. */
export function verdict({ name, trend }: Soaked): string {
  const signed = (bytes: number): string =>
    `${bytes < 0 ? '' : '+'}${(bytes / 1e6).toFixed(2)} MB/h`;
  return `${name}: ${signed(trend.bytesPerHour)}, at least ${signed(trend.atLeastPerHour)}, allowed ${signed(trend.limitPerHour)}: ${trend.holds ? 'holds' : 'GROWS'}`;
}

function mb({ bytes }: Point): number {
  return bytes / 1e6;
}
