/** The cloud behind the API: checks what users send, and changes what is wanted in the store. */
import { isDeepStrictEqual } from 'node:util';
import type { Json } from '@limpet/dmi';
import type { CallOutcome, Device, DeviceModel, Kind, Resource } from '@limpet/dmi/manifest';
import {
  alreadyExists,
  ApiError,
  type Backend,
  type Changes,
  conflict,
  type Document,
  expired,
  invalid,
  type Key,
  keyOf,
  type Listed,
  mergePatch,
  notFound,
  type Page,
  type PatchOptions,
  type Query,
  type RemoveOptions,
  selects,
  type Sight,
  type Target,
  tooManyRequests,
} from '#protocol/api';
import { type CallAsked, callThrough, noRelay, type Relay } from './calls.ts';
import { checkOrders, takeDocument } from './documents.ts';
import { isNewOrder } from './orders.ts';
import { StoreFailed } from './store/errors.ts';
import type { StoredObject } from './store/objects.ts';
import type { CloudStore } from './store/store.ts';

/** Devices named in a refusal to delete what they use. */
const NAMED = 10;
/** Properties with a desired value, withdrawn ones included, per device: as many as a model may have. */
const MAX_DESIRED = 10_000;

/** How a write treats `spec.desired`. */
interface Wish {
  readonly desired: Iterable<readonly [string, Json]>;
  readonly expiresMs?: number | undefined;
  /** Set again what is already so, when that is a new order. */
  readonly again: boolean;
}

export class CloudBackend implements Backend {
  readonly #store: CloudStore;
  readonly #relay: Relay;

  constructor(store: CloudStore, relay: Relay = noRelay) {
    this.#store = store;
    this.#relay = relay;
  }

  version(): number {
    return this.#store.version();
  }

  list({ kind, namespace, selection }: Query, { limit, after = '' }: Page): Listed {
    const equal = new Map(
      selection.fields
        .filter(({ operator }) => operator === '=')
        .map(({ field, value }) => [field, value]),
    );
    const filter = {
      kind,
      namespace: namespace ?? equal.get('metadata.namespace'),
      name: equal.get('metadata.name'),
      node: equal.get('spec.node'),
      model: equal.get('spec.model'),
    };
    const seen = this.#store.view.page(filter, after, limit);
    const last = seen.at(-1);
    const items = seen.filter((resource) => selects(selection, resource));
    const version = this.version();
    if (last === undefined || seen.length < limit) return { items, version };
    return { items, version, next: keyOf(last.metadata) };
  }

  get(target: Target): Resource {
    const resource = this.#store.view.get(target.kind, keyOf(target));
    if (resource === undefined) throw notFound(target);
    return resource;
  }

  async call(target: Target, asked: CallAsked, signal: AbortSignal): Promise<CallOutcome> {
    const { doc } = this.#existing(target);
    if (doc.kind !== 'Device') throw notFound(target);
    return callThrough(this.#relay, { device: doc, model: this.#modelOf(doc), asked }, signal);
  }

  look(kind: Kind, key: Key): Sight | undefined {
    return this.#store.view.look(kind, key);
  }

  create(target: Target, doc: Document): Promise<Resource> {
    return this.#write(() => {
      const id = keyOf(target);
      if (this.#store.objects.has(target.kind, id)) throw alreadyExists(target);
      const taken = takeDocument(target, doc);
      const orders = [...taken.desired].filter(([, value]) => value !== null);
      const exact = this.#checked(target, taken.doc, orders);
      this.#store.wanted.put(id, taken.doc);
      this.#place(id, { desired: exact, again: false });
      return this.get(target);
    });
  }

  replace(target: Target, doc: Document): Promise<Resource> {
    return this.#write(() => {
      const object = this.#existing(target);
      this.#precondition(target, object, doc);
      const taken = takeDocument(target, doc);
      const withdrawn = this.#store.desired
        .of(object.id)
        .filter(({ property, value }) => value !== null && !taken.desired.has(property))
        .map(({ property }) => [property, null] as const);
      const changed = this.#unlike(object.id, taken.desired);
      const exact = this.#checked(target, taken.doc, changed);
      if (!isDeepStrictEqual(object.doc, taken.doc)) this.#store.wanted.put(object.id, taken.doc);
      this.#place(object.id, { desired: [...exact, ...withdrawn], again: false });
      return this.get(target);
    });
  }

  patch(target: Target, patch: Document, { expiresMs }: PatchOptions): Promise<Resource> {
    return this.#write(() => {
      const object = this.#existing(target);
      this.#precondition(target, object, patch);
      const { status: _, ...settable } = patch;
      const merged = mergePatch(object.doc as unknown as Json, settable);
      const taken = takeDocument(target, merged as Document);
      const exact = this.#checked(target, taken.doc, this.#patched(object.id, patch));
      if (!isDeepStrictEqual(object.doc, taken.doc)) this.#store.wanted.put(object.id, taken.doc);
      this.#place(object.id, { desired: exact, expiresMs, again: true });
      return this.get(target);
    });
  }

  remove(target: Target, options: RemoveOptions): Promise<Resource> {
    return this.#write(() => {
      const object = this.#existing(target);
      this.#precondition(target, object, { metadata: { ...options } });
      this.#refuseInUse(target, object);
      const last = this.get(target);
      const version = this.#store.wanted.remove(object);
      if (target.kind === 'Node') this.#store.nodes.drop(object.id);
      return { ...last, metadata: { ...last.metadata, resourceVersion: String(version) } };
    });
  }

  changes(
    { kind, namespace }: { readonly kind: Kind; readonly namespace?: string },
    since: number | undefined,
    changed: (key: Key) => void,
  ): Changes {
    const { objects, deletions } = this.#store;
    if (since !== undefined && (since < deletions.forgotten() || since > this.version())) {
      throw expired(
        `Version ${since} is not known here (any more): list again and watch from there.`,
      );
    }
    const inScope = (id: string) => namespace === undefined || id.startsWith(`${namespace}/`);
    const ids = since === undefined ? objects.present(kind) : objects.changedSince(kind, since);
    const stop = this.#store.onChange(({ resources }) => {
      for (const each of resources) if (each.kind === kind && inScope(each.id)) changed(each.id);
    });
    return { keys: ids.filter((id) => inScope(id)), stop };
  }

  async #write<T>(work: () => T): Promise<T> {
    try {
      return await this.#store.commit.run(work);
    } catch (error) {
      throw error instanceof StoreFailed ? apiErrorOf(error) : error;
    }
  }

  #existing(target: Target): StoredObject {
    const object = this.#store.objects.get(target.kind, keyOf(target));
    if (object === undefined) throw notFound(target);
    return object;
  }

  /** Of the versions of a resource only those count at which it or what is desired of it changed: twins move all the time. */
  #precondition(target: Target, object: StoredObject, doc: Document): void {
    const { uid, resourceVersion } = (doc['metadata'] ?? {}) as Record<string, Json | undefined>;
    if (typeof uid === 'string' && uid !== object.uid) {
      throw conflict(target, 'it was deleted and created anew; get it again.');
    }
    if (typeof resourceVersion !== 'string') return;
    const moved = Math.max(
      object.pos,
      ...(object.kind === 'Device' ? this.#store.desired.of(object.id).map(({ pos }) => pos) : []),
    );
    if (moved > Number(resourceVersion) || Number(resourceVersion) > object.version) {
      throw conflict(
        target,
        'it has been changed since; get it again and apply the change to that.',
      );
    }
  }

  #checked(
    target: Target,
    doc: StoredObject['doc'],
    orders: Iterable<readonly [string, Json]>,
  ): ReadonlyMap<string, Json> {
    return checkOrders(target, orders, doc.kind === 'Device' ? this.#modelOf(doc) : undefined);
  }

  #modelOf({ metadata: { namespace = 'default' }, spec }: Device): DeviceModel | undefined {
    const doc = this.#store.objects.get('DeviceModel', `${namespace}/${spec.model}`)?.doc;
    return doc?.kind === 'DeviceModel' ? doc : undefined;
  }

  /** Entries of `desired` that are not what is already wanted. */
  #unlike(device: string, desired: ReadonlyMap<string, Json>): (readonly [string, Json])[] {
    return [...desired].filter(([property, value]) => {
      const order = this.#store.desired.get(device, property);
      return value === null
        ? order !== undefined && order.value !== null
        : !isDeepStrictEqual(order?.value, value);
    });
  }

  /** What a merge patch says of `spec.desired`; `null` for the whole withdraws everything. */
  #patched(device: string, patch: Document): (readonly [string, Json])[] {
    const spec = patch['spec'];
    if (!isObject(spec)) return [];
    const { desired } = spec;
    if (isObject(desired)) {
      return Object.entries(desired).map(([property, value]) => {
        if (value === null || !isObject(value)) return [property, value] as const;
        // A value of type json is merged like everything else.
        const current = this.#store.desired.get(device, property)?.value;
        return [property, mergePatch(current, value)] as const;
      });
    }
    if (desired !== null) return [];
    return this.#store.desired.of(device).map(({ property }) => [property, null] as const);
  }

  #place(device: string, { desired, expiresMs, again }: Wish): void {
    const { desired: orders, mirrors, objects, wanted, now: clock } = this.#store;
    const doc = objects.get('Device', device)?.doc;
    if (doc?.kind !== 'Device') return;
    const now = clock();
    const expires = expiresMs === undefined ? undefined : now + expiresMs;
    for (const [property, value] of desired) {
      const standing = {
        order: orders.get(device, property),
        mirror: mirrors.get(device, property),
        now,
      };
      const { node } = doc.spec;
      if (again && !isNewOrder(value, expires !== undefined, standing)) continue;
      if (standing.order === undefined && orders.count(device) >= MAX_DESIRED) throw tooMany(doc);
      wanted.order({ device, property, node, value, accepted: now, expires });
    }
  }

  #refuseInUse(target: Target, { id, kind, doc }: StoredObject): void {
    const { objects, nodes } = this.#store;
    if (kind === 'Device') return;
    const users =
      kind === 'Node'
        ? objects.devicesOfNode(id, NAMED + 1)
        : objects.devicesOfModel(doc.metadata.namespace ?? '', doc.metadata.name, NAMED + 1);
    if (users.length > 0) {
      const more = users.length > NAMED ? ' and more' : '';
      const named = users.slice(0, NAMED).join(', ');
      throw conflict(target, `it is used by devices ${named}${more}; delete or move them first.`);
    }
    if (kind === 'Node' && nodes.get(id)?.state === 'online') {
      throw conflict(target, 'its edge is connected; stop that first.');
    }
  }
}

function tooMany({ metadata: { namespace = 'default', name } }: Device): ApiError {
  const message = `a device may have at most ${MAX_DESIRED} desired values; delete and create it to be rid of withdrawn ones`;
  const field = 'spec.desired';
  return invalid({ kind: 'Device', namespace, name }, [{ field, reason: 'TOO_MANY', message }]);
}

function isObject(value: Json | undefined): value is { readonly [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function apiErrorOf(error: StoreFailed): ApiError {
  const { code, message } = error;
  if (code === 'STORE_BUSY') return tooManyRequests(message, 1);
  const reason = code === 'STORE_CLOSED' ? 'ServiceUnavailable' : 'InternalError';
  return new ApiError(reason, message, {}, { cause: error });
}
