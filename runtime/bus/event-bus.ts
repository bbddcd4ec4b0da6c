/**
 * The twins on the local bus: what changes in the store becomes a retained topic, and an order that arrives on
 * a command topic is placed. Of a value that changes faster than it can be published only the latest is.
 */
import type { Clock, Log } from '@limpet/dmi';
import { type Id, idOf, type PropertyTwin, type Reason } from '@limpet/dmi/manifest';
import { type OrderRequest, placeOrder } from '../twin/order.ts';
import type { Change, TwinStore } from '../twin/store.ts';
import type { Retained } from './persistence.ts';
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
  readonly heard: boolean;
  publish(topic: string, payload: string, options: { readonly retain: boolean }): void;
  retain(told: () => Iterable<Retained>): void;
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

/** Topics told in one turn of the event loop: what one turn makes is garbage before it is old. */
const TOPICS_PER_TURN = 8;

/** Orders by clients of the bus in one second: each is one write to the disk. */
const ORDERS_PER_SECOND = 50;

export type CloudState = 'none' | 'connecting' | 'connected' | 'offline';

/** A property, or the device's own state. */
type Part = string | typeof STATE;
const STATE = Symbol('state');

export class EventBus {
  readonly #options: EventBusOptions;
  /** What is told of each device: its properties, and its state. */
  readonly #told = new Map<Id, Set<Part>>();
  /** What of it is to be published in the next turns. */
  readonly #due = new Map<Id, Set<Part>>();
  #scheduled = false;
  #forget: () => void = () => undefined;
  #window = { start: Number.NEGATIVE_INFINITY, orders: 0 };

  constructor(options: EventBusOptions) {
    this.#options = options;
  }

  start(cloud: CloudState): void {
    const { twins, broker } = this.#options;
    this.#forget = twins.onChange((change) => this.#changed(change));
    broker.retain(() => this.#retained());
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
        this.#put(device, property);
        if (change.what === 'desired' && twin.desired) this.#result({ device, property }, twin);
        return;
      }
      case 'device':
        return this.#put(change.device, STATE);
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
    for (const part of this.#told.get(device) ?? []) this.#put(device, part);
    this.#put(device, STATE);
    for (const property of twin.properties.keys()) this.#put(device, property);
  }

  #put(device: Id, part: Part): void {
    within(this.#told, device).add(part);
    within(this.#due, device).add(part);
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    if (!this.#options.broker.heard) this.#forgetDue();
    let room = TOPICS_PER_TURN;
    for (const [device, parts] of this.#due) {
      for (const part of parts) {
        if (room-- === 0) return void setImmediate(() => this.#flush());
        parts.delete(part);
        this.#publish(device, part);
      }
      this.#due.delete(device);
    }
    this.#scheduled = false;
  }

  /** Nobody is told: whoever subscribes later hears what is so by then. */
  #forgetDue(): void {
    const { twins } = this.#options;
    for (const [device, parts] of this.#due) {
      const twin = twins.twin(device);
      for (const part of parts) {
        const there = part === STATE ? twin !== undefined : twin?.properties.has(part) === true;
        if (!there) this.#told.get(device)?.delete(part);
      }
    }
    this.#due.clear();
  }

  #publish(device: Id, part: Part): void {
    const payload = this.#payload(device, part);
    if (payload === '') this.#told.get(device)?.delete(part);
    this.#options.broker.publish(topicOf(device, part), payload, { retain: false });
  }

  /** Empty: there is nothing to say any more. */
  #payload(device: Id, part: Part): string {
    const { twins } = this.#options;
    const twin = twins.twin(device);
    if (part === STATE) return twin === undefined ? '' : statePayload(twin.condition);
    const held = twin?.properties.get(part);
    if (held === undefined) return '';
    const { properties = [] } = twins.modelOf(device)?.spec ?? {};
    return twinPayload(held, properties.find(({ name }) => name === part)?.unit);
  }

  /** All that a new subscriber may be told, said when it is told: the twins are there, copies would be as large. */
  *#retained(): Generator<Retained> {
    for (const [device, parts] of this.#told) {
      for (const part of parts) {
        yield { topic: topicOf(device, part), payload: () => this.#payload(device, part) };
      }
    }
  }

  /** The device is gone: nothing of it stays retained. */
  #clear(device: Id): void {
    const parts = this.#told.get(device) ?? [];
    this.#told.delete(device);
    this.#due.delete(device);
    for (const part of parts) {
      this.#options.broker.publish(topicOf(device, part), '', { retain: false });
    }
  }

  #result({ device, property }: Target, { desired }: PropertyTwin<number>): void {
    if (desired === undefined) return;
    const { broker, clock } = this.#options;
    // Whoever waits for a result may look at the twin next: that says it already.
    const due = broker.heard && this.#due.get(device)?.delete(property) === true;
    if (due) this.#publish(device, property);
    const payload = resultPayload(desired, clock.now());
    broker.publish(resultTopic(device, property), payload, { retain: false });
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

function topicOf(device: Id, part: Part): string {
  return part === STATE ? stateTopic(device) : twinTopic(device, part);
}

function within(parts: Map<Id, Set<Part>>, device: Id): Set<Part> {
  const held = parts.get(device) ?? new Set();
  parts.set(device, held);
  return held;
}
