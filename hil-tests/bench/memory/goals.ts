/** The goals, each held against what was measured. MB are 1,000,000 bytes. */
import { median } from './measure.ts';
import type { ConfigurationResult, Result } from './result.ts';
import type { Key } from './subject.ts';

export interface Goal {
  readonly what: string;
  readonly goal: string;
  readonly unit: string;
  /** Undefined when it could not be measured. */
  readonly value: number | undefined;
  readonly met: boolean | undefined;
}

interface Wanted {
  /** The configuration it is about, when it is one. */
  readonly key?: Key;
  readonly what: string;
  readonly unit: string;
  readonly goal: string;
  readonly value: (result: Result) => number | undefined;
  readonly fits: (value: number) => boolean;
}

const MB = 1e6;

const WANTED: readonly Wanted[] = [
  {
    key: 'limited',
    what: 'W in a hard 30 MB cgroup: OOM kills',
    unit: '',
    goal: '0',
    value: (result) => kills(of(result, 'limited')),
    fits: (value) => value === 0,
  },
  {
    key: 'limited',
    what: 'W in a hard 30 MB cgroup: major faults',
    unit: '/s',
    goal: '< 1',
    value: (result) => of(result, 'limited')?.medians?.majorFaultsPerS,
    fits: (value) => value < 1,
  },
  {
    key: 'limited',
    what: 'W in a hard 30 MB cgroup: publish p99 against the unlimited run',
    unit: 'x',
    goal: '<= 2',
    value: publishRatio,
    fits: (value) => value <= 2,
  },
  {
    key: 'limited',
    what: 'W in a hard 30 MB cgroup: registers read of those due',
    unit: '%',
    goal: '>= 99',
    value: (result) => of(result, 'limited')?.medians?.pollsPercent,
    fits: (value) => value >= 99,
  },
  {
    key: 'unlimited',
    what: 'W: private memory (RssAnon)',
    unit: 'MB',
    goal: '<= 16',
    value: (result) => mb(of(result, 'unlimited')?.medians?.private),
    fits: (value) => value <= 16,
  },
  {
    key: 'process',
    what: 'W with the Modbus mapper in its own process: private memory of both',
    unit: 'MB',
    goal: '<= 26',
    value: (result) => mb(of(result, 'process')?.medians?.private),
    fits: (value) => value <= 26,
  },
  {
    key: 'limited',
    what: 'W in a hard 30 MB cgroup: RSS as ps shows it',
    unit: 'MB',
    goal: '<= 30',
    value: (result) => mb(of(result, 'limited')?.medians?.rss),
    fits: (value) => value <= 30,
  },
  {
    key: 'unlimited',
    what: 'W: start to first reading',
    unit: 's',
    goal: '< 2',
    value: (result) => startS(of(result, 'unlimited')),
    fits: (value) => value < 2,
  },
  {
    key: 'unlimited',
    what: 'idle CPU, cloud and bus up, no devices',
    unit: '%',
    goal: '< 1',
    value: (result) => of(result, 'unlimited')?.idle?.cpuPercent,
    fits: (value) => value < 1,
  },
  {
    what: 'on disk: Node, bundle, add-ons, mappers, compressed',
    unit: 'MB',
    goal: '<= 66',
    value: (result) => mb(result.disk?.compressed),
    fits: (value) => value <= 66,
  },
  {
    what: 'values that a bus client heard, of those due, the least of our configurations',
    unit: '%',
    goal: '>= 99',
    value: heard,
    fits: (value) => value >= 99,
  },
  {
    what: 'values that the cloud did not have right at the end, all configurations',
    unit: '',
    goal: '0',
    value: wrong,
    fits: (value) => value === 0,
  },
];

export function judge(result: Result): readonly Goal[] {
  return WANTED.map(({ key, what, unit, goal, value: read, fits }) => {
    const value = read(result);
    const broke = key !== undefined && broken(of(result, key));
    const met = value === undefined ? (broke ? false : undefined) : fits(value);
    return { what, unit, goal, value, met };
  });
}

/** It could not do its work, on a machine where it could have. */
function broken(found: ConfigurationResult | undefined): boolean {
  return found?.fault !== undefined && found.impossible !== true;
}

/** Of a configuration's starts, in seconds. */
export function startS(found: ConfigurationResult | undefined): number | undefined {
  return found === undefined || found.startsMs.length === 0
    ? undefined
    : median(found.startsMs) / 1000;
}

/** Run by run, for the two ran side by side; then the median. */
function publishRatio(result: Result): number | undefined {
  const [limited, free] = [of(result, 'limited')?.runs ?? [], of(result, 'unlimited')?.runs ?? []];
  const ratios = limited.flatMap(({ publishP99 }, run) => {
    const other = free[run]?.publishP99;
    return publishP99 === undefined || other === undefined ? [] : [publishP99 / other];
  });
  return ratios.length === 0 ? undefined : median(ratios);
}

function kills(found: ConfigurationResult | undefined): number | undefined {
  const told = [...(found?.fault ?? '').matchAll(/OOM kills (\d+)/g)].map(([, count]) =>
    Number(count),
  );
  const all = [...told, ...(found?.runs ?? []).map(({ oomKills = 0 }) => oomKills)];
  return all.length === 0 ? undefined : Math.max(...all);
}

/** Less memory for less work would be no merit. */
function heard({ configurations }: Result): number | undefined {
  const ours = configurations.filter(({ key }) => key !== 'node-red');
  const shares = ours.flatMap(({ medians }) => medians?.heardPercent ?? []);
  return shares.length === 0 ? undefined : Math.min(...shares);
}

function wrong(result: Result): number | undefined {
  const counts = result.configurations.flatMap(({ medians }) => medians?.wrong ?? []);
  return counts.length === 0 ? undefined : counts.reduce((a, b) => a + b, 0);
}

function of({ configurations }: Result, key: Key): ConfigurationResult | undefined {
  return configurations.find((one) => one.key === key);
}

function mb(bytes: number | undefined): number | undefined {
  return bytes === undefined ? undefined : bytes / MB;
}
