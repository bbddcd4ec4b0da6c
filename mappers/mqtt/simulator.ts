/** `@limpet/mapper-mqtt/simulator`: a broker, and behind it a device as the visitors describe it. */
import type { Duplex } from 'node:stream';
import {
  defineSimulator,
  type Json,
  type SimulatedDevice,
  type SimulatedProperty,
  type Simulator,
  type Value,
} from '@limpet/dmi';
import { BINARY, isBinary } from './binary.ts';
import { type Steps } from './json-path.ts';
import { type Point, pointOf } from './points.ts';
import type { Settings } from './settings.ts';
import { SimulatedBroker } from './simulated-broker.ts';
import { SimulatedNode } from './sparkplug/simulated-node.ts';
import { fillFor } from './template.ts';
import { decodeJson, decodePayload, encode, parseJson, payloadOf } from './values.ts';
import type { Layout, Visitor } from './visitor.ts';

/** What `{namespace}` and `{name}` in topics are where nobody says it: as in the conformance run. */
const DEVICE = 'default/subject';

interface Simulated {
  readonly property: SimulatedProperty<Visitor>;
  readonly point: Point;
  value: Value;
}

/** Derived from the visitors: it tells its states retained, and takes commands; or is a Sparkplug device. */
export const simulator: Simulator<Settings, Visitor> = defineSimulator({
  async simulate({ device: named = DEVICE, settings, properties }): Promise<SimulatedDevice> {
    if (settings.sparkplug !== undefined) return SimulatedNode.open(settings.sparkplug, properties);
    const fill = fillFor(settings, named);
    const all = properties.map((property) => ({
      property,
      point: pointOf(property.visitor, settings, fill),
      value: property.value,
    }));
    const device = new TopicDevice(all);
    try {
      const broker = await device.open();
      const { availability } = settings;
      if (availability !== undefined) {
        await broker.say(fill(availability.topic), availability.online, true);
      }
      await device.tellAll();
      return device;
    } catch (error) {
      // Its timers would keep the process of whoever tried.
      await device.close();
      throw error;
    }
  },
});

class TopicDevice implements SimulatedDevice {
  readonly #all: readonly Simulated[];
  #broker: SimulatedBroker | undefined;

  constructor(all: readonly Simulated[]) {
    this.#all = all;
  }

  async open(): Promise<SimulatedBroker> {
    this.#broker = await SimulatedBroker.open((topic, payload) => this.#ordered(topic, payload));
    return this.#broker;
  }

  accept(wire: Duplex): void {
    this.#broker?.accept(wire);
  }

  get(property: string): Value {
    return this.#named(property).value;
  }

  set(property: string, value: Value): void {
    const simulated = this.#named(property);
    simulated.value = value;
    void this.#tell(simulated.point.sources[0]?.topic ?? '');
  }

  async close(): Promise<void> {
    await this.#broker?.close();
  }

  async tellAll(): Promise<void> {
    for (const topic of new Set(this.#all.map(({ point }) => point.sources[0]?.topic ?? ''))) {
      await this.#tell(topic);
    }
  }

  async #tell(topic: string): Promise<void> {
    const on = this.#all.filter(({ point }) => point.sources[0]?.topic === topic);
    await this.#broker?.say(topic, stateOf(on), true);
  }

  #ordered(topic: string, payload: Buffer): void {
    for (const simulated of this.#all) {
      const { command, ask, layout } = simulated.point;
      const { name } = simulated.property;
      if (ask?.topic === topic && ask.payload === payload.toString())
        this.set(name, this.get(name));
      if (command?.topic !== topic) continue;
      const taken = takenFrom(payload, command.payload, layout);
      if (taken === undefined) continue;
      this.set(name, taken);
      const { response } = command;
      if (response === undefined) continue;
      void this.#broker?.say(response.topic, answerOf(simulated, response.path), false);
    }
  }

  #named(name: string): Simulated {
    const found = this.#all.find(({ property }) => property.name === name);
    if (found !== undefined) return found;
    throw new RangeError(`the simulated device has no property ${name}`);
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
