/** What the bench and its generator processes say to each other. */
import type { Counted } from './histogram.ts';
import type { LoadCounts } from './load-twins.ts';

export type Order =
  /** Nodes `first` to `first + count - 1` connect, all at once. */
  | {
      readonly kind: 'connect';
      readonly url: string;
      readonly first: number;
      readonly count: number;
    }
  /** Each node gets so many devices: one in ten of them, or all that have none yet. */
  | { readonly kind: 'declare'; readonly devices: number; readonly which: 'tenth' | 'rest' }
  /** So many properties change per second, in pages of one device; 0 ends it. */
  | { readonly kind: 'change'; readonly perSecond: number }
  | { readonly kind: 'tell' };

/** Of one generator. Totals since its start, but for `latency`: since it was asked last. */
export interface Told extends LoadCounts {
  readonly connected: number;
  readonly pending: number;
  readonly latency: Counted;
  /** Why connections were lost or not made. */
  readonly faults: Readonly<Record<string, number>>;
}
