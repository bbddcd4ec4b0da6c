import { type Connection, Unreachable } from '@limpet/dmi';
import { silentLog } from '@limpet/dmi/testing';
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { systemClock } from '../../kernel/clock.ts';
import bench from './fixtures/bench.mapper.ts';
import { served } from './fixtures/in-memory.ts';

const soon = (): AbortSignal => AbortSignal.timeout(20_000);

interface Opened {
  readonly connection: Connection<unknown>;
  /** Bytes that went to the process on the management plane. */
  readonly sent: () => number;
}

async function open(t: TestContext): Promise<Opened> {
  const ends = served(bench as never);
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
  return { connection, sent: () => sent };
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
