/**
 * What stands behind the Kubernetes-shaped API: the cloud's store, or the one node of an edge. The HTTP
 * front is written once over this interface and knows nothing of either.
 *
 * Versions are safe integers that grow with every visible change of any resource; a resource carries its
 * own as `metadata.resourceVersion` (decimal). Two promises make watches lossless without an event log:
 *
 * 1. `list`, `get` and `look` show a change no earlier than the turn of the event loop in which its
 *    listeners are told, and `version()` never runs ahead of what listeners were told.
 * 2. Listeners are told in version order.
 */
import type { Json } from '@limpet/dmi';
import type {
  API_VERSION,
  CallDoor,
  CallOutcome,
  CapturePage,
  Kind,
  Quality,
  Resource,
} from '@limpet/dmi/manifest';
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
  /** Every change up to this version is in `items`, as far as this page reaches. */
  readonly version: number;
  readonly next?: Key;
}

/** A document as a user sent it: a JSON object of the right `apiVersion`, `kind`, name and namespace, otherwise unchecked. */
export type Document = { readonly [key: string]: Json };

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

/** An open subscription: what changed before it, and the way to end it. */
export interface Changes {
  /** Keys that changed after `since`, deleted ones included; without `since`, all present ones. In order of version. */
  readonly keys: readonly Key[];
  /** No listener call happens after this returns. Safe to call twice. */
  stop(): void;
}

/** Methods throw `ApiError` (see status.ts for the ready-made ones), synchronously or by rejecting. */
export interface Backend {
  /** The version up to which every listener has been told of every change. */
  version(): number;
  /** Applies `query.selection` itself (see `selects`), so that it may use an index. */
  list(query: Query, page: Page): Awaitable<Listed>;
  /** @throws NotFound */
  get(target: Target): Awaitable<Resource>;
  /** @throws AlreadyExists, Invalid, MethodNotAllowed */
  create(target: Target, doc: Document): Awaitable<Resource>;
  /** @throws NotFound, Conflict, Invalid, MethodNotAllowed */
  replace(target: Target, doc: Document): Awaitable<Resource>;
  /** RFC 7386. `expiresMs` goes with the desired values that the patch sets. @throws NotFound, Conflict, Invalid */
  patch(target: Target, patch: Document, options: PatchOptions): Awaitable<Resource>;
  /** Answers with the resource as it last was. @throws NotFound, Conflict, MethodNotAllowed */
  remove(target: Target, options: RemoveOptions): Awaitable<Resource>;
  /** Only where history is kept, which is at the edge. @throws NotFound */
  samples?(target: Target, property: string, query: SamplesQuery): SampleList;
  /** Only where devices can be reached: runs a method of one, see `CallDoor`. @throws NotFound */
  call?(target: Target, asked: Parameters<CallDoor>[1], signal: AbortSignal): Promise<CallOutcome>;
  /** Only where devices can be reached: what went over the wires of one since it was asked last, see `CaptureDoor`. */
  capture?(target: Target, capture: string, signal: AbortSignal): Promise<CapturePage>;
  /** Synchronous, because a watch must compose an object and hand it on in one turn. */
  look(kind: Kind, key: Key): Sight | undefined;
  /**
   * Subscribes to keys of one kind (in one namespace, or all); `changed` may be told of the same key again
   * and again. No change between `keys` and the first call is missed.
   * @throws Expired when deletions since `since` are no longer all kept.
   */
  changes(
    scope: { readonly kind: Kind; readonly namespace?: string },
    since: number | undefined,
    changed: (key: Key) => void,
  ): Changes;
}

/** A page of a property's past. `sinceMs`: so long ago, before now. `after`: `next` of the page before. */
export interface SamplesQuery {
  readonly sinceMs: number;
  readonly limit: number;
  readonly after?: number;
}

/** Times are RFC 3339. A gap without `to` goes on; gaps come with the first page. `next`: ask again with `continue`. */
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
  readonly next?: string;
}

export interface PatchOptions {
  readonly expiresMs?: number;
}

/** Preconditions of a deletion. */
export interface RemoveOptions {
  readonly uid?: string;
  readonly resourceVersion?: string;
}

/** The key of a target. */
export function keyOf(target: { readonly namespace?: string; readonly name: string }): Key {
  return target.namespace === undefined ? target.name : `${target.namespace}/${target.name}`;
}
