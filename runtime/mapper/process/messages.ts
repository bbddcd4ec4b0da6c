/** What the core and a mapper's process say to each other. Only the core judges what it hears; see `checks`. */
import { type MethodShape, type PropertyShape, type SchemaIssue } from '@limpet/dmi';
import { type Packed, type PackedError } from './packed.ts';

/** Told by `ready`: both come with the same program, unless somebody mixed two of them. */
export const WIRE_VERSION = 1;

/** A question about manifests: settings and visitors go as they stand there. */
export type Check =
  | { readonly part: 'settings' | 'visitor' | 'port'; readonly value: unknown }
  | { readonly part: 'fits'; readonly value: unknown; readonly shape: PropertyShape }
  | { readonly part: 'serves'; readonly value: unknown; readonly shape: MethodShape };

/** Issues, a text, or null: nothing to object, no text. */
export type Checked = null | string | readonly SchemaIssue[] | { readonly e: PackedError };

/** What the core asks on the management plane. */
export type ManagementAsk =
  | { readonly t: 'check'; readonly items: readonly Check[] }
  | {
      readonly t: 'connect';
      readonly connection: number;
      readonly device: string;
      readonly settings: unknown;
    }
  /** Answered once a device that is away, as this code says, is worth a try. */
  | {
      readonly t: 'back';
      readonly device: string;
      readonly settings: unknown;
      readonly code: string;
    }
  /** Visitors of a connection, numbered from `from` on; from 0: what was defined before is forgotten. */
  | {
      readonly t: 'define';
      readonly connection: number;
      readonly from: number;
      readonly visitors: readonly unknown[];
    }
  | {
      readonly t: 'write';
      readonly connection: number;
      readonly visitor: number;
      readonly value: Packed;
    }
  /** Visitors and values; answers for the first of them. */
  | {
      readonly t: 'writeMany';
      readonly connection: number;
      readonly orders: readonly (readonly [number, Packed])[];
    }
  /** Runs the method that lives at the visitor. */
  | {
      readonly t: 'call';
      readonly connection: number;
      readonly visitor: number;
      readonly input: readonly Packed[];
    }
  /** The number of the ask is the number of the subscription. */
  | {
      readonly t: 'subscribe';
      readonly connection: number;
      /** Visitor and the shortest time between two readings. */
      readonly wishes: readonly (readonly [number, number])[];
    }
  | { readonly t: 'unsubscribe'; readonly subscription: number }
  | { readonly t: 'close'; readonly connection: number }
  /** What went over the device's wires since this was asked last. */
  | { readonly t: 'tap'; readonly device: string; readonly capture: string }
  | { readonly t: 'health' };

/** What it asks on the data plane. */
export interface DataAsk {
  readonly t: 'read';
  readonly connection: number;
  readonly visitors: readonly number[];
}

/** Each ask is answered once, on the plane where it was asked, also when it was aborted. */
export type Asked<Ask> = Ask & { readonly id: number };

export type ToChild =
  | Asked<ManagementAsk | DataAsk>
  | { readonly t: 'abort'; readonly id: number }
  /** Data plane: one more batch of readings. The first is granted from the start. */
  | { readonly t: 'credit' }
  | { readonly t: 'stop' };
