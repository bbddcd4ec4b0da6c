/** The observed half of a resource: twins of a device, metadata of a node. Times are RFC 3339 with ms, UTC. */
import type { Json } from '../value.ts';

export type Quality = 'good' | 'stale' | 'bad';

/** What became of a desired value. */
export type Verdict = 'pending' | 'applied' | 'rejected' | 'expired';

/** Why something is not good: `code` for tools, `message` for people, saying what to do. */
export interface Reason {
  readonly code: string;
  readonly message: string;
}

/**
 * `online`: answers. `connecting`: not tried yet, or trying. `offline`: does not answer; retried with
 * backoff. `misconfigured`: waits for a changed manifest.
 */
export type DeviceState = 'connecting' | 'online' | 'offline' | 'misconfigured';

/** What the device last said of a property. `value` is null until a first good reading. */
export interface Reported<Time = string> {
  readonly value: Json;
  /** When the device gave `value` as last reported (edge clock). */
  readonly at: Time;
  readonly quality: Quality;
  /** Why the quality is not good. */
  readonly reason?: Reason;
}

/** When a desired value reached each stage. `sent`: on the wire. `confirmed`: read back. */
export interface Stages<Time = string> {
  /** On the disk of whoever took the order (cloud, or edge for a local one). */
  readonly accepted: Time;
  /** On the edge's disk. */
  readonly stored?: Time;
  readonly sent?: Time;
  readonly confirmed?: Time;
}

/** What is wanted of a property, and how far that got. */
export interface Desired<Time = string> {
  /** `null`: withdrawn; nothing is wanted any more. */
  readonly value: Json;
  readonly rev: number;
  readonly verdict: Verdict;
  readonly reason?: Reason;
  /** Not to be executed after this. */
  readonly expires?: Time;
  readonly stages: Stages<Time>;
}

export interface PropertyTwin<Time = string> {
  readonly reported?: Reported<Time>;
  readonly desired?: Desired<Time>;
}

export interface DeviceStatus {
  readonly state: DeviceState;
  readonly reason?: Reason;
  /** Last time the device answered anything (edge clock). */
  readonly lastSeen?: string;
  readonly twin: { readonly [property: string]: PropertyTwin };
}

/** One mapper of a node. Beyond protocol and version everything is absent from edges that do not tell it. */
export interface MapperFacts {
  readonly protocol: string;
  readonly version: string;
  readonly hosting?: 'inline' | 'process';
  readonly state?: MapperState;
  readonly reason?: Reason;
  readonly restarts?: number;
  /** When the state began (edge clock). */
  readonly since?: string;
  /** Private memory in bytes, what it may take and what it took at most; only of one in a process of its own. */
  readonly memory?: number;
  readonly peak?: number;
  readonly budget?: number;
  /** Lower is shed first. */
  readonly importance?: number;
  /** Readings that a newer one replaced before the runtime took them. */
  readonly superseded?: number;
  /** What it printed last; told while it is not well. */
  readonly lines?: readonly string[];
}

/**
 * `idle`: not needed yet. `crash-loop`: exits again and again, tried once a minute. `shed`: stopped to save the
 * node's memory. `broken`: cannot be used until it is mended.
 */
export const MAPPER_STATES = [
  'idle',
  'starting',
  'ready',
  'restarting',
  'crash-loop',
  'unresponsive',
  'shed',
  'broken',
  'stopped',
] as const;
export type MapperState = (typeof MAPPER_STATES)[number];

/**
 * One thing that is held to a budget, in bytes. Of memory, `now` and `peak` are private (RssAnon), sampled each
 * second; `private`, `pss` and `rss` were read together when somebody asked.
 */
export interface BudgetRow {
  readonly kind: 'memory' | 'disk';
  /** `core`, `mapper modbus`, `data folder`. */
  readonly what: string;
  /** The row whose figures hold these already: a sum leaves them out. */
  readonly partOf?: string;
  readonly budget?: number;
  readonly now: number;
  readonly peak: number;
  readonly private?: number;
  readonly pss?: number;
  readonly rss?: number;
  /** What the kernel charges its memory cgroup with, pages of files included. */
  readonly charged?: number;
  /** How often it went beyond its budget since the edge started. */
  readonly over: number;
  /** What the figures are of, where that is not plain: `a day`. */
  readonly note?: string;
}

/** One thing that the edge gives up when memory is short, in the order of giving up. */
export interface ShedStep {
  readonly step: 'caches' | 'samples' | 'mapper';
  readonly times: number;
  readonly last?: string;
}

/** How a node's memory and disk are shared, and what keeps to it. */
export interface NodeBudget {
  /** Private memory of everything together. */
  readonly ceiling: number;
  readonly rows: readonly BudgetRow[];
  readonly shed: readonly ShedStep[];
  /** Who stops a mapper beyond its budget: the kernel and the watchdog, or the watchdog alone and why. */
  readonly enforced: {
    readonly by: 'cgroup-v1' | 'cgroup-v2' | 'watchdog';
    readonly note?: string;
  };
  /** What one look at all of them costs this process, in microseconds of CPU time. */
  readonly lookMicroseconds: number;
}

/** What an edge tells of itself. Bytes for memory, seconds for uptime. */
export interface NodeFacts {
  readonly architecture: string;
  readonly board: string;
  readonly os: string;
  readonly versions: { readonly limpet: string; readonly node: string };
  readonly mappers: readonly MapperFacts[];
  /** How memory and disk are shared and kept to. Absent from edges before 0.2. */
  readonly budget?: NodeBudget;
  readonly addresses: readonly string[];
  readonly uptime: number;
  readonly memory: {
    readonly total: number;
    readonly available: number;
    /** Of the edge process: RssAnon, RSS. */
    readonly private: number;
    readonly rss: number;
  };
}

export interface NodeStatus {
  readonly state: 'online' | 'offline';
  readonly lastSeen?: string;
  readonly facts?: NodeFacts;
}
