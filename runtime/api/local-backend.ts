/** One node behind the API: its devices and models from the twin store, and itself. */
import { type Clock, DmiError, type Json } from '@limpet/dmi';
import {
  API_VERSION,
  type CallDoor,
  type CallOutcome,
  type CaptureDoor,
  type CapturePage,
  type Device,
  type DeviceModel,
  type ExplainDoor,
  type Explanation,
  type Kind,
  type LoadDoor,
  type Node,
  type NodeFacts,
  type NodeLoad,
  type Resource,
} from '@limpet/dmi/manifest';
import {
  answerPast,
  ApiError,
  type Backend,
  type Changes,
  conflict,
  type Document,
  type Edit,
  invalid,
  type Key,
  keyOf,
  type Listed,
  methodNotAllowed,
  noDevice,
  noProperty,
  notFound,
  type Page,
  type Query,
  type QueryAnswer,
  type QueryAsked,
  type Reach,
  type SampleList,
  type SamplesQuery,
  selects,
  type Sight,
  type Target,
  type WriteOptions,
} from '#protocol/api';
import type { HistoryDoor } from '../twin/history.ts';
import { placeOrders } from '../twin/order.ts';
import type { Change, TwinStore } from '../twin/store.ts';
import { showDevice, showDocument } from './compose.ts';
import { pastSource } from './past-source.ts';
import { ordersOf } from './orders.ts';
import { type Mark, Versions } from './versions.ts';

export interface LocalBackendOptions {
  readonly store: TwinStore;
  readonly node: string;
  readonly facts: () => NodeFacts;
  readonly clock: Clock;
  readonly history?: Pick<HistoryDoor, 'history' | 'before'>;
  /** Runs methods of devices. */
  readonly call?: CallDoor;
  /** Records what goes over the wires of devices. */
  readonly capture?: CaptureDoor;
  /** What the node is busy with. */
  readonly load?: LoadDoor;
  /** Why values are as they are. */
  readonly explain?: ExplainDoor;
}

export class LocalBackend implements Backend {
  readonly writes = 'orders';
  readonly #options: LocalBackendOptions;
  readonly #store: TwinStore;
  readonly #versions: Versions;
  readonly #stop: () => void;

  constructor(options: LocalBackendOptions) {
    this.#options = options;
    this.#store = options.store;
    this.#versions = new Versions(options.clock.now());
    this.#versions.configured('Node', options.node);
    const { store } = options;
    for (const id of store.models()) this.#versions.configured('DeviceModel', id, store.model(id));
    for (const id of store.devices()) this.#versions.configured('Device', id, store.device(id));
    this.#stop = this.#store.onChange((change) => this.#changed(change));
  }

  /** The node tells new facts of itself. */
  nodeChanged(): void {
    this.#versions.touched('Node', this.#options.node);
  }

  close(): void {
    this.#stop();
  }

  list(query: Query, { limit, after = '' }: Page): Listed {
    const { version } = this.#versions;
    const items: Resource[] = [];
    const keys = this.#versions.present(query.kind).filter((key) => key > after);
    for (const key of keys.toSorted((a, b) => (a < b ? -1 : 1))) {
      if (query.namespace !== undefined && !key.startsWith(`${query.namespace}/`)) continue;
      const resource = this.#show(query.kind, key);
      if (resource === undefined || !selects(query.selection, resource)) continue;
      const last = items.at(-1);
      if (items.length === limit && last !== undefined) {
        return { items, version, next: keyOf(last.metadata) };
      }
      items.push(resource);
    }
    return { items, version };
  }

  async query(asked: QueryAsked): Promise<QueryAnswer> {
    // The language is a chunk of its own, for most edges are never asked.
    const { answerLocally } = await import('./local-query.ts');
    return answerLocally(asked, {
      devices: () => this.#shown('Device') as Device[],
      nodes: () => this.#shown('Node') as Node[],
      models: () => this.#shown('DeviceModel') as DeviceModel[],
      version: () => this.#versions.version,
      now: () => this.#options.clock.now(),
    });
  }

  #shown(kind: Kind): readonly Resource[] {
    const shown = this.#versions.present(kind).map((key) => this.#show(kind, key));
    return shown.filter((resource) => resource !== undefined);
  }

  get(target: Target): Resource {
    const resource = this.#show(target.kind, keyOf(target));
    if (resource !== undefined) return resource;
    const refused = target.kind === 'Device' ? this.#store.refused().get(keyOf(target)) : undefined;
    if (refused === undefined) throw notFound(target);
    throw new ApiError('NotFound', `device "${keyOf(target)}" is not run: ${refused.message}`);
  }

  async samples(target: Target, property: string, query: SamplesQuery): Promise<SampleList> {
    const device = this.get(target) as Device;
    const id = keyOf(target);
    const { history, clock } = this.#options;
    const source = pastSource(history, id, property);
    if (source !== undefined) {
      return answerPast(source, { device: id, property }, { query, now: clock.now() });
    }
    const model = this.#store.modelOf(id);
    const known = model?.spec.properties.find(({ name }) => name === property);
    if (known === undefined) {
      throw noProperty(target, property, model?.spec.properties.map(({ name }) => name) ?? []);
    }
    const why = `no history of "${property}" is kept: add "history: true" to it in the model "${device.spec.model}"`;
    throw new ApiError('NotFound', why);
  }

  async capture(target: Target, capture: string, signal: AbortSignal): Promise<CapturePage> {
    const door = this.#options.capture;
    if (door === undefined) throw methodNotAllowed('devices cannot be captured here');
    this.get(target);
    try {
      return await door(keyOf(target), capture, signal);
    } catch (error) {
      if (!(error instanceof DmiError)) throw error;
      throw new ApiError('ServiceUnavailable', `${error.message} (${error.code})`);
    }
  }

  load(target: Target): NodeLoad {
    const { load } = this.#options;
    this.get(target);
    if (load === undefined) throw methodNotAllowed('no load is known here');
    return load();
  }

  explain(target: Target, property: string): Explanation {
    const id = keyOf(target);
    const { explain } = this.#options;
    if (explain === undefined) throw methodNotAllowed('values cannot be explained here');
    const model = this.#store.modelOf(id)?.spec.properties.map(({ name }) => name);
    const twin = this.#store.twin(id);
    const known = new Set([...(model ?? []), ...(twin?.properties.keys() ?? [])]);
    const explanation = explain(id, property);
    if (explanation === undefined) throw noDevice(target, this.#store.devices());
    // Without its model it is the model that is wrong.
    if (model !== undefined && !known.has(property)) throw noProperty(target, property, [...known]);
    return explanation;
  }

  async call(
    target: Target,
    asked: Parameters<CallDoor>[1],
    signal: AbortSignal,
  ): Promise<CallOutcome> {
    const { call } = this.#options;
    if (call === undefined) throw methodNotAllowed('devices cannot be called here');
    this.get(target);
    return call(keyOf(target), asked, signal);
  }

  changes(reach: Reach, since: number, limit: number): Changes {
    const { version, horizon: forgotten } = this.#versions;
    const sights: Sight[] = [];
    for (const mark of this.#versions.changed(reach, since)) {
      if (sights.length === limit) return { sights, more: true, version, forgotten };
      const sight = this.#sight(mark);
      if (sight !== undefined) sights.push(sight);
    }
    return { sights, more: false, version, forgotten };
  }

  onChange(listener: () => void): () => void {
    return this.#versions.onChange(listener);
  }

  remove(): never {
    throw readOnly();
  }

  /** Of a device, `spec.desired`: orders, on disk when this returns. */
  write(target: Target, edit: Edit, options: WriteOptions): Resource {
    const now = this.#show(target.kind, keyOf(target));
    if (now === undefined && this.#store.refused().has(keyOf(target))) return this.get(target);
    const doc = edit(now);
    if (now?.kind !== 'Device') throw readOnly();
    this.#precondition(target, doc);
    const model = this.#store.modelOf(keyOf(target));
    if (model === undefined) {
      const message = `the model "${now.spec.model}" is not known here: apply it first`;
      throw invalid(target, [{ field: 'spec.model', reason: 'MODEL_UNKNOWN', message }]);
    }
    const wanted = ordersOf(doc, { device: now, model, orders: options.orders ?? [] });
    if (!wanted.ok) throw invalid(target, wanted.causes);
    if (options.dryRun === true) return { ...now, spec: { ...now.spec, desired: wanted.desired } };
    this.#order(target, new Map(wanted.orders), options);
    return this.get(target);
  }

  #order(target: Target, values: ReadonlyMap<string, Json>, wish: WriteOptions): void {
    const { expiresMs } = wish;
    const expiry = expiresMs === undefined ? {} : { expiresMs };
    const placed = placeOrders(this.#store, keyOf(target), { values, ...expiry });
    if (placed.ok) return;
    const { code, message } = placed;
    const names = [...values.keys()].join(', ');
    if (code.startsWith('DISK_')) {
      throw new ApiError('ServiceUnavailable', `${names} was not set: ${message} (${code})`);
    }
    const fields = [...values.keys()].map((name) => `spec.desired.${name}`);
    throw invalid(
      target,
      fields.map((field) => ({ field, reason: code, message })),
    );
  }

  /** Only versions count at which the document or an order changed: twins move all the time. */
  #precondition(target: Target, doc: Document): void {
    const metadata = doc['metadata'] as Document | undefined;
    const given = metadata?.['resourceVersion'];
    const mark = this.#versions.of(target.kind, keyOf(target));
    if (given === undefined || mark === undefined) return;
    const version = Number(given);
    if (version >= Math.max(mark.configured, mark.ordered) && version <= mark.version) return;
    throw conflict(target, 'it has been changed since; get it again and apply the change to that');
  }

  #sight({ kind, key, state, version, created, configured, doc }: Mark): Sight | undefined {
    const resource =
      state === 'present' ? this.#show(kind, key) : doc && showDocument(doc, version);
    return resource === undefined ? undefined : { state, resource, created, configured };
  }

  #show(kind: Kind, key: Key): Resource | undefined {
    const mark = this.#versions.of(kind, key);
    if (mark?.state !== 'present') return undefined;
    switch (kind) {
      case 'Node':
        return this.#node(mark.version);
      case 'DeviceModel': {
        const doc = this.#store.model(key);
        return doc && showDocument(doc, mark.version);
      }
      case 'Device': {
        const doc = this.#store.device(key);
        return doc && showDevice(doc, this.#store.twin(key), mark.version);
      }
      // Those are the cloud's.
      case 'Rollout':
        return undefined;
    }
  }

  #node(version: number): Node {
    const { node, facts, clock } = this.#options;
    return {
      apiVersion: API_VERSION,
      kind: 'Node',
      metadata: { name: node, resourceVersion: String(version) },
      spec: {},
      status: {
        state: 'online',
        lastSeen: new Date(clock.now()).toISOString(),
        facts: facts(),
      },
    };
  }

  #changed(change: Change): void {
    switch (change.kind) {
      case 'property':
        return this.#touched(change.device, change.twin.desired?.rev);
      case 'device':
        return this.#touched(change.device);
      case 'resource':
        if (change.doc === null) return this.#versions.deleted(change.type, change.id);
        return this.#versions.configured(change.type, change.id, change.doc);
    }
  }

  /** Twins of devices that are not run are nobody's. */
  #touched(device: Key, rev?: number): void {
    if (this.#store.device(device) !== undefined) this.#versions.touched('Device', device, rev);
  }
}

function readOnly(): ApiError {
  return methodNotAllowed(
    'devices of this node come from its manifests folder or its cloud: change them there; here only spec.desired of a device can be patched',
  );
}
