/** For the tests of this folder: a plant of devices in memory, their mapper, and devices running over a real store. */
import {
  type Connection,
  Garbled,
  type Mapper,
  type Order,
  type Reading,
  Refused,
  type Sink,
  Unreachable,
  type Value,
  type Wish,
} from '@limpet/dmi';
import { type Device, type DeviceModel, type Property } from '@limpet/dmi/manifest';
import { type FakeClock, fakeClock, recordingLog } from '@limpet/dmi/testing';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { duplexPair } from 'node:stream';
import { type TestContext } from 'node:test';
import * as v from 'valibot';
import { TwinStore } from '../twin/store.ts';
import { Devices } from './registry.ts';
import { Thing, type Visitor } from './thing.fixture.ts';

class Plant {
  readonly clock: FakeClock;
  readonly things = new Map<string, Thing>();
  /** Everything that happened, in order: `boiler-1 read`, `boiler-1 write setpoint`. */
  readonly events: string[] = [];
  /** Whether connections dial a wire; most tests need none. */
  dials = false;
  /** How long connecting takes, and how many do it now and did at most. */
  connectMs = 0;
  connecting = 0;
  connectingMost = 0;

  /** Whether the mapper knows the keys it is asked about, or cannot be asked at all. */
  knows = true;
  down = false;
  /** How many visitors the mapper was asked about. */
  checks = 0;

  constructor(clock: FakeClock) {
    this.clock = clock;
  }

  thing(name: string): Thing {
    let thing = this.things.get(name);
    if (thing === undefined) {
      thing = new Thing();
      this.things.set(name, thing);
    }
    return thing;
  }

  readonly mapper: Mapper<{ name: string; port?: string | undefined }, { key: string }> = {
    protocol: 'plant',
    settings: v.strictObject({ name: v.string(), port: v.optional(v.string()) }),
    visitor: v.strictObject({ key: v.string() }),
    fits: () => {
      this.checks += 1;
      if (this.down) throw new Unreachable('PLANT_DOWN', 'the mapper is being restarted');
      return this.knows ? undefined : 'no such key';
    },
    serves: ({ key }) => (key === 'unserved' ? 'no such method' : undefined),
    port: ({ port }) => port,
    connect: async ({ name, port }, context, signal) => {
      const thing = this.thing(name);
      thing.connects += 1;
      if (thing.mood === 'dead') {
        await this.clock.sleep(thing.answerMs, signal);
        throw new Unreachable('PLANT_SILENT', `${name} does not answer`);
      }
      if (this.connectMs > 0) await this.#connecting(signal);
      const wire = this.dials ? await context.dial(`serial:/dev/${port}`, signal) : undefined;
      thing.open += 1;
      const late = new Map<string, { value: Value; reads: number }>();
      return {
        read: async (visitors, readSignal) => {
          this.events.push(`${name} read`);
          if (wire?.errored) throw new Unreachable('PLANT_WIRE', 'cut', { cause: wire.errored });
          thing.readTimes.push(this.clock.monotonic());
          await this.#answer(name, thing, readSignal);
          return visitors.map(({ key }) => {
            const coming = late.get(key);
            if (coming !== undefined && coming.reads-- <= 0) {
              thing.values.set(key, coming.value);
              late.delete(key);
            }
            const value = thing.values.get(key);
            return thing.refused.has(key) || value === undefined
              ? { ok: false, error: new Refused('PLANT_NO_SUCH', `${key} is not there`) }
              : { ok: true, value };
          });
        },
        write: async ({ key }, value, writeSignal) => {
          this.events.push(`${name} write ${key}`);
          thing.writes.push([key, value]);
          if (thing.mood === 'mute on writes' || thing.mute.has(key)) {
            throw new Unreachable('PLANT_SILENT', `${name} does not answer`);
          }
          await this.#answer(name, thing, writeSignal);
          if (thing.refused.has(key)) throw new Refused('PLANT_NO', `${key} cannot be set`);
          const kept = thing.rounds.get(key)?.(value) ?? value;
          if (thing.appliesLate > 0) late.set(key, { value: kept, reads: thing.appliesLate });
          else thing.values.set(key, kept);
          return kept;
        },
        ...this.#abilities(name, thing),
        close: async () => void (thing.open -= 1),
      };
    },
  };

  async #connecting(signal: AbortSignal): Promise<void> {
    this.connecting += 1;
    this.connectingMost = Math.max(this.connectingMost, this.connecting);
    await this.clock.sleep(this.connectMs, signal);
    this.connecting -= 1;
  }

  /** What its connection has beyond reading and writing. */
  #abilities(
    name: string,
    thing: Thing,
  ): Pick<Connection<Visitor>, 'subscribe' | 'call' | 'writeMany'> {
    return {
      ...(thing.takes !== undefined && {
        writeMany: async (orders, signal) => {
          if (orders.length < thing.refusesBelow) throw new Refused('PLANT_NO', 'not like this');
          return this.#writeMany(name, orders.slice(0, thing.takes), signal);
        },
      }),
      ...(thing.tells && {
        subscribe: (wishes, sink, life) => this.#subscribe(name, { wishes, sink, life }),
      }),
      ...(thing.methods && {
        call: ({ key }, input, end) => this.#call(name, { key, input }, end),
      }),
    };
  }

  async #writeMany(
    name: string,
    orders: readonly Order<Visitor>[],
    signal: AbortSignal,
  ): Promise<Reading[]> {
    const thing = this.thing(name);
    this.events.push(`${name} write ${orders.length}`);
    await this.#answer(name, thing, signal);
    return orders.map(({ visitor: { key }, value }) => thing.take(key, value));
  }

  async #call(
    name: string,
    { key, input }: { readonly key: string; readonly input: readonly Value[] },
    signal: AbortSignal,
  ): Promise<readonly Value[]> {
    const thing = this.thing(name);
    this.events.push(`${name} call ${key}`);
    thing.calls.push([key, input]);
    await this.#answer(name, thing, signal);
    return thing.methods?.[key]?.(input) ?? [];
  }

  async #subscribe(
    name: string,
    asked: { wishes: readonly Wish<{ key: string }>[]; sink: Sink; life: AbortSignal },
  ): Promise<readonly number[]> {
    const { wishes, sink, life } = asked;
    const thing = this.thing(name);
    const { tells } = thing;
    this.events.push(`${name} subscribe`);
    await this.#answer(name, thing, life);
    if (typeof tells !== 'object') throw new Refused('PLANT_NO', `${name} tells nothing`);
    const keys = wishes.map(({ visitor }) => visitor.key);
    const everyMs = wishes.map((wish) => wish.everyMs);
    thing.subscriptions.push({ wishes: keys, everyMs, sink, signal: life });
    for (const [index, key] of keys.entries()) {
      const value = thing.values.get(key);
      if (tells.has(key) && value !== undefined) sink.reading(index, { ok: true, value });
    }
    return keys.flatMap((key, index) => (tells.has(key) ? [] : [index]));
  }

  async #answer(name: string, thing: Thing, signal: AbortSignal): Promise<void> {
    // Deaf to its signal, as bad mappers are.
    if (thing.mood === 'hung') await new Promise(() => undefined);
    if (thing.lostReplies > 0) {
      thing.lostReplies -= 1;
      await this.clock.sleep(1_000, signal);
      throw new Unreachable('PLANT_SILENT', `${name} does not answer`);
    }
    await this.clock.sleep(thing.answerMs, signal);
    if (thing.mood === 'dead') throw new Unreachable('PLANT_SILENT', `${name} does not answer`);
    if (thing.mood === 'garbled') throw new Garbled('PLANT_NOISE', `${name} answers nonsense`);
    if (thing.mood === 'buggy') throw new TypeError('cannot read properties of undefined');
  }
}

type Change = Partial<Property> & { readonly name: string };

export function model(
  name: string,
  properties: readonly Change[],
  protocol = 'plant',
): DeviceModel {
  return {
    apiVersion: 'limpet.dev/v1',
    kind: 'DeviceModel',
    metadata: { name, namespace: 'default' },
    spec: {
      protocol,
      properties: properties.map((each) => ({
        type: 'float',
        visitor: { key: each.name },
        ...each,
      })),
    },
  };
}

export function device(
  name: string,
  settings: Device['spec']['settings'] = { name },
  more: Partial<Device['spec']> = {},
): Device {
  return {
    apiVersion: 'limpet.dev/v1',
    kind: 'Device',
    metadata: { name, namespace: 'default' },
    spec: { model: 'boiler', node: 'gateway-1', settings, ...more },
  };
}

export const BOILER = model('boiler', [
  { name: 'temperature' },
  { name: 'setpoint', access: 'readWrite', minimum: 20, maximum: 90 },
]);

export interface Rig {
  readonly clock: FakeClock;
  readonly plant: Plant;
  readonly log: ReturnType<typeof recordingLog>;
  readonly store: TwinStore;
  readonly devices: Devices;
  readonly apply: (...docs: (Device | DeviceModel)[]) => void;
  readonly reported: (target: string) => {
    value: unknown;
    quality: string;
    code: string | undefined;
  };
  readonly verdict: (target: string) => string | undefined;
  readonly state: (name: string) => string | undefined;
  /** Ends this run; the next one finds the same store. */
  readonly restart: () => Promise<Rig>;
}

interface RigOptions {
  readonly path?: string;
  readonly plant?: Plant;
  readonly dials?: boolean;
  readonly random?: () => number;
  readonly maxProperties?: number;
  /** In the place of the plant's. */
  readonly host?: ConstructorParameters<typeof Devices>[0]['host'];
}

/** Devices of `gateway-1` over a store on disk. Jitter is always half of its span. */
export function rig(t: TestContext, options: RigOptions = {}): Rig {
  const clock = options.plant?.clock ?? fakeClock();
  const plant = options.plant ?? new Plant(clock);
  plant.dials = options.dials ?? plant.dials;
  let path = options.path;
  if (path === undefined) {
    const folder = mkdtempSync(join(tmpdir(), 'limpet-device-'));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    path = join(folder, 'twin.db');
  }
  const log = recordingLog();
  const { maxProperties: nodeProperties = 20_000 } = options;
  const store = TwinStore.open({ path, clock, log, limits: { nodeProperties } });
  const mapper = plant.mapper as unknown as Mapper<unknown, unknown>;
  const devices = new Devices({
    store,
    host: options.host ?? { mapper: () => Promise.resolve(mapper) },
    clock,
    log,
    node: 'gateway-1',
    random: options.random ?? (() => 0.5),
    open: () => Promise.resolve(duplexPair()[0]),
  });
  let ended = false;
  const end = async (): Promise<void> => {
    if (ended) return;
    ended = true;
    const stopped = devices.stop();
    await clock.advance(5_000);
    await stopped;
    store.close();
  };
  t.after(end);
  devices.start();
  const restart = async (): Promise<Rig> => {
    await end();
    return rig(t, { path, plant });
  };
  return { clock, plant, log, store, devices, restart, ...views(store) };
}

function views(store: TwinStore): Pick<Rig, 'apply' | 'reported' | 'verdict' | 'state'> {
  const present = new Map<string, Device | DeviceModel>();
  const twin = (target: string) => {
    const [name, property = ''] = target.split('.');
    return store.twin(`default/${name}`)?.properties.get(property);
  };
  return {
    apply(...docs) {
      for (const doc of docs) present.set(`${doc.kind}/${doc.metadata.name}`, doc);
      store.applyManifest([...present.values()], 'test');
    },
    reported(target) {
      const { value, quality = 'none', reason } = twin(target)?.reported ?? {};
      return { value, quality, code: reason?.code };
    },
    verdict: (target) => twin(target)?.desired?.verdict,
    state: (name) => store.twin(`default/${name}`)?.condition.state,
  };
}
