import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import {
  type Connection,
  DmiError,
  type MapperContext,
  type Reading,
  Unreachable,
  type Value,
} from '@limpet/dmi';
import { type FakeClock, fakeClock, fakeContext } from '@limpet/dmi/testing';
import type { Duplex } from 'node:stream';
import mapper from './mapper.ts';
import type { Settings } from './settings.ts';
import { SimulatedBroker } from './simulated-broker.ts';

/** A broker, and devices that dial it; time passes only while something is waited for. */
class Bench {
  readonly clock: FakeClock = fakeClock();
  readonly wires: Duplex[] = [];
  readonly broker: SimulatedBroker;
  readonly ordered: string[];
  readonly #held = new Map<Duplex, string>();

  private constructor(broker: SimulatedBroker, ordered: string[]) {
    this.broker = broker;
    this.ordered = ordered;
  }

  static async open(t: TestContext): Promise<Bench> {
    const ordered: string[] = [];
    const broker = await SimulatedBroker.open((topic) => void ordered.push(topic));
    t.after(() => broker.close());
    return new Bench(broker, ordered);
  }

  async connect(device: string, more: object = {}): Promise<Connection<unknown>> {
    const settings = await settingsWith(more);
    const { signal } = new AbortController();
    return this.passing(mapper.connect(settings, this.#context(device), signal)) as Promise<
      Connection<unknown>
    >;
  }

  async back(
    device: string,
    more: object,
    code = 'MQTT_DEVICE_OFFLINE',
    signal = new AbortController().signal,
  ): Promise<void> {
    const settings = await settingsWith(more);
    await mapper.back?.({ settings, code }, this.#context(device), signal);
  }

  async watch(connection: Connection<unknown>, visitor: object = {}): Promise<Told> {
    const parsed = await mapper.visitor['~standard'].validate(visitor);
    assert.ok(parsed.issues === undefined, parsed.issues?.[0]?.message);
    const told = new Told();
    const wishes = [{ visitor: parsed.value, everyMs: 1 }];
    const { signal } = new AbortController();
    await this.passing(connection.subscribe?.(wishes, told, signal) ?? Promise.reject(new Error()));
    return told;
  }

  /** Lets time pass until it is settled. */
  async passing<T>(promise: Promise<T>): Promise<T> {
    let over = false;
    void promise.then(
      () => (over = true),
      () => (over = true),
    );
    while (!over) await this.pass(10);
    return promise;
  }

  async pass(ms: number): Promise<void> {
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
    await this.clock.advance(ms);
  }

  async until(check: () => boolean, what: string): Promise<void> {
    for (let round = 0; !check(); round++) {
      assert.ok(round < 5000, what);
      await this.pass(10);
    }
  }

  /** What the runtime does when a device has gone: it cuts what that dialled and nobody keeps. */
  release(device: string): void {
    for (const [wire, whose] of this.#held) if (whose === device) wire.destroy();
  }

  #context(device: string): MapperContext {
    const wire = (far: Duplex): void => this.broker.accept(far);
    const context = fakeContext({ device: `default/${device}`, clock: this.clock, wire });
    const dial: MapperContext['dial'] = async (address, signal) => {
      const near = await context.dial(address, signal);
      this.wires.push(near);
      this.#held.set(near, device);
      return near;
    };
    const keep = (stream: Duplex): void => void this.#held.delete(stream);
    return { ...context, dial, keep };
  }
}

async function settingsWith(more: object): Promise<Settings> {
  const given = { broker: 'mqtt://broker', topic: 'plant/{name}', ...more };
  const parsed = await mapper.settings['~standard'].validate(given);
  assert.ok(parsed.issues === undefined, parsed.issues?.[0]?.message);
  return parsed.value;
}

class Told {
  readonly readings: Reading[] = [];
  readonly losses: Error[] = [];

  reading(_: number, reading: Reading): void {
    this.readings.push(reading);
  }

  lost(error: Error): void {
    this.losses.push(error);
  }

  get value(): Value | undefined {
    const last = this.readings.at(-1);
    return last?.ok === true ? last.value : undefined;
  }

  get code(): string | undefined {
    const last = this.readings.at(-1);
    return last?.ok === true ? last.doubt?.code : last?.error.code;
  }
}

function codeOf(error: Error | undefined): string | undefined {
  return error instanceof DmiError ? error.code : undefined;
}

test('devices with the same broker settings share one connection, others have their own', async (t) => {
  const bench = await Bench.open(t);
  const one = await bench.connect('one');
  const two = await bench.connect('two', { retained: 'use', qos: 2 });
  assert.equal(bench.wires.length, 1);
  const other = await bench.connect('three', { clientId: 'another' });
  assert.equal(bench.wires.length, 2);
  const told = [await bench.watch(one), await bench.watch(two)];
  await bench.broker.say('plant/one', '1', false);
  await bench.broker.say('plant/two', '2', false);
  await bench.until(() => told[1]?.value === 2, 'told');
  assert.deepEqual(
    told.map((each) => each.value),
    [1, 2],
  );
  for (const each of [one, two, other]) await bench.passing(each.close());
  assert.ok(bench.wires.every((wire) => wire.destroyed || wire.writableEnded));
  assert.equal(bench.clock.pending, 0);
});

test('when the device that opened it closes, the others go on with the same connection', async (t) => {
  const bench = await Bench.open(t);
  const [owner, other] = [await bench.connect('one'), await bench.connect('two')];
  await bench.watch(owner);
  const told = await bench.watch(other);
  await bench.passing(owner.close());
  bench.release('one');
  await bench.broker.say('plant/two', '5', false);
  await bench.until(() => told.value === 5, 'told');
  assert.deepEqual(told.losses, []);
  const late = await bench.connect('three');
  const latest = await bench.watch(late);
  await bench.broker.say('plant/three', '6', false);
  await bench.until(() => latest.value === 6, 'one that came later');
  assert.equal(bench.wires.length, 1);
  for (const each of [other, late]) await bench.passing(each.close());
  assert.ok(bench.wires.every((wire) => wire.destroyed || wire.writableEnded));
  assert.equal(bench.clock.pending, 0);
});

test('a wire that is cut loses all devices of it, each once', async (t) => {
  const bench = await Bench.open(t);
  const all = [await bench.connect('one'), await bench.connect('two')];
  const told = [
    await bench.watch(all[0] as Connection<unknown>),
    await bench.watch(all[1] as Connection<unknown>),
  ];
  bench.wires[0]?.destroy(new Error('cut'));
  await bench.until(() => told.every(({ losses }) => losses.length === 1), 'lost');
  assert.ok(told.every(({ losses: [error] }) => error instanceof Unreachable));
  for (const each of all) await bench.passing(each.close());
  assert.equal(bench.clock.pending, 0);
});

test('a broker that falls silent is lost within its keepalive', async (t) => {
  const bench = await Bench.open(t);
  const connection = await bench.connect('one', { keepalive: '20s' });
  const told = await bench.watch(connection);
  await bench.pass(60_000);
  assert.deepEqual(told.losses, [], 'it answers pings');
  bench.wires[0]?.removeAllListeners('data').resume();
  const before = bench.clock.monotonic();
  await bench.until(() => told.losses.length > 0, 'lost');
  assert.ok(bench.clock.monotonic() - before <= 20_100);
  assert.equal(codeOf(told.losses[0]), 'MQTT_SILENT');
});

test('what the broker had kept is in doubt, of no doubt, or not told; what comes live is as it is', async (t) => {
  const bench = await Bench.open(t);
  await bench.broker.say('plant/one', '4', true);
  const told = async (retained: string): Promise<Told> => {
    const connection = await bench.connect('one', { retained });
    t.after(() => bench.passing(connection.close()));
    return bench.watch(connection);
  };
  const [stale, used, ignored] = [await told('stale'), await told('use'), await told('ignore')];
  await bench.until(() => stale.value === 4 && used.value === 4, 'told');
  assert.deepEqual(
    [stale.code, used.code, ignored.readings.length],
    ['MQTT_RETAINED', undefined, 0],
  );
  await bench.broker.say('plant/one', '5', true);
  await bench.until(() => [stale, used, ignored].every(({ value }) => value === 5), 'live');
  assert.equal(stale.code, undefined);
});

test('a value that nobody repeats is in doubt after expireAfter, and good again when it comes', async (t) => {
  const bench = await Bench.open(t);
  const connection = await bench.connect('one', { expireAfter: '1m' });
  t.after(() => bench.passing(connection.close()));
  const told = await bench.watch(connection);
  await bench.broker.say('plant/one', '5', false);
  await bench.until(() => told.value === 5, 'told');
  await bench.pass(59_000);
  assert.equal(told.code, undefined);
  await bench.pass(2_000);
  assert.deepEqual([told.code, told.value], ['MQTT_EXPIRED', 5]);
  await bench.broker.say('plant/one', '5', false);
  await bench.until(() => told.code === undefined, 'good again');
});

test('a device is away while its last will says so', async (t) => {
  const bench = await Bench.open(t);
  const settings = { availability: { topic: '{topic}/will' } };
  await bench.broker.say('plant/one/will', '{"state":"offline"}', true);
  await assert.rejects(bench.connect('one', settings), { code: 'MQTT_DEVICE_OFFLINE' });
  const coming = bench.connect('one', settings);
  await bench.pass(1_000);
  await bench.broker.say('plant/one/will', 'online', true);
  const connection = await coming;
  await bench.broker.say('plant/one', '5', true);
  const told = await bench.watch(connection);
  await bench.until(() => told.value === 5, 'told');
  assert.equal(
    told.code,
    undefined,
    'a device that is there vouches for what it left with the broker',
  );
  await bench.broker.say('plant/one/will', 'offline', true);
  await bench.until(() => told.losses.length > 0, 'lost');
  assert.equal(codeOf(told.losses[0]), 'MQTT_DEVICE_OFFLINE');
  await bench.passing(connection.close());
  assert.equal(bench.clock.pending, 0);
});

test('a device that is away is heard when its last will says that it is back', async (t) => {
  const bench = await Bench.open(t);
  const settings = { availability: { topic: '{topic}/will' } };
  await bench.broker.say('plant/one/will', 'offline', true);
  await assert.rejects(bench.connect('one', settings), { code: 'MQTT_DEVICE_OFFLINE' });
  let heard = false;
  const waiting = bench.back('one', settings).then(() => (heard = true));
  await bench.pass(60_000);
  assert.equal(heard, false);
  await bench.broker.say('plant/one/will', 'online', true);
  await bench.passing(waiting);
  const connection = await bench.connect('one', settings);
  await bench.passing(connection.close());
  await assert.rejects(bench.back('one', settings, 'MQTT_LOST'), { code: 'MQTT_UNHEARD' });
  assert.equal(bench.clock.pending, 0);
});

test('a Sparkplug device that is away is heard when it tells its birth', async (t) => {
  const bench = await Bench.open(t);
  const settings = {
    dialect: 'sparkplug-b',
    topic: undefined,
    sparkplug: { group: 'g', node: 'n', device: 'd' },
  };
  let heard = false;
  const waiting = bench.back('one', settings).then(() => (heard = true));
  await bench.until(() => bench.wires.length > 0, 'it listens');
  await bench.pass(1_000);
  await bench.broker.say('spBv1.0/g/NBIRTH/n', 'of the node', false);
  await bench.pass(1_000);
  assert.equal(heard, false);
  await bench.broker.say('spBv1.0/g/DBIRTH/n/d', 'its own', false);
  await bench.passing(waiting);
  assert.equal(bench.clock.pending, 0);
});

test('who no longer waits for a device to come back leaves nothing open', async (t) => {
  const bench = await Bench.open(t);
  const end = new AbortController();
  const settings = { availability: { topic: '{topic}/will' } };
  const waiting = bench.back('one', settings, 'MQTT_DEVICE_OFFLINE', end.signal);
  await bench.pass(1_000);
  assert.equal(bench.wires.length, 1);
  end.abort(new Error('removed'));
  await assert.rejects(waiting, { message: 'removed' });
  await bench.until(() => bench.wires.every(({ destroyed }) => destroyed), 'closed');
  assert.equal(bench.clock.pending, 0);
});

test('Zigbee2MQTT is asked for what nobody has said yet', async (t) => {
  const bench = await Bench.open(t);
  const connection = await bench.connect('lamp', { topic: 'z/lamp', dialect: 'zigbee2mqtt' });
  t.after(() => bench.passing(connection.close()));
  const told = await bench.watch(connection, { expose: 'brightness' });
  await bench.until(() => bench.ordered.includes('z/lamp/get'), 'asked');
  await bench.until(() => told.code === 'MQTT_NO_VALUE', 'nothing comes');
});
