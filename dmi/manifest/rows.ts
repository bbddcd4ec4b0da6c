/**
 * Rows: what is wanted and what is so, as edge and cloud hold it on disk and tell each other. Of each key the
 * row with the highest `rev` (wanted) or `seq` (state) is the one that counts, whoever sent it.
 */
import type { Json } from '../value.ts';
import type { Device, DeviceModel } from './resource.ts';
import type { Desired, DeviceState, Quality, Reason, Reported } from './status.ts';

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

/**
 * Something of a property's past; `at` and `n` count from the `since` and `n` it comes with. A sample as `[at, n, value]`,
 * with its quality when that was not good; or a gap with its cause, `to` being null while it goes on.
 */
export type PastItem =
  | readonly [at: number, n: number, value: Json]
  | readonly [at: number, n: number, value: Json, quality: Quality]
  | { readonly gap: string; readonly from: number; readonly to: number | null };

/**
 * The past of one property, in the order in which the edge recorded it. `since`: ms since 1970, edge clock. `n`: a position in
 * the edge's history; a sample is known by its property, time and position, however often it is told.
 */
export interface SeriesPast {
  readonly device: Id;
  readonly property: string;
  readonly since: number;
  readonly n: number;
  readonly items: readonly PastItem[];
}

/** Up to where of an edge's history somebody has it: `n` was counted in this run of its process. */
export interface PastCursor {
  readonly run: string;
  readonly n: number;
}

/** What follows after a cursor, up to the next one. */
export interface PastPage extends PastCursor {
  readonly series: readonly SeriesPast[];
}
