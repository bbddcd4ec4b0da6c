/**
 * The twins on the local bus: what changes in the store becomes a retained topic, and an order that arrives on
 * a command topic is placed. Of a value that changes faster than the event loop turns only the latest is
 * published.
 */
import type { Clock, Log } from '@limpet/dmi';
import { type Id, idOf, type PropertyTwin, type Reason } from '@limpet/dmi/manifest';
import { type OrderRequest, placeOrder } from '../twin/order.ts';
import type { Change, TwinStore } from '../twin/store.ts';
import {
  COMMANDS,
  commandTarget,
  NODE_TOPIC,
  readCommand,
  refusalPayload,
  resultPayload,
  resultTopic,
  statePayload,
  stateTopic,
  type Target,
  twinPayload,
  twinTopic,
} from './topics.ts';

/** The part of the broker that the bus needs. */
interface Publisher {
  publish(topic: string, payload: string, options: { readonly retain: boolean }): void;
  onCommand(listener: (topic: string, payload: string) => void): void;
}

export interface EventBusOptions {
  readonly node: string;
  readonly version: string;
  readonly twins: TwinStore;
  readonly broker: Publisher;
  readonly clock: Clock;
  readonly log: Log;
}

/** Orders by clients of the bus in one second: each is one write to the disk. */
const ORDERS_PER_SECOND = 50;

export type CloudState = 'none' | 'connecting' | 'connected' | 'offline';

export class EventBus {
  readonly #options: EventBusOptions;
  /** What is retained of each device: its topics, and how to say them now. Empty: there is nothing to say. */
  readonly #topics = new Map<Id, Map<string, () => string>>();
  /** Topics to publish in the next turn, with their device. */
  readonly #due = new Map<string, Id>();
  #scheduled = false;
  #forget: () => void = () => undefined;
  #window = { start: Number.NEGATIVE_INFINITY, orders: 0 };

  constructor(options: EventBusOptions) {
    this.#options = options;
  }

  start(cloud: CloudState): void {
    const { twins, broker } = this.#options;
    this.#forget = twins.onChange((change) => this.#changed(change));
    broker.onCommand((topic, payload) => this.#command(topic, payload));
    for (const device of twins.devices()) this.#publishDevice(device);
    this.cloud(cloud);
  }

  stop(): void {
    this.#forget();
    this.#due.clear();
  }

  /** The link to the cloud came or went. */
  cloud(state: CloudState): void {
    const { node, version, broker } = this.#options;
    const cloud = state === 'connecting' ? 'offline' : state;
    broker.publish(NODE_TOPIC, JSON.stringify({ node, version, cloud }), { retain: true });
  }

  #changed(change: Change): void {
    switch (change.kind) {
      case 'property': {
        const { device, property, twin } = change;
        if (change.what === 'desired' && twin.desired) this.#result({ device, property }, twin);
        return this.#publishTwin({ device, property });
      }
      case 'device':
        return this.#publishState(change.device);
      case 'resource':
        if (change.type === 'Device' && change.doc === null) return this.#clear(change.id);
        // A model may change a unit, a device its model: their twins are published anew.
        for (const device of this.#concerned(change)) this.#publishDevice(device);
    }
  }

  #concerned(change: Change & { kind: 'resource' }): readonly Id[] {
    if (change.type === 'Device') return [change.id];
    const { twins } = this.#options;
    return twins.devices().filter((device) => {
      const model = twins.modelOf(device);
      return model !== undefined && idOf(model) === change.id;
    });
  }

  #publishDevice(device: Id): void {
    const twin = this.#options.twins.twin(device);
    if (twin === undefined) return;
    // Also what was published before: a property may have left the model.
    for (const [topic, payload] of this.#topics.get(device) ?? [])
      this.#put(device, topic, payload);
    this.#publishState(device);
    for (const property of twin.properties.keys()) this.#publishTwin({ device, property });
  }

  #publishTwin({ device, property }: Target): void {
    const { twins } = this.#options;
    this.#put(device, twinTopic(device, property), () => {
      const twin = twins.twin(device)?.properties.get(property);
      const { properties = [] } = twins.modelOf(device)?.spec ?? {};
      const unit = properties.find(({ name }) => name === property)?.unit;
      return twin === undefined ? '' : twinPayload(twin, unit);
    });
  }

  #publishState(device: Id): void {
    this.#put(device, stateTopic(device), () => {
      const twin = this.#options.twins.twin(device);
      return twin === undefined ? '' : statePayload(twin.condition);
    });
  }

  #put(device: Id, topic: string, payload: () => string): void {
    const topics = this.#topics.get(device) ?? new Map<string, () => string>();
    this.#topics.set(device, topics.set(topic, payload));
    this.#due.set(topic, device);
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    this.#scheduled = false;
    const due = [...this.#due];
    this.#due.clear();
    for (const [topic, device] of due) {
      const payload = this.#topics.get(device)?.get(topic)?.() ?? '';
      if (payload === '') this.#topics.get(device)?.delete(topic);
      this.#options.broker.publish(topic, payload, { retain: true });
    }
  }

  /** The device is gone: nothing of it stays retained. */
  #clear(device: Id): void {
    for (const topic of this.#topics.get(device)?.keys() ?? []) {
      this.#due.delete(topic);
      this.#options.broker.publish(topic, '', { retain: true });
    }
    this.#topics.delete(device);
  }

  #result({ device, property }: Target, { desired }: PropertyTwin<number>): void {
    if (desired === undefined) return;
    const payload = resultPayload(desired, this.#options.clock.now());
    this.#options.broker.publish(resultTopic(device, property), payload, { retain: false });
  }

  #command(topic: string, payload: string): void {
    const target = commandTarget(topic);
    if (target === undefined) return;
    const error = this.#place(target, payload);
    if (error === undefined) return;
    this.#options.log.debug('order refused', { ...target, code: error.code });
    const refusal = refusalPayload(error, this.#options.clock.now());
    this.#options.broker.publish(resultTopic(target.device, target.property), refusal, {
      retain: false,
    });
  }

  /** Takes an order, or says why not. Its stages are told as the twin changes. */
  #place(target: Target, payload: string): Reason | undefined {
    const command = readCommand(payload);
    if (typeof command === 'string') return { code: 'ORDER_UNREADABLE', message: command };
    if (!this.#admits()) {
      const message = `more than ${ORDERS_PER_SECOND} orders in one second on ${COMMANDS}: send fewer`;
      return { code: 'TOO_MANY_ORDERS', message };
    }
    try {
      return this.#order({ ...target, ...command });
    } catch (error) {
      this.#options.log.error('order failed', { ...target, error });
      return { code: 'INTERNAL', message: 'the order could not be taken; see the log of the edge' };
    }
  }

  #order(request: OrderRequest): Reason | undefined {
    const { twins } = this.#options;
    const { device, property } = request;
    const twin = (): PropertyTwin<number> | undefined =>
      twins.twin(device)?.properties.get(property);
    const before = twin()?.desired?.rev;
    const placed = placeOrder(twins, request);
    if (!placed.ok) return { code: placed.code, message: placed.message };
    // Nothing new: whoever asked still wants to hear how it stands.
    const now = twin();
    if (placed.rev === before && now !== undefined) this.#result({ device, property }, now);
    return undefined;
  }

  #admits(): boolean {
    const now = this.#options.clock.monotonic();
    if (now - this.#window.start >= 1000) this.#window = { start: now, orders: 0 };
    return ++this.#window.orders <= ORDERS_PER_SECOND;
  }
}
