/** The devices of this node: follows the store's resources, and keeps one life running for each. */
import { type Clock, type Log, type Mapper, Misconfigured } from '@limpet/dmi';
import {
  type CallDoor,
  type CaptureDoor,
  type Device,
  type DeviceState,
  type Finding,
  type Id,
} from '@limpet/dmi/manifest';
import { type Oldest } from './last-readings.ts';
import { KeyedQueue } from '../kernel/keyed-queue.ts';
import { DeviceLife } from './device.ts';
import { explainValue } from './explain.ts';
import { explainOrder } from './explain-order.ts';
import { type Open } from './open.ts';
import { Plans } from './plan.ts';
import { type PortFigures, Ports } from './ports.ts';
import { Slots } from './slots.ts';
import { type TappedMapper } from './taps.ts';
import { type DeviceStore, type StoreChange } from './store-door.ts';
import { type Wanted } from './wanted.ts';

export interface DevicesOptions {
  readonly store: DeviceStore;
  readonly host: { mapper(protocol: string): Promise<Mapper<unknown, unknown>> };
  readonly clock: Clock;
  readonly log: Log;
  /** The name of this node: only its devices run here. */
  readonly node: string;
  /** Uniform in [0, 1). */
  readonly random?: () => number;
  /** Opens the streams under the ports; default: TCP and serial lines. */
  readonly open?: Open;
}

export interface DevicesStatus {
  readonly states: Readonly<Record<DeviceState, number>>;
  /** Readings that devices gave, good and bad, changed or not, since the start. */
  readonly readings: number;
  /** Polling cycles that were due and not kept, since the start. */
  readonly missedCycles: number;
  /** Readings that were no value: refused by the device, or not to be converted. */
  readonly failed: number;
  /** Readings told by devices that later ones replaced before they were reported, since the start. */
  readonly superseded: number;
  readonly ports: readonly PortFigures[];
}

/** What {@link Devices.explain} finds. Times in ms since 1970. */
export interface DeviceExplained {
  readonly finding: Finding<number>;
  readonly order?: Finding<number>;
  /** When the device was last asked for it, or told it. */
  readonly readMs?: number;
}

/** So many devices connect at once: thousands start together, and each takes a socket and its mapper's time. */
export const MAX_CONNECTS = 200;

/** The one door of this folder. */
export class Devices {
  readonly #options: DevicesOptions;
  readonly #ports: Ports;
  readonly #plans: Plans;
  readonly #connects = new Slots(MAX_CONNECTS);
  readonly #lives = new Map<Id, DeviceLife>();
  readonly #end = new AbortController();
  readonly #queue: KeyedQueue<void>;
  #unwatch: (() => void) | undefined;

  constructor(options: DevicesOptions) {
    this.#options = options;
    const { clock, open, log, host } = options;
    this.#plans = new Plans((protocol) => host.mapper(protocol));
    this.#ports = new Ports({ clock, ...(open && { open }) });
    this.#queue = new KeyedQueue<void>({
      run: (id) => this.#follow(id),
      failed: (device, error) => log.error('a device could not be followed', { device, error }),
      signal: this.#end.signal,
    });
  }

  start(): void {
    const { store } = this.#options;
    this.#unwatch = store.onChange((change) => this.#notice(change));
    for (const id of store.devices()) this.#queue.put(id);
  }

  /** Closes every connection; resolves when nothing of any mapper runs any more. */
  async stop(): Promise<void> {
    this.#unwatch?.();
    this.#end.abort(new Error('stopped'));
    // Together: what the queue does may wait for a mapper, and ends with its device.
    await Promise.all([
      this.#queue.idle(),
      ...[...this.#lives.values()].map((life) => life.stop()),
    ]);
    this.#lives.clear();
  }

  get status(): DevicesStatus {
    const states = { connecting: 0, online: 0, offline: 0, misconfigured: 0 };
    let [readings, missedCycles, failed, superseded] = [0, 0, 0, 0];
    for (const [id, life] of this.#lives) {
      states[this.#options.store.twin(id)?.condition.state ?? 'connecting'] += 1;
      readings += life.readings;
      missedCycles += life.missed;
      failed += life.failed;
      superseded += life.superseded;
    }
    return { states, readings, missedCycles, failed, superseded, ports: this.#ports.figures() };
  }

  /** Of everything that is polled, what was read longest ago in terms of its period; looks at all of it. */
  oldest(): (Oldest & { readonly device: Id }) | undefined {
    let found: (Oldest & { readonly device: Id }) | undefined;
    for (const [device, life] of this.#lives) {
      const own = life.oldest();
      if (own === undefined) continue;
      if (found === undefined || own.ageMs / own.everyMs > found.ageMs / found.everyMs) {
        found = { device, ...own };
      }
    }
    return found;
  }

  /** Runs a method of a device of this node. */
  readonly call: CallDoor = async (id, asked, signal) => {
    const life = this.#lives.get(id);
    if (life !== undefined) return life.call(asked, signal);
    const message = `node "${this.#options.node}" runs no device "${id}"`;
    return { ok: false, at: 'edge', code: 'DEVICE_UNKNOWN', message, ran: 'no' };
  };

  /**
   * Why the value of a property is as it is, and where an order of it waits; from what is in memory.
   * `undefined` for a device that this node does not run.
   */
  explain(id: Id, name: string): DeviceExplained | undefined {
    const life = this.#lives.get(id);
    if (life === undefined) return undefined;
    const { store, clock } = this.#options;
    const twin = store.twin(id);
    const device = store.device(id);
    const model = device && store.model(modelId(device));
    const look = life.look(name);
    const facts = {
      nowMs: clock.now(),
      device: id,
      property: model?.spec.properties.find((property) => property.name === name),
      condition: twin?.condition,
      ...twin?.properties.get(name),
      life: look,
    };
    const order = explainOrder(facts);
    const { readMs } = look;
    return {
      finding: explainValue(facts),
      ...(order && { order }),
      ...(readMs !== undefined && { readMs }),
    };
  }

  /** What went over the wires of a device of this node, which are in its mapper's process where it has one. */
  readonly capture: CaptureDoor = async (id, capture, signal) => {
    const protocol = this.#lives.get(id)?.protocol;
    if (protocol === undefined) {
      const message = `node "${this.#options.node}" runs no device "${id}"`;
      throw new Misconfigured('DEVICE_UNKNOWN', message);
    }
    const mapper: TappedMapper = await this.#options.host.mapper(protocol);
    return mapper.tap?.(id, capture, signal) ?? this.#ports.tap(id, capture);
  };

  /** The mapper of this protocol is another one now: its devices plan and connect again, no others. */
  remapped(protocol: string): void {
    this.#plans.forget();
    for (const life of this.#lives.values()) {
      if (life.protocol === protocol) life.again('the mapper was replaced');
    }
  }

  #notice(change: StoreChange): void {
    switch (change.kind) {
      case 'property':
        if (change.what === 'desired') this.#lives.get(change.device)?.order(change.property);
        break;
      case 'resource':
        for (const id of change.type === 'Device' ? [change.id] : this.#devicesOf(change.id)) {
          this.#queue.put(id);
        }
        break;
      case 'device':
        break;
    }
  }

  #devicesOf(model: Id): Id[] {
    const { store } = this.#options;
    return store.devices().filter((id) => {
      const device = store.device(id);
      return device !== undefined && modelId(device) === model;
    });
  }

  async #follow(id: Id): Promise<void> {
    const wanted = this.#wanted(id);
    const life = this.#lives.get(id);
    if (wanted === undefined) {
      await life?.stop();
      this.#lives.delete(id);
    } else if (life === undefined) {
      const started = this.#create(id, wanted);
      this.#lives.set(id, started);
      started.start();
      return;
    } else {
      await life.update(wanted);
    }
    if (life !== undefined) this.#retryHeldUp();
  }

  /** What one device asks of a line can be what kept another from it: those look again. */
  #retryHeldUp(): void {
    for (const [id, life] of this.#lives) {
      const condition = this.#options.store.twin(id)?.condition;
      if (condition?.state === 'misconfigured' && condition.reason?.code === 'PORT_SETTINGS')
        life.retry();
    }
  }

  #wanted(id: Id): Wanted | undefined {
    const { store, node } = this.#options;
    const device = store.device(id);
    if (device?.spec.node !== node) return undefined;
    return { device, model: store.model(modelId(device)) };
  }

  #create(id: Id, wanted: Wanted): DeviceLife {
    const { store, clock, log, random = Math.random } = this.#options;
    const [ports, plans, connects] = [this.#ports, this.#plans, this.#connects];
    return new DeviceLife(id, wanted, { store, ports, plans, connects, clock, log, random });
  }
}

/** The device names its model within its own namespace. */
function modelId({ metadata, spec }: Device): Id {
  return `${metadata.namespace ?? 'default'}/${spec.model}`;
}
