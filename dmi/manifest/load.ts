/** What a node is busy with now: figures for whoever watches it live. Counters are since its edge started. */
import type { DeviceState, MapperState } from './status.ts';

/** How the node stands with its cloud. `none`: it has none. */
export interface LinkLoad {
  readonly state: 'none' | 'connecting' | 'connected' | 'offline';
  readonly since?: string;
  readonly code?: string;
}

/** A port that devices share. */
export interface PortLoad {
  readonly port: string;
  readonly devices: number;
  /** Devices that wait for their turn now. */
  readonly waiting: number;
  /** ms that it was somebody's turn. */
  readonly busyMs: number;
}

export interface NodeLoad {
  readonly node: string;
  /** The edge's clock; `runMs` counts without jumps, for rates. */
  readonly at: string;
  readonly runMs: number;
  readonly devices: Readonly<Record<DeviceState, number>>;
  readonly readings: number;
  /** Of these, those that were no value. */
  readonly failed: number;
  /** Polling cycles that were due and not kept. */
  readonly missedCycles: number;
  /** Rows that the cloud does not have yet. */
  readonly rows: number;
  readonly link: LinkLoad;
  /** The busiest. */
  readonly ports: readonly PortLoad[];
  /** Private bytes of everything together, and how many there may be. */
  readonly memory: { readonly now: number; readonly ceiling?: number };
  readonly mappers: readonly {
    readonly protocol: string;
    readonly state: MapperState;
    readonly restarts: number;
    readonly memory?: number;
    readonly budget?: number;
  }[];
  /** How late the event loop was at the last look. */
  readonly lagMs: number;
  /** What was due longest ago, of all that is polled of devices that are online. */
  readonly oldest?: {
    readonly device: string;
    readonly property: string;
    readonly ageMs: number;
    readonly everyMs: number;
  };
}

/** Tells it; costs nothing until it is asked. */
export type LoadDoor = () => NodeLoad;
