/** What the bench found: plain numbers, so that a result can be kept and compared. Milliseconds, bytes, shares of one core. */
import type { Histogram } from './histogram.ts';

export interface Latency {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** Of the cloud, all its processes together. */
export interface Weight {
  readonly privateBytes: number;
  readonly rssBytes: number;
  /** 1 is one core. */
  readonly cpu: number;
}

/** What everything measured meanwhile was up against. */
export interface Machine {
  /** Of an HTTP server that does nothing. */
  readonly empty: Latency | undefined;
  /** CPU time that the host gave to others; 1 is one core. */
  readonly stolen: number;
}

export interface Answered {
  readonly machine: Machine;
  /** By question. */
  readonly answers: Readonly<Record<string, Latency | undefined>>;
  /** By question and code. */
  readonly failed: Readonly<Record<string, number>>;
}

export interface StepResult {
  readonly nodes: number;
  readonly properties: number;
  /** Started, with nothing in it. */
  readonly empty: Weight;
  readonly connect: {
    readonly ms: number;
    readonly faults: Readonly<Record<string, number>>;
    /** All connected, none with devices, nothing to tell. */
    readonly weight: Weight;
  };
  /** A tenth of the nodes told all they have: what the service takes once, when it begins to work. */
  readonly warmed: { readonly properties: number; readonly weight: Weight };
  /** The other nodes told theirs. */
  readonly fill: {
    readonly ms: number;
    readonly propertiesPerS: number;
    readonly databaseBytes: number;
    readonly writtenBytes: number | undefined;
    readonly weight: Weight;
  };
  /** While nothing changes. */
  readonly atRest: Answered;
  readonly load: Answered & {
    readonly askedPerS: number;
    readonly offeredPerS: number;
    readonly acknowledgedPerS: number;
    readonly supersededPerS: number;
    /** From a change to its acknowledgement. */
    readonly acknowledgement: Latency | undefined;
    readonly writtenPerS: number | undefined;
    readonly weight: Weight;
    readonly freshness: {
      readonly get: Latency | undefined;
      readonly query: Latency | undefined;
      readonly watch: Latency | undefined;
      readonly unseen: number;
    };
  };
  /** While the load goes on, single devices and pages of many. */
  readonly mixed: Answered;
  /** While the load goes on. */
  readonly aggregates: Readonly<Record<string, Latency | undefined>>;
  readonly fleetWatch: { readonly eventsPerS: number; readonly lag: Latency | undefined };
  /** The cloud was killed under load and started again at once. */
  readonly restart: {
    readonly startMs: number;
    /** From its first answer to the last node's welcome. */
    readonly backMs: number;
    /** From its first answer until what had gathered is acknowledged and no more than a second's changes are on their way. */
    readonly flowingMs: number;
    readonly faults: Readonly<Record<string, number>>;
  };
}

export interface Result {
  readonly machine: string;
  readonly at: string;
  readonly commit: string;
  readonly store: string;
  readonly steps: readonly StepResult[];
  /** Why the fleets after these were not measured. */
  readonly fault?: string;
}

export function latencyOf(histogram: Histogram | undefined): Latency | undefined {
  const p50 = histogram?.quantile(0.5);
  const p99 = histogram?.quantile(0.99);
  if (histogram === undefined || p50 === undefined || p99 === undefined) return undefined;
  return { count: histogram.count, p50: round(p50), p99: round(p99), max: round(histogram.max) };
}

export function round(value: number, digits = 2): number {
  return Number(value.toFixed(digits));
}
