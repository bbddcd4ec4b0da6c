import assert from 'node:assert/strict';
import { type Duplex, duplexPair } from 'node:stream';
import { test } from 'node:test';
import type { Connection, DmiError, Reading, Value } from '@limpet/dmi';
import { type FakeContext, fakeClock, fakeContext, silentLog } from '@limpet/dmi/testing';
import mapper from './mapper.ts';
import { simulator } from './simulator.ts';
import type { Settings } from './settings.ts';
import type { Visitor } from './visitor.ts';

const ADDRESS = 'c4:7c:8d:6a:12:34';
const INSIDE = { from: 'service', uuid: 'fcd2', object: 2 };
const OUTSIDE = { from: 'manufacturer', company: 0x0499, match: '05', offset: 1, type: 'int16' };

async function parse<T>(schema: object, raw: unknown): Promise<T> {
  const { '~standard': standard } = schema as {
    '~standard': { validate(value: unknown): unknown };
  };
  const result = (await standard.validate(raw)) as { issues?: unknown; value: T };
  assert.equal(result.issues, undefined, JSON.stringify(result.issues));
  return result.value;
}

/** A sensor, and what reaches it: how long it takes is the clock's. */
async function bench(more: object = {}) {
  const clock = fakeClock();
  const settings = await parse<Settings>(mapper.settings, {
    address: ADDRESS,
    adapter: 'uart:/dev/ttyS1',
    silence: '10s',
    ...more,
  });
  const visitors = await Promise.all(
    [INSIDE, OUTSIDE].map((raw) => parse<Visitor>(mapper.visitor, raw)),
  );
  const shape = { type: 'float', access: 'read' } as const;
  const device = await simulator.simulate(
    {
      settings,
      properties: [
        { name: 'inside', visitor: visitors[0] as Visitor, value: 25.06, ...shape },
        { name: 'outside', visitor: visitors[1] as Visitor, value: 4860, ...shape },
      ],
    },
    { clock, log: silentLog() },
  );
  const air = { silent: false };
  const serve = (wire: Duplex): void => {
    const [near, far] = duplexPair();
    device.accept?.(far);
    wire.on('data', (chunk: Buffer) => near.write(chunk));
    wire.on('close', () => near.destroy());
    near.on('data', (chunk: Buffer) => air.silent || wire.write(chunk));
    near.on('end', () => wire.end());
  };
  const context = fakeContext({ clock, wire: serve });
  return { clock, settings, visitors, device, context, air };
}

/** Lets the fake time pass until it is settled. */
async function settle<T>(context: FakeContext, promise: Promise<T>, stepMs = 50): Promise<T> {
  let over = false;
  const end = (): void => void (over = true);
  promise.then(end, end);
  for (let left = 2_000; !over && left > 0; left--) await context.clock.advance(stepMs);
  return promise;
}

const signal = (): AbortSignal => new AbortController().signal;
const valueOf = (reading: Reading): Value | string =>
  reading.ok ? reading.value : reading.error.code;

async function subscribe(connection: Connection<Visitor>, visitors: readonly Visitor[]) {
  const told: (Value | string)[][] = visitors.map(() => []);
  const losses: string[] = [];
  const sink = {
    reading: (index: number, reading: Reading) => void told[index]?.push(valueOf(reading)),
    lost: (error: Error) => void losses.push((error as DmiError).code),
  };
  const wishes = visitors.map((visitor) => ({ visitor, everyMs: 1 }));
  const polled = await connection.subscribe?.(wishes, sink, signal());
  return { told, losses, polled };
}

test('a sensor is told when what it advertises changes, not with each advertisement', async () => {
  const { context, settings, visitors, device, clock } = await bench();
  const connection = await settle(context, mapper.connect(settings, context, signal()));
  const watch = await subscribe(connection, visitors);
  assert.deepEqual(watch.polled, []);
  await clock.advance(5_000);
  assert.deepEqual(watch.told, [[25.06], [4860]]);
  device.set('inside', 25.5);
  await clock.advance(1_000);
  // Both come in one advertisement, so both are told.
  assert.deepEqual(watch.told, [
    [25.06, 25.5],
    [4860, 4860],
  ]);
  await connection.close();
  await device.close();
  assert.equal(clock.pending, 0);
});

test('a sensor that falls silent is lost after the time that its settings say', async () => {
  const { context, settings, visitors, clock, air } = await bench({ silence: '10s' });
  const connection = await settle(context, mapper.connect(settings, context, signal()));
  const watch = await subscribe(connection, visitors);
  air.silent = true;
  await clock.advance(9_000);
  assert.deepEqual(watch.losses, []);
  await clock.advance(3_000);
  assert.deepEqual(watch.losses, ['BLE_SILENT']);
  await assert.rejects(connection.read(visitors, signal()), { code: 'BLE_SILENT' });
  await connection.close();
});

test('a sensor that is met only after the connect was given up is there at once for the next', async () => {
  const { context, settings, device, clock } = await bench({ silence: '5m' });
  const silent = { ...settings, address: 'c4:7c:8d:6a:12:35' };
  await assert.rejects(settle(context, mapper.connect(silent, context, signal())), {
    code: 'BLE_NOT_HEARD',
  });
  assert.equal(context.dialled.length, 1);
  // It is still listened for: the adapter stays open.
  await assert.rejects(settle(context, mapper.connect(silent, context, signal())), {
    code: 'BLE_NOT_HEARD',
  });
  assert.equal(context.dialled.length, 1);
  await clock.advance(5 * 60_000);
  assert.equal(clock.pending <= 1, true, 'in the end it is not listened for any more');
  await device.close();
});
