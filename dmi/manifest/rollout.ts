/** A rollout: the same desired values for many devices, carefully. Times are RFC 3339 with ms, UTC. */
import type { Json } from '../value.ts';
import type { Reason, Stages } from './status.ts';

/**
 * Which devices shall have which desired values, and how. It is fixed when the rollout is created, but for `paused`, `revert`
 * and the limits.
 */
export interface RolloutSpec {
  /** `UPDATE devices SET desired.x = … WHERE …`. Devices of the rollout's own namespace only. */
  readonly query?: string;
  /** The same in parts: what is desired (null withdraws), and the condition after WHERE. */
  readonly set?: { readonly [property: string]: Json };
  readonly where?: string;
  /** Devices to begin with: a number, or a share like `10%`; 0 for none. Default 1. All of them must end well. */
  readonly canary?: number | string;
  /** Devices at a time. Default 50. */
  readonly batch?: number;
  /** It stops when so many devices have failed. Default 1. */
  readonly maxFailures?: number;
  /** How long one device may take until the value is read back. Default `1m`. */
  readonly timeout?: string;
  /** Goes with each order: not to be carried out later than so long after it. */
  readonly expires?: string;
  /** An order that is not carried out in time, or when the rollout stops, is taken back. */
  readonly withdraw?: boolean;
  /** No further device is told. Set by the service when it stops; set to false, it goes on. */
  readonly paused?: boolean;
  /** What was desired before is desired again, where nobody has changed it since. Cannot be taken back. */
  readonly revert?: boolean;
}

/**
 * `Planned`: the devices are being written down. `Stopped`: too many failed, it waits for somebody. `Failed`: it could not
 * begin.
 */
export type RolloutPhase =
  | 'Planned'
  | 'Canary'
  | 'Running'
  | 'Paused'
  | 'Stopped'
  | 'Done'
  | 'Reverting'
  | 'Reverted'
  | 'Failed';

/**
 * Where one device stands. `pending`: its turn has not come. `sent`: ordered, and not known to be carried out. `expired`: not
 * carried out in time. `skipped`: left alone, see its code.
 */
export type OutcomeState =
  | 'pending'
  | 'sent'
  | 'applied'
  | 'rejected'
  | 'expired'
  | 'skipped'
  | 'reverted';

export type RolloutCounts = { readonly [State in OutcomeState | 'total']: number };

export interface RolloutStatus {
  readonly phase: RolloutPhase;
  readonly reason?: Reason;
  readonly counts: RolloutCounts;
  /** The batch that is under way, from 1; 0 is the canary. */
  readonly batch?: number;
  /** Failures that somebody has looked at before it went on: they stop it no more. */
  readonly forgiven?: number;
  readonly started: string;
  readonly ended?: string;
  /** Of a dry run only. */
  readonly preview?: RolloutPreview;
}

/** What a rollout would do now. */
export interface RolloutPreview {
  readonly devices: number;
  /** Looked at: of more devices, only so many. */
  readonly examined: number;
  readonly sample: readonly string[];
  /** What would be refused at once, and whose node is away, by code; each with a few of the devices. */
  readonly troubles: readonly (Reason & {
    readonly count: number;
    readonly devices: readonly string[];
  })[];
}

/** What became of one device of a rollout. */
export interface RolloutOutcome {
  /** `namespace/name`. */
  readonly device: string;
  readonly state: OutcomeState;
  readonly batch?: number;
  readonly code?: string;
  readonly message?: string;
  /** What was desired before; null: nothing. */
  readonly before: { readonly [property: string]: Json };
  /** By property. */
  readonly stages?: { readonly [property: string]: Stages };
}
