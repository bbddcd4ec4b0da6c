/**
 * What the edge and the cloud say to each other: JSON text frames on one WebSocket.
 *
 * `seq` counts changes on the edge and is meaningful within one `epoch` (one run of the edge process).
 * `rev` orders every change of what is *wanted* (resources, desired values); see rev.ts. Both halves merge
 * wanted things by the same rule, whoever sent them: per key, the highest rev wins. So an edge heals a
 * cloud that was restored from an older copy, and the other way round.
 * Each side acknowledges only what is on its disk.
 *
 * History is a second stream with a cursor of its own, which the cloud keeps with what it has: `welcome` names it to an
 * edge that offers `past`, and from there the edge sends pages of its ring, one in flight, acknowledged by `pastAck`. So
 * whichever side comes back from an older copy, the two find the place again: a cloud that lost some asks for it
 * again, an edge that lost some takes the cursor for the last that it still has of that run, and whatever comes twice is
 * known by series and place. What the ring dropped before it was told is a gap at the place of the last dropped sample.
 */
import type {
  Arguments,
  CallOutcome,
  Explanation,
  NodeFacts,
  NodeLoad,
  PastCursor,
  SeriesPast,
  StateRow,
  WantedRow,
} from '@limpet/dmi/manifest';

export type {
  DesiredRow,
  DeviceRow,
  Id,
  PastCursor,
  PastItem,
  PastPage,
  PropertyRow,
  ResourceRow,
  SeriesPast,
  StateRow,
  WantedResource,
  WantedRow,
} from '@limpet/dmi/manifest';

export const PROTOCOL = 1;

/** What the cloud asks a node that it keeps nowhere, because only the node knows, and only now. */
export type Asked =
  | { readonly kind: 'why'; readonly device: string; readonly property: string }
  | { readonly kind: 'load' };

/** The answer. `explanation`: null when the node does not have the device. */
export type Told =
  | { readonly kind: 'why'; readonly explanation: Explanation | null }
  | { readonly kind: 'load'; readonly load: NodeLoad };

export type FromEdge =
  | {
      readonly type: 'hello';
      readonly protocol: typeof PROTOCOL;
      readonly node: string;
      readonly epoch: string;
      /** Everything wanted up to here is on this edge's disk. */
      readonly rev: number;
      readonly facts: NodeFacts;
      /**
       * What it can do beyond the rest of this protocol; older edges say nothing. `call`: run methods of devices. `past`:
       * tell its history. `ask`: tell what it is asked.
       */
      readonly offers?: readonly ('call' | 'past' | 'ask')[];
    }
  | { readonly type: 'report'; readonly to: number; readonly rows: readonly StateRow[] }
  /** What was recorded after the cursor before, up to and with `n` of this run. */
  | {
      readonly type: 'past';
      readonly run: string;
      readonly n: number;
      readonly series: readonly SeriesPast[];
    }
  | { readonly type: 'stored'; readonly rev: number }
  | { readonly type: 'facts'; readonly facts: NodeFacts }
  /** The answer to an `ask`, at once. */
  | { readonly type: 'answer'; readonly id: number; readonly told: Told }
  /** The answer to a `call`: said once, unless the conversation ends before. */
  | { readonly type: 'called'; readonly id: number; readonly outcome: CallOutcome };

export type FromCloud =
  /**
   * The cloud has this epoch's rows up to `seq` on disk (0: none of it). `past`: it takes history, and has this node's up
   * to there (null: none of it); without it, none is sent.
   */
  | { readonly type: 'welcome'; readonly seq: number; readonly past?: PastCursor | null }
  | { readonly type: 'desire'; readonly to: number; readonly rows: readonly WantedRow[] }
  | { readonly type: 'ack'; readonly seq: number }
  | { readonly type: 'pastAck'; readonly n: number }
  /** Runs a method within `ttl` ms, or not at all. Only to an edge that offers it; kept on neither disk. */
  | {
      readonly type: 'call';
      readonly id: number;
      readonly device: string;
      readonly method: string;
      readonly input: Arguments;
      readonly ttl: number;
    }
  /** Asks what is known in memory; only an edge that offers it. */
  | { readonly type: 'ask'; readonly id: number; readonly about: Asked }
  /** Nobody waits for the call any more. */
  | { readonly type: 'uncall'; readonly id: number }
  /** Said before closing. `retryAfter` in ms. */
  | {
      readonly type: 'refuse';
      readonly code: string;
      readonly message: string;
      readonly retryAfter?: number;
    };
