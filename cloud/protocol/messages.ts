/**
 * What the edge and the cloud say to each other: JSON text frames on one WebSocket.
 *
 * `seq` counts changes on the edge and is meaningful within one `epoch` (one run of the edge process).
 * `rev` orders every change of what is *wanted* (resources, desired values); see rev.ts. Both halves merge
 * wanted things by the same rule, whoever sent them: per key, the highest rev wins. So an edge heals a
 * cloud that was restored from an older copy, and the other way round.
 * Each side acknowledges only what is on its disk.
 */
import type { Json } from '@limpet/dmi';
import type {
  Desired,
  DeviceModel,
  Device,
  DeviceState,
  NodeFacts,
  Reason,
  Reported,
} from '@limpet/dmi/manifest';

export const PROTOCOL = 1;

/** `namespace/name`. */
export type Id = string;

/** A resource as it travels: `spec.desired`, `status` and server-set metadata are stripped. */
export type WantedResource = DeviceModel | Device;

/** A change of a resource. `doc: null` says it is gone from this node. */
export interface ResourceRow {
  readonly kind: 'resource';
  readonly type: WantedResource['kind'];
  readonly id: Id;
  readonly rev: number;
  readonly doc: WantedResource | null;
}

/** A desired value on its way down. */
export interface DesiredRow {
  readonly kind: 'desired';
  readonly device: Id;
  readonly property: string;
  readonly value: Json;
  readonly rev: number;
  /** ms since 1970, cloud clock. */
  readonly accepted: number;
  /** ms since 1970, cloud clock: for display. */
  readonly expires?: number;
  /** ms left when sent: what the edge counts down, so that clocks need not agree. */
  readonly ttl?: number;
}

export type WantedRow = ResourceRow | DesiredRow;

/** The present twin of one property. Times in ms since 1970. */
export interface PropertyRow {
  readonly kind: 'property';
  readonly seq: number;
  readonly device: Id;
  readonly property: string;
  readonly reported?: Reported<number>;
  readonly desired?: Desired<number>;
  /** Read from the edge's disk at start and not confirmed by the device since. */
  readonly carried?: true;
}

/** The present state of one device. */
export interface DeviceRow {
  readonly kind: 'device';
  readonly seq: number;
  readonly device: Id;
  readonly state: DeviceState;
  readonly reason?: Reason;
  readonly lastSeen?: number;
}

/** Current rows of the edge's state, one per key however often it changed, in `seq` order. */
export type StateRow = PropertyRow | DeviceRow | (ResourceRow & { readonly seq: number });

export type FromEdge =
  | {
      readonly type: 'hello';
      readonly protocol: typeof PROTOCOL;
      readonly node: string;
      readonly epoch: string;
      /** Everything wanted up to here is on this edge's disk. */
      readonly rev: number;
      readonly facts: NodeFacts;
    }
  | { readonly type: 'report'; readonly to: number; readonly rows: readonly StateRow[] }
  | { readonly type: 'stored'; readonly rev: number }
  | { readonly type: 'facts'; readonly facts: NodeFacts };

export type FromCloud =
  /** The cloud has this epoch's rows up to `seq` on disk (0: none of it). */
  | { readonly type: 'welcome'; readonly seq: number }
  | { readonly type: 'desire'; readonly to: number; readonly rows: readonly WantedRow[] }
  | { readonly type: 'ack'; readonly seq: number }
  /** Said before closing. `retryAfter` in ms. */
  | {
      readonly type: 'refuse';
      readonly code: string;
      readonly message: string;
      readonly retryAfter?: number;
    };
