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

/** What an edge tells of itself. Bytes for memory, seconds for uptime. */
export interface NodeFacts {
  readonly architecture: string;
  readonly board: string;
  readonly os: string;
  readonly versions: { readonly limpet: string; readonly node: string };
  readonly mappers: readonly { readonly protocol: string; readonly version: string }[];
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
