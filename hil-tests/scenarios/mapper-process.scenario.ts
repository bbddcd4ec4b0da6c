/**
 * Promise: the Modbus mapper runs unchanged in a process of its own, from the bundle: same readings, refusals, writes and
 * reactions, a shared line that a silent unit does not hold up, and a private memory well within its budget.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { type Connection, type Reading } from '@limpet/dmi';
import { silentLog } from '@limpet/dmi/testing';
import { systemClock } from '#runtime/kernel/clock.ts';
import { mapperCommand } from '#runtime/mapper/process/command.ts';
import { MapperProcess } from '#runtime/mapper/process/mapper-process.ts';
import { NO_PERMISSIONS, permissionsArgument } from '#runtime/mapper/sandbox/permissions.ts';
import { freePort } from '../rig/free-port.ts';
import { Registers } from '../rig/registers.ts';
import { pause } from '../rig/until.ts';

/** The most that its process may take while it polls 1,000 properties, private; a mapper's budget is 24 MiB unless it says less. */
const MAX_PRIVATE_MIB = 15;
/** The most that it takes beside Node itself while it does nothing: what loading left is collected. */
const MAX_IDLE_MIB = 2;

const clock = systemClock;
const log = silentLog();
const { file, args, env } = mapperCommand({ protocol: 'modbus' });
const flags = args.filter(
  (each) => each.startsWith('--') && !/^--conditions|^--protocol/.test(each),
);
const bundle = path.resolve(import.meta.dirname, '../../dist/edge/limpet-mapper.mjs');

let registers: Registers;
let address: string;
let child: MapperProcess;

before(async () => {
  const port = await freePort();
  registers = await Registers.listen(port);
  address = `tcp://127.0.0.1:${port}`;
  const heap = '--max-old-space-size=10';
  const allowed = permissionsArgument({ ...NO_PERMISSIONS, network: true });
  const command = { file, args: [...flags, heap, bundle, '--protocol=modbus', allowed], env };
  child = await MapperProcess.start({ command, protocol: 'modbus', clock, log });
});
after(async () => {
  await child.stop(1_000);
  await registers.close();
});

const soon = (ms = 5_000): AbortSignal => AbortSignal.timeout(ms);

async function connect(unit: number, to = address): Promise<Connection<unknown>> {
  const settings = { address: to, unit, timeout: '500ms' };
  const checked = await child.mapper.settings['~standard'].validate(settings);
  assert.equal(checked.issues, undefined);
  const device = `default/unit-${unit}`;
  const context = { device, clock, log, dial: () => Promise.reject(new Error('dialled here')) };
  return child.mapper.connect(settings, context, soon());
}

const input = (at: number): object => ({ register: 'input', address: at });
const said = (readings: readonly Reading[]): unknown[] =>
  readings.map((reading) => (reading.ok ? reading.value : reading.error.code));

test('a process that does nothing takes little beside Node itself', async (t) => {
  const idle = await bare();
  const own = privateMib(child.pid) - idle;
  t.diagnostic(`private beside Node alone (${idle.toFixed(1)} MiB): ${own.toFixed(1)} MiB`);
  assert.ok(own < MAX_IDLE_MIB, `${own} MiB`);
});

test('a manifest is judged by the mapper, wherever it runs', async () => {
  const { settings, visitor } = child.mapper;
  const wrong = await settings['~standard'].validate({ address, unit: 999 });
  assert.equal(wrong.issues?.[0]?.path?.[0], 'unit');
  assert.ok((await visitor['~standard'].validate({ register: 'nonsense' })).issues);
  assert.equal(await child.mapper.port?.({ address }), address);
  const shape = { name: 'p', type: 'string', access: 'read' } as const;
  assert.match(
    (await child.mapper.fits?.(input(0), shape)) ?? '',
    /holds int or float, not string/,
  );
});

test('readings, refusals and writes are those of the mapper', async () => {
  registers.input(1).set([7, 8, 9]);
  registers.refused.add('1/1');
  const connection = await connect(1);
  const readings = await connection.read([input(0), input(1), input(2)], soon());
  assert.deepEqual(said(readings), [7, 'MODBUS_EXCEPTION_2', 9]);
  const setpoint = { register: 'holding', address: 3, type: 'int16', scale: 0.1 };
  assert.equal(await connection.write(setpoint, 55.34, soon()), 55.3);
  assert.equal(registers.holding(1)[3], 553);
  await connection.close();
});

test('a silent unit that is given up does not hold up the others of its line', async () => {
  registers.silent.add(2);
  registers.input(3)[0] = 33;
  const [mute, well] = [await connect(2), await connect(3)];
  const reading = mute.read([input(0)], soon(100));
  await assert.rejects(reading, { name: 'TimeoutError' });
  const start = performance.now();
  assert.deepEqual(said(await well.read([input(0)], soon())), [33]);
  assert.ok(performance.now() - start < 200);
  await assert.rejects(mute.read([input(0)], soon()), { name: 'Unreachable' });
  await Promise.all([mute.close(), well.close()]);
});

test('nonsense on the wire is Garbled here too, and the wire is cut', async () => {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', () => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const connection = await connect(1, `tcp://127.0.0.1:${port}`);
  const ended = once(server, 'close');
  await assert.rejects(connection.read([input(0)], soon()), { name: 'Garbled' });
  await connection.close();
  server.close();
  await ended;
});

test('polling 1,000 properties at 1 Hz, its process stays within its budget', async (t) => {
  const connection = await connect(4);
  registers.input(4).set(Array.from({ length: 1_000 }, (_, at) => at));
  const visitors = Array.from({ length: 1_000 }, (_, at) => input(at));
  const idle = await bare();
  let most = 0;
  for (let second = 0; second < 15; second++) {
    for (let at = 0; at < 1_000; at += 250) {
      const readings = await connection.read(visitors.slice(at, at + 250), soon());
      assert.deepEqual(said(readings).slice(0, 2), [at, at + 1]);
    }
    most = Math.max(most, privateMib(child.pid));
    await pause(1_000);
  }
  t.diagnostic(
    `private: ${most.toFixed(1)} MiB; Node that does nothing, same flags: ${idle.toFixed(1)} MiB`,
  );
  assert.ok(most < MAX_PRIVATE_MIB, `${most} MiB`);
  await connection.close();
});

/** Private memory of Node with the same flags and nothing to do. */
async function bare(): Promise<number> {
  const nothing: ChildProcess = spawn(file, [...flags, '-e', 'setInterval(() => {}, 1000)'], {
    env,
  });
  await pause(1_000);
  const mib = privateMib(nothing.pid as number);
  nothing.kill('SIGKILL');
  await once(nothing, 'exit');
  return mib;
}

function privateMib(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1]) / 1_024;
}
