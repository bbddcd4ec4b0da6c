/** What a standing query tells its reader, and how that stands on the wire. */
import type { Json } from '@limpet/dmi';
import type { Column } from '../query/typed.ts';
import type { Awaitable } from './backend.ts';
import type { Status } from './status.ts';

/**
 * What tells a row from the others: `[device]`, `[device, property]`, `[node]`, `[namespace, model]`, or what it is grouped
 * by; `[]` where all rows are one group.
 */
export type RowKey = readonly Json[];

/** Why a reader has to begin anew. */
export type ResetReason =
  /** It came without a cursor. */
  | 'start'
  /** What it had at its cursor is not known here any more, and the rows are others now. */
  | 'forgotten'
  /** The columns are not what they were: a model changed. */
  | 'columns';

/** Whoever comes back with `cursor` goes on after this event. `version` is the resourceVersion that caused it. */
interface Told {
  readonly cursor: string;
  readonly version: string;
}

export type StandingEvent =
  /** All rows follow. What the reader has and is not among them until the next bookmark has gone. */
  | (Told & {
      readonly type: 'reset';
      readonly reason: ResetReason;
      readonly columns: readonly Column[];
    })
  | (Told & {
      readonly type: 'enter' | 'update';
      readonly key: RowKey;
      readonly row: readonly Json[];
    })
  | (Told & { readonly type: 'leave'; readonly key: RowKey })
  /** The reader has all there is. `order`: of a query with ORDER BY or LIMIT, how the rows stand. */
  | (Told & { readonly type: 'bookmark'; readonly order?: readonly RowKey[] })
  /** The last event: the query stands no more. */
  | { readonly type: 'error'; readonly status: Status };

export interface StandingAsked {
  readonly query: string;
  /** Of the last event that the reader has. */
  readonly cursor?: string | undefined;
}

/** One reader of a standing query. */
export interface StandingReader {
  /**
   * What comes next, once there is something; undefined: nothing more. What changes while the reader does not ask is told as
   * it then is. To be called again only after it has resolved. Never rejects.
   */
  next(): Promise<readonly StandingEvent[] | undefined>;
  /** The reader has gone; `next` resolves. It may come back with its cursor. */
  close(): void;
}

export interface StandingDoor {
  /** @throws ApiError BadRequest, TooManyRequests */
  stand(asked: StandingAsked): Awaitable<StandingReader>;
}
