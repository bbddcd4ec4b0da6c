/**
 * What the edge and the cloud say to each other: JSON text frames on one WebSocket.
 *
 * `seq` counts changes on the edge and is meaningful within one `epoch` (one run of the edge process).
 * `rev` orders every change of what is *wanted* (resources, desired values); see rev.ts. Both halves merge
 * wanted things by the same rule, whoever sent them: per key, the highest rev wins. So an edge heals a
 * cloud that was restored from an older copy, and the other way round.
 * Each side acknowledges only what is on its disk.
 */
import type { Arguments, CallOutcome, NodeFacts, StateRow, WantedRow } from '@limpet/dmi/manifest';

export type {
  DesiredRow,
  DeviceRow,
  Id,
  PropertyRow,
  ResourceRow,
  StateRow,
  WantedResource,
  WantedRow,
} from '@limpet/dmi/manifest';

export const PROTOCOL = 1;

export type FromEdge =
  | {
      readonly type: 'hello';
      readonly protocol: typeof PROTOCOL;
      readonly node: string;
      readonly epoch: string;
      /** Everything wanted up to here is on this edge's disk. */
      readonly rev: number;
      readonly facts: NodeFacts;
      /** What it can do beyond the rest of this protocol; older edges say nothing. `call`: run methods of devices. */
      readonly offers?: readonly 'call'[];
    }
  | { readonly type: 'report'; readonly to: number; readonly rows: readonly StateRow[] }
  | { readonly type: 'stored'; readonly rev: number }
  | { readonly type: 'facts'; readonly facts: NodeFacts }
  /** The answer to a `call`: said once, unless the conversation ends before. */
  | { readonly type: 'called'; readonly id: number; readonly outcome: CallOutcome };

export type FromCloud =
  /** The cloud has this epoch's rows up to `seq` on disk (0: none of it). */
  | { readonly type: 'welcome'; readonly seq: number }
  | { readonly type: 'desire'; readonly to: number; readonly rows: readonly WantedRow[] }
  | { readonly type: 'ack'; readonly seq: number }
  /** Runs a method within `ttl` ms, or not at all. Only to an edge that offers it; kept on neither disk. */
  | {
      readonly type: 'call';
      readonly id: number;
      readonly device: string;
      readonly method: string;
      readonly input: Arguments;
      readonly ttl: number;
    }
  /** Nobody waits for the call any more. */
  | { readonly type: 'uncall'; readonly id: number }
  /** Said before closing. `retryAfter` in ms. */
  | {
      readonly type: 'refuse';
      readonly code: string;
      readonly message: string;
      readonly retryAfter?: number;
    };
