import assert from 'node:assert/strict';
import { type Duplex, duplexPair } from 'node:stream';
import { test } from 'node:test';
import {
  type Connection,
  type DmiError,
  type Reading,
  type SimulatedDevice,
  Unreachable,
} from '@limpet/dmi';
import { fakeClock, fakeContext, silentLog } from '@limpet/dmi/testing';
import mapper from './mapper.ts';
import { COMMAND, EVENT } from './radio/h4.ts';
import type { Settings } from './settings.ts';
import { simulator } from './simulator.ts';
import type { Visitor } from './visitor.ts';

const ADDRESS = 'c4:7c:8d:6a:12:34';
const LINES = ['/dev/ttyS1', '/dev/ttyS2'] as const;
const TOLD = { service: '181a', characteristic: '2a6e', type: 'int16', via: 'notify' };
const READ = { ...TOLD, via: 'read' };

const SCAN_ON = '200c on';
const CONNECT = '200d';

/** A controller on a line: what it was commanded to do, and whether it is deaf. */
interface Ear {
  readonly commands: string[];
  deaf: boolean;
  /** Pulled out. */
  gone: boolean;
  wire: Duplex | undefined;
}

const bytesOf = (chunk: Buffer): string => {
  const code = chunk.readUInt16LE(1).toString(16).padStart(4, '0');
  return code === '200c' && chunk[4] === 1 ? SCAN_ON : code;
};
/** LE Advertising Report. */
const isReport = (chunk: Buffer): boolean =>
  chunk[0] === EVENT && chunk[1] === 0x3e && chunk[3] === 0x02;

async function parse<T>(schema: object, raw: unknown): Promise<T> {
  const { '~standard': standard } = schema as {
    '~standard': { validate(value: unknown): unknown };
  };
  const result = (await standard.validate(raw)) as { issues?: unknown; value: T };
  assert.equal(result.issues, undefined, JSON.stringify(result.issues));
  return result.value;
}

/** One device in the air of as many controllers as strengths are given, in dBm. */
async function bench(strengths: readonly number[], told: object = READ) {
  const clock = fakeClock();
  const lines = LINES.slice(0, strengths.length);
  const settings = await parse<Settings>(mapper.settings, {
    address: ADDRESS,
    adapter: lines.map((line) => `uart:${line}`),
    silence: '1h',
    keep: '0s',
  });
  const visitor = await parse<Visitor>(mapper.visitor, told);
  const strength = await parse<Visitor>(mapper.visitor, { from: 'rssi' });
  const ears: Ear[] = [];
  const served: Record<string, (wire: Duplex) => void> = {};
  const devices: SimulatedDevice[] = [];
  for (const [index, value] of strengths.entries()) {
    const properties = [
      { name: 'value', visitor, value: 21, type: 'int', access: 'read' } as const,
      { name: 'rssi', visitor: strength, value, type: 'int', access: 'read' } as const,
    ];
    const device = await simulator.simulate({ settings, properties }, { clock, log: silentLog() });
    devices.push(device);
    const ear: Ear = { commands: [], deaf: false, gone: false, wire: undefined };
    ears.push(ear);
    served[settings.adapters[index]?.dial ?? ''] = (wire) => {
      if (ear.gone) throw new Unreachable('PORT_NOT_FOUND', 'it is not there');
      const [near, far] = duplexPair();
      ear.wire = wire;
      device.accept?.(far);
      wire.on('data', (chunk: Buffer) => {
        if (chunk[0] === COMMAND) ear.commands.push(bytesOf(chunk));
        near.write(chunk);
      });
      wire.on('close', () => near.destroy());
      wire.on('error', () => undefined);
      near.on('data', (chunk: Buffer) => (ear.deaf && isReport(chunk)) || wire.write(chunk));
    };
  }
  const context = fakeContext({ clock, wire: served });
  /** Lets the fake time pass until it is settled. */
  const settle = async <T>(promise: Promise<T>): Promise<T> => {
    let over = false;
    const end = (): void => void (over = true);
    promise.then(end, end);
    for (let left = 2_000; !over && left > 0; left--) await clock.advance(50);
    return promise;
  };
  const connect = () => settle(mapper.connect(settings, context, signal()));
  /** How often each adapter was told to connect. */
  const links = () =>
    ears.map(({ commands }) => commands.filter((each) => each === CONNECT).length);
  /** Leaves nothing behind. */
  const end = async (connection: Connection<Visitor>): Promise<void> => {
    await connection.close();
    for (const device of devices) await device.close();
    await clock.advance(0);
    assert.equal(clock.pending, 0);
  };
  return { end, clock, ears, context, visitor, strength, settle, connect, links };
}

const signal = (): AbortSignal => new AbortController().signal;

test('a device is linked to through the adapter that hears it best, of those that heard it lately', async () => {
  const { end, clock, ears, visitor, settle, connect, links } = await bench([-80, -50]);
  const connection = await connect();
  await clock.advance(2_000);
  const read = async (): Promise<void> => {
    const [reading] = await settle(connection.read([visitor], signal()));
    assert.deepEqual(reading, { ok: true, value: 21 });
    await clock.advance(1_000);
  };
  await read();
  assert.deepEqual(links(), [0, 1]);
  const [, best] = ears;
  assert.ok(best);
  best.deaf = true;
  await clock.advance(20_000);
  await read();
  assert.deepEqual(links(), [0, 2], 'it may be heard again soon');
  await clock.advance(20_000);
  await read();
  assert.deepEqual(links(), [1, 2]);
  best.deaf = false;
  await clock.advance(1_000);
  await read();
  assert.deepEqual(links(), [1, 3]);
  await end(connection);
});

test('an adapter that is pulled out is not missed while another one hears the device', async () => {
  const { end, clock, ears, visitor, settle, connect, links } = await bench([-80, -50]);
  const connection = await connect();
  await clock.advance(2_000);
  const [, best] = ears;
  assert.ok(best);
  best.gone = true;
  best.wire?.destroy();
  await clock.advance(30_000);
  const [reading] = await settle(connection.read([visitor], signal()));
  assert.equal(reading?.ok, true);
  assert.deepEqual(links(), [1, 0]);
  best.gone = false;
  await clock.advance(10_000);
  await settle(connection.read([visitor], signal()));
  assert.deepEqual(links(), [1, 1], 'it is opened again by itself, and hears again');
  await end(connection);
});

test('an adapter that hears nobody scans anew after one minute, and is reset after two', async () => {
  const { end, clock, ears, context, strength, connect } = await bench([-50]);
  const connection = await connect();
  const losses: string[] = [];
  const sink = {
    reading: (_: number, reading: Reading) => assert.equal(reading.ok, true),
    lost: (error: Error) => void losses.push((error as DmiError).code),
  };
  await connection.subscribe?.([{ visitor: strength, everyMs: 1 }], sink, signal());
  const [ear] = ears;
  assert.ok(ear);
  const scans = (): number => ear.commands.filter((each) => each === SCAN_ON).length;
  await clock.advance(300_000);
  assert.equal(scans(), 1, 'who hears somebody needs no new scan');
  ear.deaf = true;
  await clock.advance(59_000);
  assert.equal(scans(), 1);
  await clock.advance(12_000);
  assert.equal(scans(), 2);
  await clock.advance(48_000);
  assert.deepEqual([scans(), losses], [2, []]);
  await clock.advance(12_000);
  assert.deepEqual(losses, ['BLE_DEAF']);
  assert.equal(context.dialled.length, 1);
  await connection.close();
  ear.deaf = false;
  const again = await connect();
  assert.equal(context.dialled.length, 2);
  await end(again);
});

test('an adapter is not reset while a device is linked, nor as soon as the link ends', async () => {
  const { end, clock, ears, context, visitor, settle, connect } = await bench([-50], TOLD);
  const connection = await connect();
  const losses: string[] = [];
  const sink = {
    reading: () => undefined,
    lost: (error: Error) => void losses.push((error as DmiError).code),
  };
  const stop = new AbortController();
  const wishes = [{ visitor, everyMs: 1 }];
  const polled = connection.subscribe?.(wishes, sink, stop.signal) ?? Promise.resolve([0]);
  assert.deepEqual(await settle(polled), []);
  const [ear] = ears;
  assert.ok(ear);
  ear.deaf = true;
  await clock.advance(600_000);
  assert.deepEqual(losses, []);
  stop.abort();
  // A device that was linked advertises again only after a while.
  await clock.advance(55_000);
  const reading = settle(connection.read([visitor], signal()));
  assert.equal((await reading)[0]?.ok, true);
  assert.equal(context.dialled.length, 1);
  await end(connection);
});
