/** One run of one configuration: sampled from outside, and what its clients and its devices saw. */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  cpuSeconds,
  majorFaults,
  type ProcessMemory,
  processMemory,
  processTree,
  proportionalMemory,
} from '../process-memory.ts';
import { quantile } from '../quantile.ts';
import type { Clients } from './clients.ts';
import { PROPERTIES, type Subject } from './subject.ts';

/** Bytes, per cent, milliseconds and counts of one run. Absent: cannot be had in this configuration. */
export interface Metrics {
  /** Medians over the samples, all processes of the configuration together. */
  readonly private: number;
  readonly pss: number;
  readonly rss: number;
  /** The first process alone, and the others. */
  readonly privateCore: number;
  readonly privateOthers: number;
  /** The highest of all samples, and the highest resident size since the start. */
  readonly privateMost: number;
  readonly rssPeak: number;
  readonly cgroup?: number;
  readonly cgroupPeak?: number;
  readonly limitReached?: number;
  readonly oomKills?: number;
  readonly majorFaultsPerS: number;
  readonly cpuPercent: number;
  readonly publishP50?: number;
  readonly publishP99?: number;
  readonly publishLost?: number;
  /** Registers read, of those due, in per cent. */
  readonly pollsPercent: number;
  /** Messages with values that a subscriber of everything heard, of those due, in per cent. */
  readonly heardPercent: number;
  /** Values in the cloud that differ from the registers once these rest. */
  readonly wrong?: number;
}

/** All processes of a configuration at one moment; the first one first. */
interface Sample {
  readonly processes: readonly (ProcessMemory & { readonly pss: number })[];
  readonly cgroup: number | undefined;
}

interface Counters {
  readonly at: number;
  readonly cpuS: number;
  readonly faults: number;
  readonly limitReached: number;
}

export interface Timing {
  readonly warmUpS: number;
  readonly sampledS: number;
  readonly everyS: number;
}

/** How long the cloud has to agree once the registers rest. */
const SETTLE_MS = 15_000;
const KIB = 1024;

export interface Surroundings {
  /** Subscriber of everything, and publisher and receiver, in two processes. */
  readonly listeners: Clients;
  readonly pairs: Clients;
  readonly signal: AbortSignal;
}

/** Warms up, samples, and lets the registers rest at the end by `rest`. The subject runs, with its devices. */
export async function measure(
  subject: Subject,
  timing: Timing,
  { listeners, pairs, signal }: Surroundings,
  rest: () => void,
): Promise<Metrics> {
  const { key } = subject;
  let polls = 0;
  subject.registers.onRead = (_unit, _address, count) => (polls += count);
  const warm = await sampled(subject, timing.warmUpS, timing.everyS, signal);
  polls = 0;
  await listeners.heard(key);
  if (subject.whole) await pairs.heard(key);
  const from = counters(subject);
  const samples = await sampled(subject, timing.sampledS, timing.everyS, signal);
  const to = counters(subject);
  const due = PROPERTIES * (to.at - from.at);
  const values = await listeners.heard(key);
  const latencies = subject.whole ? await pairs.heard(key) : undefined;
  const pollsPercent = (100 * polls) / due;
  rest();
  const wrong = await settled(subject, signal);
  const last = subject.cgroup?.read();
  return {
    ...memory(samples, [...warm, ...samples]),
    ...(last && {
      cgroup: median(samples.map(({ cgroup = 0 }) => cgroup)),
      cgroupPeak: last.peak,
      limitReached: to.limitReached - from.limitReached,
      oomKills: last.oomKills,
    }),
    majorFaultsPerS: (to.faults - from.faults) / (to.at - from.at),
    cpuPercent: (100 * (to.cpuS - from.cpuS)) / (to.at - from.at),
    ...(latencies && {
      publishP50: quantile(latencies.latencies, 0.5),
      publishP99: quantile(latencies.latencies, 0.99),
      publishLost: Math.max(0, latencies.published - latencies.latencies.length),
    }),
    pollsPercent,
    heardPercent: (100 * values.messages) / due,
    ...(wrong !== undefined && { wrong }),
  };
}

/** CPU of a configuration that has nothing to do, in per cent, and its private bytes. */
export async function idle(
  subject: Subject,
  seconds: number,
  signal: AbortSignal,
): Promise<{ readonly cpuPercent: number; readonly private: number }> {
  const from = counters(subject);
  await sleep(seconds * 1000, undefined, { signal });
  const to = counters(subject);
  const { processes } = sample(subject);
  return {
    cpuPercent: (100 * (to.cpuS - from.cpuS)) / (to.at - from.at),
    private: sum(processes.map((one) => one.private)),
  };
}

async function sampled(
  subject: Subject,
  seconds: number,
  everyS: number,
  signal: AbortSignal,
): Promise<readonly Sample[]> {
  const samples: Sample[] = [];
  const start = performance.now();
  for (let i = 1; i * everyS <= seconds; i++) {
    const wait = start + i * everyS * 1000 - performance.now();
    await sleep(Math.max(0, wait), undefined, { signal });
    samples.push(sample(subject));
  }
  return samples;
}

function sample(subject: Subject): Sample {
  const processes = pids(subject).map((pid) => {
    const memory = processMemory(pid);
    return {
      private: memory.private * KIB,
      pss: proportionalMemory(pid) * KIB,
      rss: memory.rss * KIB,
      peak: memory.peak * KIB,
    };
  });
  return {
    processes,
    cgroup: subject.cgroup?.read().usage,
  };
}

function counters(subject: Subject): Counters {
  const all = pids(subject);
  return {
    at: performance.now() / 1000,
    cpuS: sum(all.map((pid) => cpuSeconds(pid))),
    faults: sum(all.map((pid) => majorFaults(pid))),
    limitReached: subject.cgroup?.read().failures ?? 0,
  };
}

/** @throws Error with the last lines, when the program ended by itself. */
function pids(subject: Subject): readonly number[] {
  const { child } = subject;
  if (child?.running) return processTree(child.pid);
  throw new Error(`it ended by itself\n${child?.lastLines ?? 'never started'}`);
}

function memory(
  samples: readonly Sample[],
  all: readonly Sample[],
): Pick<
  Metrics,
  'private' | 'pss' | 'rss' | 'privateCore' | 'privateOthers' | 'privateMost' | 'rssPeak'
> {
  const total = (one: Sample, figure: keyof Sample['processes'][number]) =>
    sum(one.processes.map((found) => found[figure]));
  return {
    private: median(samples.map((one) => total(one, 'private'))),
    pss: median(samples.map((one) => total(one, 'pss'))),
    rss: median(samples.map((one) => total(one, 'rss'))),
    privateCore: median(samples.map((one) => one.processes[0]?.private ?? 0)),
    privateOthers: median(
      samples.map((one) => total(one, 'private') - (one.processes[0]?.private ?? 0)),
    ),
    privateMost: Math.max(...all.map((one) => total(one, 'private'))),
    rssPeak: Math.max(...all.map((one) => total(one, 'peak'))),
  };
}

async function settled(subject: Subject, signal: AbortSignal): Promise<number | undefined> {
  const deadline = performance.now() + SETTLE_MS;
  for (;;) {
    const wrong = await subject.wrong();
    if (wrong === undefined || wrong === 0 || performance.now() > deadline) return wrong;
    await sleep(200, undefined, { signal });
  }
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  if (sorted.length === 0) throw new Error('a median needs a sample');
  const [low = 0, high = 0] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  return (low + high) / 2;
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}
