import { type Connection, Misconfigured, type Sink, Unreachable, type Value } from '@limpet/dmi';
import { silentLog } from '@limpet/dmi/testing';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { type TestContext, test } from 'node:test';
import { systemClock } from '../../kernel/clock.ts';
import { NO_PERMISSIONS, permissionsArgument } from '../sandbox/permissions.ts';
import { mapperCommand } from './command.ts';
import { MapperProcess } from './mapper-process.ts';

const bench = pathToFileURL(path.join(import.meta.dirname, 'fixtures/bench.mapper.ts')).href;
const clock = systemClock;

const DIALS = { ...NO_PERMISSIONS, network: true };

async function start(t: TestContext, module = bench, protocol = 'bench'): Promise<MapperProcess> {
  const plain = mapperCommand({ protocol, module });
  const command = { ...plain, args: [...plain.args, permissionsArgument(DIALS)] };
  const child = await MapperProcess.start({ command, protocol, clock, log: silentLog() });
  t.after(async () => {
    child.kill();
    await child.exited;
  });
  return child;
}

const soon = (ms = 5_000): AbortSignal => AbortSignal.timeout(ms);

function connect(
  { mapper }: MapperProcess,
  settings: object = {},
  signal = soon(),
): Promise<Connection<unknown>> {
  const context = { device: 'default/one', clock, log: silentLog(), dial: () => assert.fail() };
  return mapper.connect({ name: 'one', ...settings }, context, signal);
}

const keys = (...names: string[]): { key: string }[] => names.map((key) => ({ key }));

test('settings and visitors are checked in the process, and stay what the manifest says', async (t) => {
  const { mapper } = await start(t);
  const raw = { name: 'one', port: 'tcp://a' };
  const settings = await mapper.settings['~standard'].validate(raw);
  assert.equal('value' in settings && settings.value, raw);
  const wrong = await mapper.settings['~standard'].validate({ name: 5 });
  assert.deepEqual(wrong.issues, [{ message: 'expected a name', path: ['name'] }]);
  assert.equal(await mapper.port?.(raw), 'tcp://a');
  assert.equal(await mapper.port?.({ name: 'one' }), undefined);
  const shape = { name: 'p', type: 'int', access: 'read' } as const;
  assert.equal(await mapper.fits?.({ key: 'text' }, shape), 'it is text');
  assert.equal(await mapper.fits?.({ key: 'number' }, shape), undefined);
  const many = await Promise.all(
    Array.from({ length: 3_000 }, async (_, n) =>
      mapper.visitor['~standard'].validate({ key: n % 2 === 0 ? 'number' : 'wrong' }),
    ),
  );
  assert.equal(many.filter(({ issues }) => issues !== undefined).length, 1_500);
});

test('every kind of value crosses, and what is no value is one bad reading', async (t) => {
  const connection = await connect(await start(t));
  const names = [
    'number',
    'bigint',
    'bytes',
    'nan',
    'infinity',
    'text',
    'truth',
    'nothing',
    'json',
  ];
  const readings = await connection.read(keys(...names, 'refused', 'long'), soon());
  const [refused, long] = readings.slice(-2);
  assert.deepEqual(
    readings.slice(0, -2).map((reading) => reading.ok && reading.value),
    [
      21.5,
      2n ** 63n,
      new Uint8Array([0, 255, 7]),
      Number.NaN,
      -Infinity,
      'grün',
      true,
      null,
      { list: [1, { deep: true }] },
    ],
  );
  assert.ok(refused?.ok === false && refused.error.name === 'Refused');
  assert.ok(refused.error.code === 'BENCH_NO' && refused.error.message === 'not there');
  assert.ok(long?.ok === false && long.error.code === 'VALUE_TOO_LONG');
  for (const value of [2n ** 60n, new Uint8Array([1, 2]), [1, 'x'], -3]) {
    const [visitor] = keys('kept');
    assert.deepEqual(await connection.write(visitor, value, soon()), value);
    assert.deepEqual(await connection.read([visitor], soon()), [{ ok: true, value }]);
  }
});

test('a method is called with every kind of value, and its outputs come back', async (t) => {
  const { mapper } = await start(t);
  const shape = { name: 'm', input: [{ name: 'a', type: 'int' }], output: [] } as const;
  assert.equal(await mapper.serves?.({ key: 'text' }, shape), 'text cannot be called');
  assert.equal(await mapper.serves?.({ key: 'echo' }, shape), undefined);
  const settings = { name: 'one' };
  const context = { device: 'default/one', clock, log: silentLog(), dial: () => assert.fail() };
  const connection = await mapper.connect(settings, context, soon());
  const all = [2n ** 63n, new Uint8Array([0, 255]), 'grün', null, { list: [1] }, -0.5];
  const call = async (key: string, input: readonly Value[]) =>
    connection.call?.({ key }, input, soon());
  assert.deepEqual(await call('echo', all), all);
  assert.deepEqual(await call('echo', []), []);
  const refused = { name: 'Refused', code: 'BENCH_NO', message: 'locked' };
  await assert.rejects(call('refused', []), refused);
  const unusable = { name: 'Refused', code: 'OUTPUT_UNUSABLE' };
  await assert.rejects(call('cycle', []), unusable);
  const many = Array.from({ length: 30 }, () => 'x'.repeat(60_000));
  await assert.rejects(call('echo', many), { code: 'FRAME_TOO_LARGE' });
});

test('errors keep their class, code, message and cause', async (t) => {
  const child = await start(t);
  await assert.rejects(connect(child, { connect: 'unreachable' }), (error: Error) => {
    assert.ok(error instanceof Unreachable && error.code === 'BENCH_AWAY');
    assert.equal((error.cause as Error).message, 'no cable');
    return true;
  });
  await assert.rejects(connect(child, { connect: 'bug' }), {
    name: 'Error',
    message: /^a bug \(bench\.mapper\.ts:\d+:\d+\)$/,
  });
  const connection = await connect(child);
  await assert.rejects(connection.write({ key: 'refused' }, 1, soon()), { name: 'Refused' });
  await assert.rejects(connection.read(keys('garble'), soon()), { name: 'Garbled' });
});

test('a call that is aborted ends within 100 ms here and there, and the connection goes on', async (t) => {
  const connection = await connect(await start(t));
  for (const kind of ['read', 'write', 'call'] as const) {
    const asked = performance.now();
    await connection.write({ key: 'other' }, 1, soon());
    const quietMs = performance.now() - asked;
    const abort = new AbortController();
    const [visitor = { key: '' }] = keys('hang');
    const call = {
      read: () => connection.read([visitor], abort.signal),
      write: () => connection.write(visitor, 1, abort.signal),
      call: async () => connection.call?.(visitor, [1], abort.signal),
    }[kind]();
    await sleep(50);
    const since = performance.now();
    abort.abort(new Error('enough'));
    await assert.rejects(call, /enough/);
    const [reading] = await connection.read(keys('aborted'), soon());
    assert.deepEqual(reading, { ok: true, value: kind === 'call' ? 2 : 1 });
    // Beside what any call takes on a machine that is as busy as this one.
    assert.ok(performance.now() - since < 100 + 5 * quietMs);
  }
});

test('a mapper that is deaf to its signal is noticed by its health, and its connection goes on', async (t) => {
  const child = await start(t);
  const connection = await connect(child);
  const end = new AbortController();
  const hung = connection.write({ key: 'hang' }, 1, end.signal);
  // Its visitor goes over first; then both are on the same plane, in this order.
  for (let asks = 0; asks < 3; asks++) await child.health(soon());
  end.abort(new Error('enough'));
  await assert.rejects(hung, /enough/);
  assert.deepEqual(await connection.read(keys('number'), soon()), [{ ok: true, value: 21.5 }]);
  let health = await child.health(soon());
  for (const late = soon(20_000); health.tardy.count === 0; await sleep(20)) {
    late.throwIfAborted();
    health = await child.health(soon());
  }
  assert.deepEqual(health.tardy, { count: 1, last: 'write of default/one' });
});

test('a connection that opens too late is closed in the process', async (t) => {
  const child = await start(t);
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const { port } = server.address() as { port: number };
  const sockets: Socket[] = [];
  server.on('connection', (socket) => sockets.push(socket.resume()));
  const dial = `tcp://127.0.0.1:${port}`;
  await assert.rejects(connect(child, { connect: 'late', dial }, soon(50)), /timeout/i);
  const connection = await connect(child, { dial });
  assert.deepEqual(await connection.read(keys('open'), soon()), [{ ok: true, value: true }]);
  await sleep(200);
  await connection.close();
  await Promise.all(sockets.map(async (socket) => socket.closed || once(socket, 'close')));
});

test('the process of a mapper that exits takes its calls along, with what it printed', async (t) => {
  const child = await start(t);
  const connection = await connect(child);
  const lost = Promise.withResolvers<Error>();
  const sink: Sink = { reading: () => undefined, lost: lost.resolve };
  await connection.subscribe?.([{ visitor: { key: 'once' }, everyMs: 10 }], sink, soon());
  await assert.rejects(connection.read(keys('exit'), soon()), { code: 'MAPPER_DOWN' });
  const { code, signal } = await child.exited;
  assert.deepEqual([code, signal], [7, null]);
  assert.ok((await lost.promise) instanceof Unreachable);
  await connection.close();
  await assert.rejects(connect(child), { name: 'Unreachable', code: 'MAPPER_DOWN' });
});

test('a mapper that is wrong says so with every fault, one that cannot be loaded says why', async (t) => {
  await assert.rejects(start(t, bench, 'other'), (error: Error) => {
    assert.ok(error instanceof Misconfigured && error.code === 'MAPPER_BROKEN');
    return /"protocol" must be "other"/.test(error.message);
  });
  await assert.rejects(start(t, 'file:///nowhere/mapper.ts'), { code: 'MAPPER_BROKEN' });
});

test('it tells its health, and stops when asked', async (t) => {
  const child = await start(t);
  const { lagMs, heapBytes, superseded } = await child.health(soon());
  assert.ok(lagMs >= 0 && lagMs < 1_000);
  assert.ok(heapBytes > 1_000_000);
  assert.equal(superseded, 0);
  await child.stop(5_000);
  assert.deepEqual(await child.exited, { code: 0, signal: null, lines: [] });
});

test('a subscription tells, says what is to be polled, and ends with its signal', async (t) => {
  const connection = await connect(await start(t));
  const told: [number, unknown][] = [];
  const sink: Sink = {
    reading: (index, reading) => told.push([index, reading.ok && reading.value]),
    lost: (error) => told.push([-1, error]),
  };
  const end = new AbortController();
  const wishes = keys('once', 'poll', 'once', 'flood 1000 9').map((visitor) => ({
    visitor,
    everyMs: 10,
  }));
  assert.deepEqual(await connection.subscribe?.(wishes, sink, end.signal), [1]);
  await sleep(200);
  assert.deepEqual(told.slice(0, 2), [
    [0, 'told'],
    [2, 'told'],
  ]);
  assert.ok(told.length > 5);
  end.abort();
  const before = told.length;
  await sleep(100);
  assert.equal(told.length, before);
});

test('a subscription that the device loses says so once', async (t) => {
  const connection = await connect(await start(t));
  const lost: Error[] = [];
  const sink: Sink = { reading: () => undefined, lost: (error) => lost.push(error) };
  await connection.subscribe?.([{ visitor: { key: 'lose' }, everyMs: 10 }], sink, soon());
  await sleep(150);
  assert.deepEqual(
    lost.map((error) => (error as Unreachable).code),
    ['BENCH_LOST'],
  );
});

// Ctrl-C and systemd's stop reach every process of the edge at once: the core ends its mappers, in its own order.
test('a signal to stop that is meant for the core does not end a mapper', async (t) => {
  const child = await start(t);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.kill(child.pid, signal);
  await child.health(soon());
  await child.stop(5_000);
  assert.deepEqual((({ code, signal }) => [code, signal])(await child.exited), [0, null]);
});
