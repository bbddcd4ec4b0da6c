/** What the bench found: the JSON that is printed, saved and drawn. */
import type { Metrics } from './measure.ts';
import { median } from './measure.ts';
import type { Key } from './subject.ts';

export interface Result {
  /** False while runs are still missing: the bench was cut short. */
  readonly complete: boolean;
  readonly machine: Machine;
  readonly workload: string;
  readonly timing: { readonly warmUpS: number; readonly sampledS: number; readonly runs: number };
  readonly disk?: DiskUse;
  readonly configurations: readonly ConfigurationResult[];
}

export interface Machine {
  /** Platform and architecture, as in the name of the saved file. */
  readonly kind: string;
  readonly about: string;
  readonly node: string;
  /** The Node that ran what was measured. */
  readonly measuredNode: string;
  readonly disk: string;
  readonly cgroup: string;
  readonly at: string;
}

/** Bytes of what a board has to carry. */
export interface DiskUse {
  readonly uncompressed: number;
  readonly compressed: number;
  readonly what: string;
}

export interface ConfigurationResult {
  readonly key: Key;
  readonly title: string;
  readonly limitBytes?: number;
  /** Why it was not measured, or not to the end. */
  readonly fault?: string;
  /** This machine cannot have it at all: no goal is missed by that. */
  readonly impossible?: true;
  /** Without devices, cloud and bus up. */
  readonly idle?: { readonly cpuPercent: number; readonly private: number };
  /** From the spawn to the first good value on the bus, in ms, oldest first. */
  readonly startsMs: readonly number[];
  readonly runs: readonly Metrics[];
  /** Of the runs, figure by figure; kills are the worst of them. */
  readonly medians?: Metrics;
}

/** The median run, figure by figure. What must never happen is told by its worst run. */
export function medians(runs: readonly Metrics[]): Metrics | undefined {
  const [first] = runs;
  if (first === undefined) return undefined;
  const entries = (Object.keys(first) as (keyof Metrics)[]).map((name) => {
    const values = runs.map((run) => run[name] ?? 0);
    const worst = name === 'oomKills' || name === 'wrong';
    return [name, worst ? Math.max(...values) : median(values)];
  });
  return Object.fromEntries(entries) as unknown as Metrics;
}
