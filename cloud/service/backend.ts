/** The cloud behind the API: checks what users send, and changes what is wanted in the store. */
import { isDeepStrictEqual } from 'node:util';
import type { Json } from '@limpet/dmi';
import type { CallOutcome, Device, DeviceModel, Resource } from '@limpet/dmi/manifest';
import {
  ApiError,
  type Backend,
  type Changes,
  conflict,
  type Document,
  type Edit,
  invalid,
  keyOf,
  type Listed,
  notFound,
  type Page,
  type Query,
  type Reach,
  type RemoveOptions,
  selects,
  type Target,
  tooManyRequests,
  type WriteOptions,
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

/** Ends a dry run: whatever was done until here is rolled back. */
class DryRun extends Error {
  readonly resource: Resource;

  constructor(resource: Resource) {
    super('dry run');
    this.resource = resource;
  }
}

export class CloudBackend implements Backend {
  readonly #store: CloudStore;
  readonly #relay: Relay;

  constructor(store: CloudStore, relay: Relay = noRelay) {
    this.#store = store;
    this.#relay = relay;
  }

  async list({ kind, namespace, selection }: Query, page: Page): Promise<Listed> {
    const { limit, after = '' } = page;
    const version = this.#store.version();
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
    if (last === undefined || seen.length < limit) return { items, version };
    return { items, version, next: keyOf(last.metadata) };
  }

  async get(target: Target): Promise<Resource> {
    return this.#get(target);
  }

  async call(target: Target, asked: CallAsked, signal: AbortSignal): Promise<CallOutcome> {
    const { doc } = this.#existing(target);
    if (doc.kind !== 'Device') throw notFound(target);
    return callThrough(this.#relay, { device: doc, model: this.#modelOf(doc), asked }, signal);
  }

  async changes(reach: Reach, since: number, limit: number): Promise<Changes> {
    const { objects, deletions, view } = this.#store;
    const version = this.#store.version();
    const ids = objects.changedSince(reach, since, limit + 1);
    const sights = ids.slice(0, limit).flatMap((id) => view.look(reach.kind, id) ?? []);
    return { sights, more: ids.length > limit, version, forgotten: deletions.forgotten() };
  }

  onChange(listener: () => void): () => void {
    return this.#store.onChange(() => listener());
  }

  write(target: Target, edit: Edit, options: WriteOptions): Promise<Resource> {
    return this.#commit(() => {
      const id = keyOf(target);
      const object = this.#store.objects.get(target.kind, id);
      const doc = edit(object && this.#get(target));
      if (object) this.#precondition(target, object, doc);
      const taken = takeDocument(target, doc);
      const ordered = this.#ordered(id, taken.desired, options.orders ?? []);
      const withdrawn = this.#withdrawn(id, taken.desired);
      const exact = this.#checked(target, taken.doc, ordered);
      if (!isDeepStrictEqual(object?.doc, taken.doc)) this.#store.wanted.put(id, taken.doc);
      if (taken.owners) this.#store.wanted.own(target.kind, id, taken.owners);
      this.#place(id, new Map([...withdrawn, ...exact]), options.expiresMs);
      const written = this.#get(target);
      if (options.dryRun === true) throw new DryRun(written);
      return written;
    });
  }

  remove(target: Target, { dryRun, ...options }: RemoveOptions): Promise<Resource> {
    return this.#commit(() => {
      const object = this.#existing(target);
      this.#precondition(target, object, { metadata: { ...options } });
      this.#refuseInUse(target, object);
      const last = this.#get(target);
      if (dryRun === true) return last;
      const version = this.#store.wanted.remove(object);
      if (target.kind === 'Node') this.#store.nodes.drop(object.id);
      return { ...last, metadata: { ...last.metadata, resourceVersion: String(version) } };
    });
  }

  async #commit(work: () => Resource): Promise<Resource> {
    try {
      return await this.#store.commit.run(work);
    } catch (error) {
      if (error instanceof DryRun) return error.resource;
      throw error instanceof StoreFailed ? apiErrorOf(error) : error;
    }
  }

  #get(target: Target): Resource {
    const resource = this.#store.view.get(target.kind, keyOf(target));
    if (resource === undefined) throw notFound(target);
    return resource;
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

  /** Entries of `desired` that are not what is already wanted, or are set in so many words. */
  #ordered(
    device: string,
    desired: ReadonlyMap<string, Json>,
    named: readonly string[],
  ): ReadonlyMap<string, Json> {
    const unlike = [...desired].filter(([property, value]) => {
      const order = this.#store.desired.get(device, property);
      return value === null
        ? order !== undefined && order.value !== null
        : !isDeepStrictEqual(order?.value, value);
    });
    return new Map([
      ...named.map((property) => [property, desired.get(property) ?? null] as const),
      ...unlike,
    ]);
  }

  /** What is desired and no longer given. */
  #withdrawn(device: string, desired: ReadonlyMap<string, Json>): (readonly [string, null])[] {
    return this.#store.desired
      .of(device)
      .filter(({ property, value }) => value !== null && !desired.has(property))
      .map(({ property }) => [property, null] as const);
  }

  #place(device: string, desired: Iterable<readonly [string, Json]>, expiresMs?: number): void {
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
      if (!isNewOrder(value, expires !== undefined, standing)) continue;
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

function apiErrorOf(error: StoreFailed): ApiError {
  const { code, message } = error;
  if (code === 'STORE_BUSY') return tooManyRequests(message, 1);
  const reason = code === 'STORE_CLOSED' ? 'ServiceUnavailable' : 'InternalError';
  return new ApiError(reason, message, {}, { cause: error });
}
