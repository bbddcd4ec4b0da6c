/** The picture for the README: private, PSS and RSS of each configuration, from the saved result. */
import { startS } from './goals.ts';
import type { ConfigurationResult, Result } from './result.ts';
import type { Key } from './subject.ts';
import { card, line, round, type Shade, text, ticks, WIDTH } from './svg.ts';

const LABELS: Readonly<Record<Key, readonly [string, string]>> = {
  unlimited: ['Limpet', 'no limit'],
  limited: ['Limpet', 'inside a hard 30 MB cgroup'],
  process: ['Limpet', 'Modbus mapper in its own process'],
  'node-red': ['Node-RED + contrib-modbus', 'polling alone: no store, no cloud'],
};
const BARS: readonly {
  readonly figure: 'private' | 'pss' | 'rss';
  readonly name: string;
  readonly shade: Shade;
}[] = [
  { figure: 'private', name: 'private (RssAnon)', shade: 'a' },
  { figure: 'pss', name: 'PSS', shade: 'b' },
  { figure: 'rss', name: 'RSS as ps shows it', shade: 'c' },
];
type Across = (mb: number) => number;

const LEFT = 244;
const RIGHT = WIDTH - 64;
const TOP = 108;
const BAR = 15;
const GROUP = 3 * BAR + 26;
const LINE_MB = 30;

export function bars(result: Result): string {
  const shown = result.configurations.filter(({ medians }) => medians !== undefined);
  const most = Math.max(LINE_MB, ...shown.map(({ medians }) => (medians?.rss ?? 0) / 1e6));
  const marks = ticks(most, 8);
  const x = (mb: number): number => LEFT + (mb / (marks.at(-1) ?? 1)) * (RIGHT - LEFT);
  const bottom = TOP + shown.length * GROUP;
  const { machine, timing } = result;
  const title = 'Memory for 1,000 Modbus properties at 1 Hz';
  return card(bottom + 62, title, [
    text(24, 34, title, { style: 'title' }),
    text(
      24,
      54,
      `${machine.about}, Node ${machine.measuredNode}, ${machine.at.slice(0, 10)}. ${timing.runs === 1 ? 'One run' : `Median of ${timing.runs} runs`} of ${timing.sampledS / 60} min, side by side.`,
      { style: 'small' },
    ),
    ...legend(),
    ...marks.flatMap((mb) => [
      line([x(mb), TOP - 6], [x(mb), bottom], 'grid'),
      text(x(mb), bottom + 18, String(mb), { style: 'small', middle: true }),
    ]),
    text((LEFT + RIGHT) / 2, bottom + 40, 'MB (1,000,000 bytes)', { style: 'small', middle: true }),
    ...shown.flatMap((found, i) => group(found, TOP + i * GROUP, x)),
    line([x(LINE_MB), TOP - 10], [x(LINE_MB), bottom], 'goal'),
    text(x(LINE_MB) + 4, TOP - 10, `${LINE_MB} MB`, { style: 'goaltext' }),
    ...shown.flatMap((found, i) => figures(found, TOP + i * GROUP, x)),
  ]);
}

function legend(): readonly string[] {
  return BARS.flatMap(({ name, shade }, i) => [
    `<rect class="${shade}" x="${24 + i * 156}" y="68" width="12" height="12" rx="2"/>`,
    text(42 + i * 156, 79, name),
  ]);
}

function group(found: ConfigurationResult, top: number, x: Across): readonly string[] {
  const [name, how] = LABELS[found.key];
  const start = startS(found);
  return [
    text(LEFT - 12, top + 17, name, { style: 'strong', end: true }),
    text(LEFT - 12, top + 33, how, { style: 'small', end: true }),
    ...(start === undefined
      ? []
      : [
          text(LEFT - 12, top + 48, `first reading after ${start.toFixed(1)} s`, {
            style: 'small',
            end: true,
          }),
        ]),
    ...BARS.map(({ figure, shade }, i) => {
      const mb = (found.medians?.[figure] ?? 0) / 1e6;
      const y = top + 4 + i * BAR;
      return `<rect class="${shade}" x="${LEFT}" y="${y}" width="${round(x(mb) - LEFT)}" height="${BAR - 2}" rx="2"/>`;
    }),
  ];
}

/** Above all lines, so that none of them strikes through a figure. */
function figures({ medians }: ConfigurationResult, top: number, x: Across): readonly string[] {
  return BARS.map(({ figure }, i) => {
    const mb = (medians?.[figure] ?? 0) / 1e6;
    return text(x(mb) + 6, top + (i + 1) * BAR, mb.toFixed(1), { style: 'value' });
  });
}
