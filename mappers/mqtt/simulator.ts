/** `@limpet/mapper-mqtt/simulator`: a broker, and behind it a device as the visitors describe it. */
import { type Duplex, duplexPair } from 'node:stream';
import {
  defineSimulator,
  type Json,
  Misconfigured,
  type SimulatedDevice,
  type SimulatedProperty,
  type Simulator,
  type Value,
} from '@limpet/dmi';
import { Aedes } from 'aedes';
import { BINARY, isBinary } from './binary.ts';
import { type Steps } from './json-path.ts';
import { type Point, pointOf } from './points.ts';
import type { Settings } from './settings.ts';
import { fillFor } from './template.ts';
import { decodeJson, decodePayload, encode, parseJson, payloadOf } from './values.ts';
import type { Layout, Visitor } from './visitor.ts';

/** What `{namespace}` and `{name}` in topics are. */
const DEVICE = 'default/subject';

interface Simulated {
  readonly property: SimulatedProperty<Visitor>;
  readonly point: Point;
  value: Value;
}

/** Derived from the visitors: it tells its states retained, and takes commands. */
export const simulator: Simulator<Settings, Visitor> = defineSimulator({
  async simulate({ settings, properties }): Promise<SimulatedDevice> {
    const fill = fillFor(settings, DEVICE);
    const all = properties.map((property) => ({
      property,
      point: pointOf(property.visitor, settings, fill),
      value: property.value,
    }));
    const device = new PretendDevice(await Aedes.createBroker(), all);
    const { availability } = settings;
    if (availability !== undefined) await device.say(fill(availability.topic), availability.online);
    await device.tellAll();
    return device;
  },
});

class PretendDevice implements SimulatedDevice {
  readonly #broker: Aedes;
  readonly #all: readonly Simulated[];
  #saying: Promise<unknown> = Promise.resolve();

  constructor(broker: Aedes, all: readonly Simulated[]) {
    this.#broker = broker;
    this.#all = all;
    // By hand, as a device's own client: `publish` is told of all messages, those of this device too.
    broker.on('publish', ({ topic, payload }, client) => {
      if (client !== null) this.#ordered(topic, Buffer.from(payload));
    });
  }

  accept(wire: Duplex): void {
    const [near, far] = duplexPair();
    this.#broker.handle(far as Parameters<Aedes['handle']>[0]);
    near.pipe(wire);
    void this.#carry(wire, near);
  }

  /** What the device said goes out before the broker hears what came after it: aedes takes its time to publish. */
  async #carry(wire: Duplex, near: Duplex): Promise<void> {
    try {
      for await (const chunk of wire) {
        await this.#saying;
        near.write(chunk);
      }
      near.end();
    } catch {
      // The wire was cut: to the broker that is a client that is lost.
      near.destroy();
    }
  }

  get(property: string): Value {
    return this.#named(property).value;
  }

  set(property: string, value: Value): void {
    const simulated = this.#named(property);
    simulated.value = value;
    for (const { topic } of simulated.point.sources.slice(0, 1)) void this.#tell(topic);
  }

  async close(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#broker.close(resolve);
    await promise;
  }

  async tellAll(): Promise<void> {
    for (const topic of new Set(this.#all.map(({ point }) => point.sources[0]?.topic ?? ''))) {
      await this.#tell(topic);
    }
  }

  /** Publishes, for the broker to keep. */
  say(topic: string, payload: string | Buffer, retain = true): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const message = { cmd: 'publish', topic, payload, qos: 0, retain, dup: false } as const;
    this.#broker.publish(message, () => resolve());
    this.#saying = Promise.all([this.#saying, promise]);
    return promise;
  }

  async #tell(topic: string): Promise<void> {
    const on = this.#all.filter(({ point }) => point.sources[0]?.topic === topic);
    if (on.length > 0) await this.say(topic, stateOf(on));
  }

  #ordered(topic: string, payload: Buffer): void {
    for (const simulated of this.#all) {
      const { command, ask } = simulated.point;
      if (ask?.topic === topic && ask.payload === payload.toString())
        this.set(simulated.property.name, simulated.value);
      if (command?.topic !== topic) continue;
      const taken = takenFrom(payload, command.payload, simulated.point.layout);
      if (taken === undefined) continue;
      this.set(simulated.property.name, taken);
      const { response } = command;
      if (response !== undefined)
        void this.say(response.topic, answerOf(simulated, response.path), false);
    }
  }

  #named(name: string): Simulated {
    const found = this.#all.find(({ property }) => property.name === name);
    if (found !== undefined) return found;
    throw new Misconfigured('MQTT_SIMULATOR', `the simulated device has no property ${name}`);
  }
}

/** The payload that holds all of these. */
function stateOf(all: readonly Simulated[]): string | Buffer {
  let json: Json | undefined;
  let bytes: Buffer | undefined;
  for (const { point, value } of all) {
    const path = point.sources[0]?.path;
    const raw = encode(value, point.layout);
    if (Buffer.isBuffer(raw)) bytes = laid(bytes ?? Buffer.alloc(0), raw, point.layout);
    else if (path === undefined) return payloadOf(raw, undefined);
    else json = put(json, path, raw);
  }
  return bytes ?? JSON.stringify(json);
}

function answerOf({ point, value }: Simulated, path: Steps | undefined): string | Buffer {
  const raw = encode(value, point.layout);
  if (path === undefined || Buffer.isBuffer(raw)) return payloadOf(raw, undefined);
  return JSON.stringify(put(undefined, path, raw));
}

/** `json` with `raw` at its place. */
function put(json: Json | undefined, [step, ...rest]: Steps, raw: Json): Json {
  if (step === undefined) return raw;
  if (typeof step === 'number') {
    const list = Array.isArray(json) ? [...(json as readonly Json[])] : [];
    while (list.length < step) list.push(null);
    list[step] = put(list[step], rest, raw);
    return list;
  }
  const object = isObject(json) ? json : {};
  return { ...object, [step]: put(object[step], rest, raw) };
}

function isObject(json: Json | undefined): json is { readonly [key: string]: Json } {
  return typeof json === 'object' && json !== null && !Array.isArray(json);
}

function laid(bytes: Buffer, raw: Buffer, { byte, bit, type }: Layout): Buffer {
  const end = byte + (isBinary(type) ? BINARY[type] : raw.length);
  const longer = Buffer.concat([bytes, Buffer.alloc(Math.max(0, end - bytes.length))]);
  if (bit === undefined) raw.copy(longer, byte);
  else
    for (const [index, part] of raw.entries())
      longer[byte + index] = (longer[byte + index] ?? 0) | part;
  return longer;
}

/** The value that a command's payload brings; `undefined` when it is one of another property. */
function takenFrom(
  payload: Buffer,
  template: string | undefined,
  layout: Layout,
): Value | undefined {
  if (template === undefined) return decodePayload(payload, layout);
  const [before = '', after = ''] = template.split(/\{(?:value|json)\}/);
  const text = payload.toString();
  if (!text.startsWith(before) || !text.endsWith(after)) return undefined;
  const raw = text.slice(before.length, text.length - after.length);
  return decodeJson(template.includes('{json}') ? parseJson(Buffer.from(raw)) : raw, layout);
}
