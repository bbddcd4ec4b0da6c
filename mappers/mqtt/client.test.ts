import assert from 'node:assert/strict';
import { type Duplex, duplexPair } from 'node:stream';
import { test } from 'node:test';
import { DmiError } from '@limpet/dmi';
import { type FakeClock, fakeClock } from '@limpet/dmi/testing';
import { Client } from './client.ts';
import type { Level, Publish } from './messages.ts';

const OPTIONS = {
  clientId: 'limpet-1',
  username: 'me',
  password: 'geheim',
  keepaliveSeconds: 30,
  clean: true,
  expirySeconds: 0,
  maximumPacket: 1_000,
  timeoutMs: 5_000,
};
const forever = new AbortController().signal;
const CONNACK = { 4: [0x20, 2, 0, 0], 5: [0x20, 3, 0, 0, 0] } as const;

/** A broker played by hand: bytes as the specification has them. */
class Bench {
  readonly clock: FakeClock = fakeClock();
  readonly far: Duplex;
  readonly told: Publish[] = [];
  readonly losses: DmiError[] = [];
  readonly opening: Promise<Client>;
  heard = Buffer.alloc(0);

  constructor(level: Level, signal = forever, options: Partial<typeof OPTIONS> = {}) {
    const [near, far] = duplexPair();
    this.far = far;
    far.on('data', (chunk: Buffer) => (this.heard = Buffer.concat([this.heard, chunk])));
    far.on('error', () => undefined);
    const around = {
      clock: this.clock,
      address: 'broker:1883',
      told: (message: Publish) =>
        void this.told.push({ ...message, payload: Buffer.from(message.payload) }),
      lost: (error: DmiError) => void this.losses.push(error),
    };
    this.opening = Client.open(near, { ...OPTIONS, ...options, level }, around, signal);
    this.opening.catch(() => undefined);
  }

  static async open(level: Level, options: Partial<typeof OPTIONS> = {}): Promise<[Bench, Client]> {
    const bench = new Bench(level, forever, options);
    await bench.until(() => bench.heard.length > 0);
    await bench.say(...CONNACK[level]);
    const client = await bench.opening;
    bench.heard = Buffer.alloc(0);
    return [bench, client];
  }

  async say(...bytes: readonly number[]): Promise<void> {
    this.far.write(Buffer.from(bytes));
    await turns();
  }

  async until(check: () => boolean): Promise<void> {
    for (let round = 0; !check(); round++) {
      assert.ok(round < 1_000, 'in time');
      await turns();
    }
  }

  /** What was sent since the last time. */
  get bytes(): string {
    const text = this.heard.toString('hex');
    this.heard = Buffer.alloc(0);
    return text;
  }
}

async function turns(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
}

const codeOf = (error: unknown): string => (error instanceof DmiError ? error.code : '');
const hex = (text: string): readonly number[] => [...Buffer.from(text.replaceAll(' ', ''), 'hex')];

test('it says who it is, as MQTT 3.1.1 wants it', async () => {
  const bench = new Bench(4);
  await bench.until(() => bench.heard.length > 0);
  const flags = [0xc2, 0, 30];
  const body = [
    '\0\x04MQTT\x04',
    String.fromCodePoint(...flags),
    '\0\x08limpet-1\0\x02me\0\x06geheim',
  ];
  assert.equal(bench.heard.toString('latin1').slice(2), body.join(''));
  bench.far.destroy();
  await assert.rejects(bench.opening, { code: 'MQTT_LOST' });
  assert.equal(bench.clock.pending, 0);
});

for (const [level, bytes, code] of [
  [4, '20 02 00 01', 'MQTT_VERSION'],
  [4, '20 02 00 02', 'MQTT_CLIENT_ID'],
  [4, '20 02 00 03', 'MQTT_REFUSED'],
  [4, '20 02 00 04', 'MQTT_NOT_AUTHORIZED'],
  [4, '20 02 00 05', 'MQTT_NOT_AUTHORIZED'],
  [5, '20 03 00 84 00', 'MQTT_VERSION'],
  [5, '20 03 00 85 00', 'MQTT_CLIENT_ID'],
  [5, '20 03 00 86 00', 'MQTT_NOT_AUTHORIZED'],
  [5, '20 08 00 87 05 1f 00 02 6e 6f', 'MQTT_NOT_AUTHORIZED'],
  [5, '20 03 00 89 00', 'MQTT_REFUSED'],
  [4, '48 54 54 50 2f 31 2e 31', 'MQTT_PACKET'],
] as const) {
  test(`level ${level}: ${bytes} as its first word is ${code}, without the password`, async () => {
    const bench = new Bench(level);
    await bench.until(() => bench.heard.length > 0);
    await bench.say(...hex(bytes));
    const error = await bench.opening.then(
      () => assert.fail('it is open'),
      (found: DmiError) => found,
    );
    assert.equal(error.code, code);
    assert.doesNotMatch(JSON.stringify([error.message, String(error.cause)]), /geheim/);
    await turns();
    assert.ok(bench.far.readableEnded || bench.far.destroyed);
    assert.equal(bench.clock.pending, 0);
  });
}

test('a broker that takes the connection and says nothing is given up by the clock', async () => {
  const bench = new Bench(4);
  await bench.until(() => bench.heard.length > 0);
  await bench.clock.advance(5_000);
  await assert.rejects(bench.opening, { code: 'MQTT_SILENT' });
  await turns();
  assert.equal(bench.clock.pending, 0);
});

test('an abort ends it at once, and leaves nothing', async () => {
  const abort = new AbortController();
  const bench = new Bench(4, abort.signal);
  await bench.until(() => bench.heard.length > 0);
  abort.abort(new Error('enough'));
  await assert.rejects(bench.opening, { message: 'enough' });
  await turns();
  assert.ok(bench.far.readableEnded || bench.far.destroyed);
  assert.equal(bench.clock.pending, 0);
});

test('a message is acknowledged once it was told, whether it was too large or not', async () => {
  const [bench] = await Bench.open(4);
  await bench.say(...hex('32 06 0001 61 0007 01'));
  assert.deepEqual([bench.told.at(-1)?.payload, bench.bytes], [Buffer.of(1), '40020007']);
  await bench.say(...hex('32 a5 8c 01 0001 61 0008'), ...Buffer.alloc(17_952));
  assert.deepEqual([bench.told.at(-1)?.skipped, bench.bytes], [17_952, '40020008']);
});

test('a message of QoS 2 is told as it comes, and once', async () => {
  const [bench] = await Bench.open(4);
  await bench.say(...hex('34 06 0001 61 0009 01'));
  assert.deepEqual([bench.told.length, bench.bytes], [1, '50020009']);
  await bench.say(...hex('3c 06 0001 61 0009 01'));
  assert.deepEqual([bench.told.length, bench.bytes], [1, '50020009']);
  await bench.say(...hex('62 02 0009'));
  assert.deepEqual([bench.told.length, bench.bytes], [1, '70020009']);
  await bench.say(...hex('34 06 0001 61 0009 02'));
  assert.equal(bench.told.length, 2);
});

test('a broker that releases no message of QoS 2 floods', async () => {
  const [bench] = await Bench.open(4);
  for (let id = 1; id <= 1_001; id++) {
    bench.far.write(Buffer.from([0x34, 5, 0, 1, 0x61, id >> 8, id & 255]));
  }
  await bench.until(() => bench.losses.length > 0);
  assert.equal(bench.losses[0]?.code, 'MQTT_FLOOD');
});

test('why a broker of MQTT 5 ends the connection is known, though it closes at once', async () => {
  const [bench] = await Bench.open(5);
  bench.far.write(Buffer.from(hex('30 05 0001 61 00 31')));
  bench.far.end(Buffer.from(hex('e0 01 8e')));
  await bench.until(() => bench.losses.length > 0);
  assert.deepEqual([bench.told.length, bench.losses[0]?.code], [1, 'MQTT_TAKEN_OVER']);
});

for (const [qos, answers] of [
  [1, ['40 03 0001 10']],
  [2, ['50 03 0001 10', '70 02 0001']],
] as const) {
  test(`an order of QoS ${qos} to which nobody listens is Refused`, async () => {
    const [bench, client] = await Bench.open(5);
    const order = { topic: 'a', payload: Buffer.of(1), qos, retain: false };
    const sent = assert.rejects(client.publish(order, forever), { code: 'MQTT_NOBODY' });
    await bench.until(() => bench.heard.length > 0);
    for (const answer of answers) await bench.say(...hex(answer));
    await sent;
  });
}

test('filters are granted one by one', async () => {
  const [bench, client] = await Bench.open(4);
  const filters = ['7', 'resubscribe', 'a'].map((topic) => ({ topic, qos: 1 as const }));
  const granted = client.subscribe(filters, forever);
  await bench.until(() => bench.heard.length > 0);
  await bench.say(...hex('90 05 0001 01 80 00'));
  assert.deepEqual(await granted, [1, 128, 0]);
  assert.deepEqual(bench.losses, []);
});

test('a ping is answered by its own answer, not by that of the library', async () => {
  const [bench, client] = await Bench.open(4);
  await bench.clock.advance(20_000);
  await turns();
  assert.equal(bench.bytes, 'c000');
  let answered = false;
  const ping = client.ping(forever).then(() => (answered = true));
  await bench.say(0xd0, 0);
  assert.equal(answered, false);
  await bench.say(0xd0, 0);
  await ping;
});

test('a broker that answers no ping is lost within its keepalive, however much it says', async () => {
  const [bench] = await Bench.open(4);
  for (let second = 0; second < 29; second++) {
    await bench.clock.advance(1_000);
    await bench.say(...hex('30 04 0001 61 31'));
  }
  assert.equal(bench.losses.length, 0);
  await bench.clock.advance(1_000);
  assert.equal(bench.losses[0]?.code, 'MQTT_SILENT');
  await turns();
  assert.equal(bench.clock.pending, 0);
});

test('what waits for the broker is bounded, and closing leaves none of it', async () => {
  const [bench, client] = await Bench.open(4);
  const order = { topic: 'a', payload: Buffer.of(1), qos: 1, retain: false } as const;
  const waiting = Array.from({ length: 1_000 }, () => client.publish(order, forever));
  const ends = Promise.allSettled(waiting);
  await assert.rejects(client.publish(order, forever), { code: 'MQTT_BUSY' });
  client.close();
  const reasons = (await ends).map((end) => (end.status === 'rejected' ? codeOf(end.reason) : ''));
  assert.deepEqual(new Set(reasons), new Set(['MQTT_CLOSED']));
  await bench.until(() => bench.far.readableEnded);
  assert.match(bench.bytes, /e000$/, 'it says good-bye');
  assert.equal(bench.clock.pending, 0);
  assert.deepEqual(bench.losses, []);
});

test('nonsense after the first word loses the connection, or is no packet yet; nothing is thrown', async () => {
  let seed = 7;
  const random = (): number => (seed = (seed * 48_271) % 0x7fffffff) & 0xff;
  for (let round = 0; round < 300; round++) {
    const level = round % 2 === 0 ? 4 : 5;
    const [bench, client] = await Bench.open(level);
    await bench.say(...Array.from({ length: 40 }, random));
    client.close();
    for (const error of bench.losses) assert.ok(error instanceof DmiError);
    bench.far.destroy();
  }
});
