import { type Connection, Unreachable } from '@limpet/dmi';
import { silentLog } from '@limpet/dmi/testing';
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../../kernel/clock.ts';
import bench from './fixtures/bench.mapper.ts';
import { served } from './fixtures/in-memory.ts';

const soon = (): AbortSignal => AbortSignal.timeout(20_000);

interface Opened {
  readonly connection: Connection<unknown>;
  /** Calls `then` whenever the core has taken something from that plane. */
  readonly heard: (then: () => void) => void;
  /** Bytes that went to the process on the management plane. */
  readonly sent: () => number;
}

async function open(t: TestContext, mapper: object = bench): Promise<Opened> {
  const ends = served(mapper as never);
  t.after(() => ends.link.end(new Unreachable('MAPPER_DOWN', 'the end')));
  let sent = 0;
  ends.far.management.on('data', (chunk: Buffer) => (sent += chunk.length));
  const context = {
    device: 'd/1',
    clock: systemClock,
    log: silentLog(),
    dial: () => assert.fail(),
  };
  const connection = await ends.remote.connect({ name: 'one' }, context, soon());
  const heard = (then: () => void): void => void ends.near.management.on('data', then);
  return { connection, heard, sent: () => sent };
}

const visitorsOf = (from: number, count: number): { key: string }[] =>
  Array.from({ length: count }, (_, n) => ({ key: `k${from + n}` }));

async function values({ connection }: Opened, visitors: readonly object[]): Promise<unknown[]> {
  const readings = await connection.read(visitors, soon());
  return readings.map((reading) => reading.ok && reading.value);
}

test('a visitor goes over once, then it is a number', async (t) => {
  const opened = await open(t);
  const visitors = visitorsOf(0, 500);
  const keys = visitors.map(({ key }) => key);
  assert.deepEqual(await values(opened, visitors), keys);
  const before = opened.sent();
  assert.deepEqual(await values(opened, visitors.toReversed()), keys.toReversed());
  assert.equal(opened.sent(), before);
});

test('several orders cross in one ask, and what is answered are the first of them', async (t) => {
  const { connection } = await open(t);
  const order = (key: string, value: number) => ({ visitor: { key }, value });
  const three = [order('a', 1), order('refused', 2), order('c', 3)];
  const answers = await connection.writeMany?.(three, soon());
  assert.deepEqual(
    answers?.map((answer) => (answer.ok ? answer.value : answer.error.code)),
    [1, 'BENCH_NO'],
  );
  await assert.rejects(async () => connection.writeMany?.([order('too many', 1)], soon()), {
    name: 'Unreachable',
  });
});

test('orders that fill more than a frame go over in pieces', async (t) => {
  const { connection } = await open(t);
  const order = (n: number) => ({ visitor: { key: `k${n}` }, value: 'x'.repeat(60_000) });
  const orders = Array.from({ length: 20 }, (_, n) => order(n));
  for (let at = 0; at < orders.length;) {
    const answers = (await connection.writeMany?.(orders.slice(at), soon())) ?? [];
    assert.ok(answers.length > 0 && answers.every(({ ok }) => ok));
    at += answers.length;
  }
});

test('edited models without end are forgotten, and every reading is still that of its visitor', async (t) => {
  const opened = await open(t);
  const kept = visitorsOf(0, 10);
  for (let from = 10; from < 25_000; from += 1_000) {
    const visitors = [...kept, ...visitorsOf(from, 1_000)];
    assert.deepEqual(
      await values(opened, visitors),
      visitors.map(({ key }) => key),
    );
  }
});

test('visitors that fill more than a frame go over in pieces', async (t) => {
  const opened = await open(t);
  const visitors = Array.from({ length: 200 }, (_, n) => ({ key: `${n} ${'x'.repeat(10_000)}` }));
  const got = await values(opened, visitors.slice(0, 40));
  assert.deepEqual(
    got,
    visitors.slice(0, 40).map(({ key }) => key),
  );
  const [long] = await opened.connection.read(visitors, soon());
  assert.ok(long?.ok === false && long.error.code === 'VALUE_TOO_LONG');
});

test('a visitor whose definition was given up is defined again', async (t) => {
  const opened = await open(t);
  const visitors = visitorsOf(0, 600);
  const abort = new AbortController();
  const reading = opened.connection.read(visitors, abort.signal);
  abort.abort(new Error('enough'));
  await assert.rejects(reading, /enough/);
  const other = visitorsOf(1_000, 3);
  assert.deepEqual(await values(opened, [...other, ...visitors].slice(0, 6)), [
    'k1000',
    'k1001',
    'k1002',
    'k0',
    'k1',
    'k2',
  ]);
});

test('two calls at once never mistake each other for their visitors', async (t) => {
  const opened = await open(t);
  const [one, two] = [visitorsOf(0, 300), visitorsOf(5_000, 300)];
  const got = await Promise.all([values(opened, one), values(opened, two)]);
  assert.deepEqual(
    got,
    [one, two].map((visitors) => visitors.map(({ key }) => key)),
  );
});

test('a definition that was given up while the mapper took its time takes nobody else’s number', async (t) => {
  const slow = {
    version: 1,
    vendor: 'test',
    async validate(value: { key: string }) {
      if (value.key.startsWith('slow')) await sleep(20);
      return { value };
    },
  };
  const opened = await open(t, { ...bench, visitor: { '~standard': slow } });
  const abort = new AbortController();
  const reading = opened.connection.read([{ key: 'slow 1' }, { key: 'slow 2' }], abort.signal);
  await sleep(5);
  abort.abort(new Error('enough'));
  await assert.rejects(reading, /enough/);
  const mine = [{ key: 'mine 1' }, { key: 'mine 2' }];
  assert.deepEqual(await values(opened, mine), ['mine 1', 'mine 2']);
  await sleep(60);
  assert.deepEqual(await values(opened, mine), ['mine 1', 'mine 2']);
});

test('a subscription that was given up in the moment of its answer is ended in the process as well', async (t) => {
  let told: AbortSignal | undefined;
  const connect = () => ({
    subscribe(_wishes: unknown, _sink: unknown, signal: AbortSignal) {
      told = signal;
      return Promise.resolve([]);
    },
    read: () => Promise.resolve([]),
    write: () => Promise.resolve(1),
    close: () => Promise.resolve(),
  });
  const { connection, heard } = await open(t, { ...bench, connect });
  const abort = new AbortController();
  // After the answer was taken, and before whoever waits for it goes on.
  heard(() => told !== undefined && abort.abort(new Error('enough')));
  const sink = { reading: () => undefined, lost: () => undefined };
  await connection.subscribe?.([{ visitor: { key: 'a' }, everyMs: 10 }], sink, abort.signal);
  for (let n = 0; n < 100 && told?.aborted !== true; n++) await sleep(5);
  assert.equal(told?.aborted, true);
});
