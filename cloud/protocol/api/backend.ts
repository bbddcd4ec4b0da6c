/**
 * What stands behind the Kubernetes-shaped API: the cloud's store, or the one node of an edge. The HTTP
 * front is written once over this interface and knows nothing of either.
 *
 * Versions are safe integers that grow with every visible change of any resource; a resource carries its
 * own as `metadata.resourceVersion` (decimal). Three promises make watches lossless without an event log:
 *
 * 1. Whatever `list`, `get` and `changes` show comes from one committed state each, and whoever sees version V
 *    sees every change up to V.
 * 2. No two resources of one kind have the same version: who has read up to a version has read all up to it.
 * 3. Listeners are woken after a change can be seen.
 */
import type { Json } from '@limpet/dmi';
import type {
  API_VERSION,
  CallDoor,
  CallOutcome,
  CapturePage,
  Explanation,
  Kind,
  NodeLoad,
  Quality,
  Resource,
} from '@limpet/dmi/manifest';
import type { Bucket } from './buckets.ts';
import type { OutcomeQuery, Outcomes } from './outcomes.ts';
import type { QueryAnswer, QueryAsked, SlowQueries } from './query.ts';
import type { Selection } from './selector.ts';

/** A value, or a promise of it: a write resolves once it is on the disk. */
export type Awaitable<T> = T | Promise<T>;

/** `namespace/name`; for kinds without namespaces, `name`. */
export type Key = string;

/** One resource by name. `namespace` is set exactly for kinds that have namespaces. */
export interface Target {
  readonly kind: Kind;
  readonly namespace?: string;
  readonly name: string;
}

/** Resources of one kind, in one namespace or in all, that a selection keeps. */
export interface Query {
  readonly kind: Kind;
  readonly namespace?: string;
  readonly selection: Selection;
}

/** At most `limit` items, those with a key above `after`, in key order (by code unit). */
export interface Page {
  readonly limit: number;
  readonly after?: Key;
}

/** One page of a list. `next`: there may be more after this key; items may be fewer than asked for. */
export interface Listed {
  readonly items: readonly Resource[];
  /** Taken before the items were read: every change up to it is in `items`, as far as this page reaches. */
  readonly version: number;
  readonly next?: Key;
}

/** A document as a user sent it: a JSON object of the right `apiVersion`, `kind`, name and namespace, otherwise unchecked. */
export type Document = { readonly [key: string]: Json };

/** Resources of one kind: all of them, those of one namespace, or those of one name. */
export interface Reach {
  readonly kind: Kind;
  readonly namespace?: string;
  readonly name?: string;
}

/** One resource as a watch sees it, or the last that is known of a deleted one. */
export interface Sight {
  readonly state: 'present' | 'deleted';
  /** When deleted: as it last was, `metadata.resourceVersion` being the version of its deletion. */
  readonly resource: Resource;
  /** Version at which it was created. */
  readonly created: number;
  /** Version at which its spec (without `desired`), labels or annotations last changed. */
  readonly configured: number;
}

/** What changed after a version, from one committed state. */
export interface Changes {
  /** The next resources, each once and as it is now, deleted ones included; in order of version. */
  readonly sights: readonly Sight[];
  /** There are more with versions above that of the last sight. */
  readonly more: boolean;
  /** The version of the state that all this was read from; without `more`, nothing up to it is missing. */
  readonly version: number;
  /** Deletions up to this version are no longer all known. */
  readonly forgotten: number;
}

/**
 * From the resource as it is (`undefined`: there is none) to the document it shall be. Pure. Throws `ApiError` to
 * refuse. A `metadata.uid` or `resourceVersion` in the document that is not the present one is a precondition that
 * failed, unless nothing but its twin has moved since.
 */
export type Edit = (now: Resource | undefined) => Document;

export interface WriteOptions {
  /** All checks are made and the outcome is answered, but nothing is stored. */
  readonly dryRun?: boolean;
  /** Properties that this write sets, be it to what is already desired: a new order, unless the last one still holds. */
  readonly orders?: readonly string[];
  /** Goes with the desired values that are set. */
  readonly expiresMs?: number;
}

/** Methods throw `ApiError` (see status.ts for the ready-made ones), synchronously or by rejecting. */
export interface Backend {
  /** What can be written here: everything, and who has set what is kept; or only what is desired of devices. */
  readonly writes: 'all' | 'orders';
  /** Applies `query.selection` itself (see `selects`), so that it may use an index. */
  list(query: Query, page: Page): Awaitable<Listed>;
  /** @throws NotFound */
  get(target: Target): Awaitable<Resource>;
  /** Creates or changes a resource: `edit` is asked inside the transaction that stores what it answers. @throws Conflict, Invalid, MethodNotAllowed */
  write(target: Target, edit: Edit, options: WriteOptions): Awaitable<Resource>;
  /** Answers with the resource as it last was. @throws NotFound, Conflict, MethodNotAllowed */
  remove(target: Target, options: RemoveOptions): Awaitable<Resource>;
  /** At most `limit` sights with a version above `since`. */
  changes(reach: Reach, since: number, limit: number): Awaitable<Changes>;
  /** The listener is called after anything may have changed, however much it was. Returns the way to stop. */
  onChange(listener: () => void): () => void;
  /** Only where history is kept. @throws NotFound, BadRequest */
  samples?(target: Target, property: string, query: SamplesQuery): Awaitable<SampleList>;
  /** Only where devices can be reached: runs a method of one, see `CallDoor`. @throws NotFound */
  call?(target: Target, asked: Parameters<CallDoor>[1], signal: AbortSignal): Promise<CallOutcome>;
  /** Only where devices can be reached: what went over the wires of one since it was asked last, see `CaptureDoor`. */
  capture?(target: Target, capture: string, signal: AbortSignal): Promise<CapturePage>;
  /** What a node is busy with now. @throws NotFound; ServiceUnavailable when it is not connected */
  load?(target: Target, signal: AbortSignal): Awaitable<NodeLoad>;
  /** Only where rollouts are kept: what became of the devices of one. @throws NotFound */
  outcomes?(target: Target, query: OutcomeQuery): Awaitable<Outcomes>;
  /** Why a value is as it is, where an order of it waits. @throws NotFound with the nearest name */
  explain?(target: Target, property: string, signal: AbortSignal): Awaitable<Explanation>;
  /** A query in the language of `#protocol/query`. @throws BadRequest whose cause says where, TooManyRequests, Timeout */
  query?(asked: QueryAsked, signal: AbortSignal): Awaitable<QueryAnswer>;
  /** The queries that took long. */
  slowQueries?(): SlowQueries;
}

/**
 * A page of a property's past: since so long ago, or from a time, up to one (ms since 1970; now). `bucketMs`: in buckets of
 * so long instead of samples. `after`: `next` of the page before.
 */
export interface SamplesQuery {
  readonly sinceMs?: number;
  readonly from?: number;
  readonly to?: number;
  readonly bucketMs?: number;
  /** Samples, or buckets. */
  readonly limit: number;
  readonly after?: string;
}

/**
 * Times are RFC 3339. A gap without `to` goes on; gaps come with the first page, or with the buckets they reach into. A
 * bucket's `mean` is weighted by how long each value held, `heldMs` is how long any did; one in which none held is left out. `next`: ask again with
 * `continue`.
 */
export interface SampleList {
  readonly apiVersion: typeof API_VERSION;
  readonly kind: 'SampleList';
  readonly device: Key;
  readonly property: string;
  readonly samples: readonly {
    readonly at: string;
    readonly value: Json;
    readonly quality: Quality;
  }[];
  readonly gaps: readonly { readonly cause: string; readonly from: string; readonly to?: string }[];
  /** When they were asked for, without samples. */
  readonly buckets?: readonly (Omit<Bucket, 'from'> & { readonly from: string })[];
  readonly next?: string;
}

/** Preconditions of a deletion. */
export interface RemoveOptions {
  /** All checks are made, but nothing is deleted. */
  readonly dryRun?: boolean;
  readonly uid?: string;
  readonly resourceVersion?: string;
}

/** The key of a target. */
export function keyOf(target: { readonly namespace?: string; readonly name: string }): Key {
  return target.namespace === undefined ? target.name : `${target.namespace}/${target.name}`;
}
