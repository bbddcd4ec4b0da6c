/** The cloud behind the API: checks what users send, and changes what is wanted in the store. */
import { isDeepStrictEqual } from 'node:util';
import type { Json } from '@limpet/dmi';
import type { CallOutcome, Device, Explanation, NodeLoad, Resource } from '@limpet/dmi/manifest';
import {
  type ApiError,
  type Backend,
  type Changes,
  conflict,
  type Document,
  type Edit,
  invalid,
  keyOf,
  type Listed,
  notFound,
  type OutcomeQuery,
  type Outcomes,
  type Page,
  type Query,
  type Reach,
  type RemoveOptions,
  type SampleList,
  type SamplesQuery,
  selects,
  type Target,
  type WriteOptions,
} from '#protocol/api';
import { type CallAsked, callThrough, noRelay, type Relay } from './calls.ts';
import { checkOrders, takeDocument } from './documents.ts';
import type { Hub } from './hub/hub.ts';
import { modelOf } from './model-of.ts';
import { isNewOrder } from './orders.ts';
import { samplesOf } from './samples.ts';
import { queryLanguage } from './rollout/language.ts';
import { RolloutDesk } from './rollout/rollouts.ts';
import type { Order } from './store/desired.ts';
import type { StoredDoc, StoredObject } from './store/objects.ts';
import { SharedReads } from './shared-reads.ts';
import { storeRefusal } from './store-refusal.ts';
import type { CloudStore, Writing } from './store/store.ts';
import { type Ask, explainThere, loadThere, noNodes } from './why.ts';

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
  readonly writes = 'all';
  readonly #store: CloudStore;
  readonly #relay: Relay;
  readonly #ask: Ask;
  readonly #rollouts: RolloutDesk;
  readonly #changes: SharedReads<Changes>;

  constructor(store: CloudStore, relay: Relay = noRelay, nodes: Pick<Hub, 'ask'> = noNodes) {
    this.#store = store;
    this.#relay = relay;
    this.#ask = (...asked) => nodes.ask(...asked);
    this.#rollouts = new RolloutDesk(store, queryLanguage);
    this.#changes = new SharedReads((listener) => store.onChange(listener));
  }

  async samples(target: Target, property: string, query: SamplesQuery): Promise<SampleList> {
    return samplesOf(this.#store, { target, property }, query);
  }

  async list({ kind, namespace, selection }: Query, page: Page): Promise<Listed> {
    const { limit, after = '' } = page;
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
    const [seen, version] = await this.#store.read(async ({ view }) => {
      return [await view.page(filter, after, limit), (await view.line()).version] as const;
    });
    const last = seen.at(-1);
    const items = seen.filter((resource) => selects(selection, resource));
    if (last === undefined || seen.length < limit) return { items, version };
    return { items, version, next: keyOf(last.metadata) };
  }

  async get(target: Target): Promise<Resource> {
    const resource = await this.#store.read(({ view }) => view.get(target.kind, keyOf(target)));
    if (resource === undefined) throw notFound(target);
    return resource;
  }

  async call(target: Target, asked: CallAsked, signal: AbortSignal): Promise<CallOutcome> {
    const known = await this.#store.read(async ({ objects }) => {
      const { doc: device } = await existing(objects, target);
      if (device.kind !== 'Device') throw notFound(target);
      return { device, model: await modelOf(objects, device) };
    });
    return callThrough(this.#relay, { ...known, asked }, signal);
  }

  explain(target: Target, property: string, signal: AbortSignal): Promise<Explanation> {
    const parts = { store: this.#store, ask: this.#ask };
    return explainThere(parts, { target, property }, signal);
  }

  load(target: Target, signal: AbortSignal): Promise<NodeLoad> {
    return loadThere({ store: this.#store, ask: this.#ask }, target, signal);
  }

  outcomes(target: Target, query: OutcomeQuery): Promise<Outcomes> {
    return this.#rollouts.outcomes(target, query);
  }

  async changes(reach: Reach, since: number, limit: number): Promise<Changes> {
    const { kind, namespace, name } = reach;
    return this.#changes.read(JSON.stringify([kind, namespace, name, since, limit]), () =>
      this.#store.read(async ({ view }) => {
        const sights = await view.changes(reach, since, limit + 1);
        const more = sights.length > limit;
        return { sights: sights.slice(0, limit), more, ...(await view.line()) };
      }),
    );
  }

  onChange(listener: () => void): () => void {
    return this.#store.onChange(() => listener());
  }

  async write(target: Target, edit: Edit, options: WriteOptions): Promise<Resource> {
    const written = await this.#commit(async (tx) => {
      const id = keyOf(target);
      const object = await tx.objects.get(target.kind, id);
      const doc = edit(object && (await shown(tx, target)));
      if (object) await refuseOutdated(tx, { target, object, doc });
      const taken = takeDocument(target, doc);
      const standing = target.kind === 'Device' ? await tx.desired.of(id) : [];
      const exact = await checked(tx, target, {
        doc: taken.doc,
        orders: ordersIn(standing, taken.desired, options.orders ?? []),
      });
      if (!isDeepStrictEqual(object?.doc, taken.doc)) {
        await this.#rollouts.check(tx, target, { before: object?.doc, after: taken.doc });
        await tx.wanted.put(id, taken.doc);
        await this.#rollouts.written(tx, target);
      }
      if (taken.owners) await tx.wanted.own(target.kind, id, taken.owners);
      const wish = new Map([...withdrawn(standing, taken.desired), ...exact]);
      await place(tx, id, { wish, expiresMs: options.expiresMs });
      const after = await shown(tx, target);
      if (options.dryRun === true) throw new DryRun(after);
      return after;
    });
    return options.dryRun === true ? this.#rollouts.previewed(written) : written;
  }

  remove(target: Target, { dryRun, ...options }: RemoveOptions): Promise<Resource> {
    return this.#commit(async (tx) => {
      const object = await existing(tx.objects, target);
      await refuseOutdated(tx, { target, object, doc: { metadata: { ...options } } });
      await refuseInUse(tx, target, object);
      const last = await shown(tx, target);
      if (dryRun === true) return last;
      const version = await tx.wanted.remove(object);
      if (target.kind === 'Node') await tx.nodes.drop(object.id);
      await this.#rollouts.removed(tx, object);
      return { ...last, metadata: { ...last.metadata, resourceVersion: String(version) } };
    });
  }

  async #commit(work: (tx: Writing) => Promise<Resource>): Promise<Resource> {
    try {
      return await this.#store.commit.run(work);
    } catch (error) {
      if (error instanceof DryRun) return error.resource;
      throw storeRefusal(error) ?? error;
    }
  }
}

async function shown({ view }: Writing, target: Target): Promise<Resource> {
  const resource = await view.get(target.kind, keyOf(target));
  if (resource === undefined) throw notFound(target);
  return resource;
}

async function existing(objects: Writing['objects'], target: Target): Promise<StoredObject> {
  const object = await objects.get(target.kind, keyOf(target));
  if (object === undefined) throw notFound(target);
  return object;
}

/** Of the versions of a resource only those count at which it or what is desired of it changed: twins move all the time. */
async function refuseOutdated(
  tx: Writing,
  asked: { readonly target: Target; readonly object: StoredObject; readonly doc: Document },
): Promise<void> {
  const { target, object, doc } = asked;
  const { uid, resourceVersion } = (doc['metadata'] ?? {}) as Record<string, Json | undefined>;
  if (typeof uid === 'string' && uid !== object.uid) {
    throw conflict(target, 'it was deleted and created anew; get it again.');
  }
  if (typeof resourceVersion !== 'string') return;
  const orders = object.kind === 'Device' ? await tx.desired.of(object.id) : [];
  const moved = Math.max(object.pos, ...orders.map(({ pos }) => pos));
  if (moved > Number(resourceVersion) || Number(resourceVersion) > object.version) {
    throw conflict(target, 'it has been changed since; get it again and apply the change to that.');
  }
}

async function checked(
  { objects }: Writing,
  target: Target,
  { doc, orders }: { readonly doc: StoredDoc; readonly orders: ReadonlyMap<string, Json> },
): Promise<ReadonlyMap<string, Json>> {
  const model = doc.kind === 'Device' ? await modelOf(objects, doc) : undefined;
  return checkOrders(target, orders, model);
}

/** Entries of `desired` that are not what is already wanted, or are set in so many words. */
function ordersIn(
  standing: readonly Order[],
  desired: ReadonlyMap<string, Json>,
  named: readonly string[],
): ReadonlyMap<string, Json> {
  const wanted = new Map(standing.map((order) => [order.property, order.value]));
  const unlike = [...desired].filter(([property, value]) => {
    const now = wanted.get(property);
    return value === null ? now !== undefined && now !== null : !isDeepStrictEqual(now, value);
  });
  return new Map([
    ...named.map((property) => [property, desired.get(property) ?? null] as const),
    ...unlike,
  ]);
}

/** What is desired and no longer given. */
function withdrawn(
  standing: readonly Order[],
  desired: ReadonlyMap<string, Json>,
): readonly (readonly [string, null])[] {
  return standing
    .filter(({ property, value }) => value !== null && !desired.has(property))
    .map(({ property }) => [property, null] as const);
}

async function place(
  tx: Writing,
  device: string,
  { wish, expiresMs }: { wish: ReadonlyMap<string, Json>; expiresMs: number | undefined },
): Promise<void> {
  const { desired, mirrors, objects, wanted } = tx;
  if (wish.size === 0) return;
  const doc = (await objects.get('Device', device))?.doc;
  if (doc?.kind !== 'Device') return;
  const now = tx.now();
  const expires = expiresMs === undefined ? undefined : now + expiresMs;
  const standing = new Map((await desired.of(device)).map((order) => [order.property, order]));
  let count = standing.size;
  for (const [property, value] of wish) {
    const order = standing.get(property);
    const mirror = await mirrors.get(device, property);
    if (!isNewOrder(value, expires !== undefined, { order, mirror, now })) continue;
    if (order === undefined && ++count > MAX_DESIRED) throw tooMany(doc);
    await wanted.order({ device, property, node: doc.spec.node, value, accepted: now, expires });
  }
}

async function refuseInUse(
  { objects, nodes }: Writing,
  target: Target,
  { id, kind, doc }: StoredObject,
): Promise<void> {
  if (kind === 'Device' || kind === 'Rollout') return;
  const { name, namespace = '' } = doc.metadata;
  const users =
    kind === 'Node'
      ? await objects.devicesOfNode(id, NAMED + 1)
      : await objects.devicesOfModel(namespace, name, NAMED + 1);
  if (users.length > 0) {
    const more = users.length > NAMED ? ' and more' : '';
    const named = users.slice(0, NAMED).join(', ');
    throw conflict(target, `it is used by devices ${named}${more}; delete or move them first.`);
  }
  if (kind === 'Node' && (await nodes.get(id))?.state === 'online') {
    throw conflict(target, 'its edge is connected; stop that first.');
  }
}

function tooMany({ metadata: { namespace = 'default', name } }: Device): ApiError {
  const message = `a device may have at most ${MAX_DESIRED} desired values; delete and create it to be rid of withdrawn ones`;
  const field = 'spec.desired';
  return invalid({ kind: 'Device', namespace, name }, [{ field, reason: 'TOO_MANY', message }]);
}
