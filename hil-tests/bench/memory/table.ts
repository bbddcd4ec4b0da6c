/** The result as text: the goals, then every figure of every configuration. */
import { type Goal, judge, startS } from './goals.ts';
import type { Metrics } from './measure.ts';
import type { ConfigurationResult, Result } from './result.ts';

interface Row {
  readonly title: string;
  readonly cell: (found: ConfigurationResult) => number | undefined;
  readonly digits: number;
}

const ROWS: readonly Row[] = [
  mb('private (RssAnon), MB', 'private'),
  mb('  of it the first process, MB', 'privateCore'),
  mb('  of it its mapper processes, MB', 'privateOthers'),
  mb('private, highest sample, MB', 'privateMost'),
  mb('PSS, MB', 'pss'),
  mb('RSS as ps shows it, MB', 'rss'),
  mb('RSS, peak since start, MB', 'rssPeak'),
  mb('cgroup charge, MB', 'cgroup'),
  mb('cgroup charge, peak, MB', 'cgroupPeak'),
  plain('limit reached, times', 'limitReached', 0),
  plain('OOM kills', 'oomKills', 0),
  plain('major faults, /s', 'majorFaultsPerS', 2),
  plain('CPU of one core, %', 'cpuPercent', 1),
  { title: 'CPU without devices, %', cell: ({ idle }) => idle?.cpuPercent, digits: 2 },
  {
    title: 'private without devices, MB',
    cell: ({ idle }) => idle && idle.private / 1e6,
    digits: 1,
  },
  plain('publish p50, ms', 'publishP50', 2),
  plain('publish p99, ms', 'publishP99', 2),
  plain('published and not received', 'publishLost', 0),
  { title: 'start to first reading, s', cell: startS, digits: 2 },
  plain('registers read, % of due', 'pollsPercent', 1),
  plain('values heard on the bus, % of due', 'heardPercent', 1),
  plain('values wrong in the cloud at the end', 'wrong', 0),
];

export function table(result: Result): string {
  const { machine, workload, timing, disk, configurations } = result;
  const said = [
    `${machine.about}, Node ${machine.measuredNode}; ${machine.disk}; ${machine.cgroup}`,
    workload,
    `${timing.warmUpS} s warm-up, ${timing.sampledS} s sampled, ${timing.runs === 1 ? 'one run' : `median of ${timing.runs} runs`}${result.complete ? '' : ' (CUT SHORT)'}. 1 MB is 1,000,000 bytes.`,
    ...(disk
      ? [
          `On disk: ${disk.what}: ${fixed(disk.uncompressed / 1e6, 1)} MB, compressed ${fixed(disk.compressed / 1e6, 1)} MB`,
        ]
      : []),
  ];
  const notes = configurations.map(
    ({ key, title, fault }) =>
      `${key}: ${title}${fault ? `\n  NOT MEASURED TO THE END: ${fault}` : ''}`,
  );
  const figures = [
    ['', ...configurations.map(({ key }) => key)],
    ...ROWS.map(({ title, cell, digits }) => [
      title,
      ...configurations.map((found) => fixed(cell(found), digits)),
    ]),
  ];
  const goals = [['goal', '', '', ''], ...judge(result).map(goalRow)];
  return [said, columns(goals), columns(figures), notes]
    .map((lines) => `${lines.join('\n')}\n`)
    .join('\n');
}

function goalRow({ what, goal, unit, value, met }: Goal): readonly string[] {
  const verdict = met === undefined ? 'not measured' : met ? 'met' : 'NOT MET';
  return [what, `${fixed(value, 2)} ${unit}`.trim(), goal, verdict];
}

function columns(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = rows[0]?.map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0))) ?? [];
  return rows.map((row) =>
    row
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}

function mb(title: string, name: keyof Metrics): Row {
  const cell = ({ medians }: ConfigurationResult): number | undefined => {
    const bytes = medians?.[name];
    return bytes === undefined ? undefined : bytes / 1e6;
  };
  return { title, cell, digits: 1 };
}

function plain(title: string, name: keyof Metrics, digits: number): Row {
  return { title, cell: ({ medians }) => medians?.[name], digits };
}

function fixed(value: number | undefined, digits: number): string {
  return value === undefined ? '-' : value.toFixed(digits);
}
