import assert from 'node:assert/strict';
import { duplexPair } from 'node:stream';
import { test, type TestContext } from 'node:test';
import type { Connection, Reading } from '@limpet/dmi';
import { fakeClock, silentLog } from '@limpet/dmi/testing';
import * as v from 'valibot';
import mapper from './mapper.ts';
import { settings } from './settings.ts';
import { ModbusSimulator } from './simulator.ts';
import { type Visitor, visitor } from './visitor.ts';

interface Opened {
  readonly simulator: ModbusSimulator;
  /** Function codes of the requests that arrived. */
  readonly asked: number[];
  readonly set: (orders: readonly (readonly [object, unknown])[]) => Promise<readonly Reading[]>;
}

/** A device whose holding registers 0 to 9 are there. */
async function open(t: TestContext, given: object = {}): Promise<Opened> {
  const simulator = new ModbusSimulator(fakeClock());
  simulator.unit(1).set('holding', 0, Array(10).fill(0) as number[]);
  const asked: number[] = [];
  const dial = async () => {
    const [ours, theirs] = duplexPair();
    simulator.serve(theirs, 'tcp');
    const send = ours.write.bind(ours);
    ours.write = ((chunk: Buffer, ...more: never[]) => {
      asked.push(chunk.readUInt8(7));
      return send(chunk, ...more);
    }) as typeof ours.write;
    return ours;
  };
  const context = { device: 'default/plc', clock: fakeClock(), log: silentLog(), dial };
  const parsed = v.parse(settings, { address: 'tcp://plc', ...given });
  const connection: Connection<Visitor> = await mapper.connect(parsed, context, soon());
  t.after(() => connection.close());
  const set: Opened['set'] = (orders) => {
    const list = orders.map(([fields, value]) => ({
      visitor: v.parse(visitor, { register: 'holding', ...fields }),
      value: value as number,
    }));
    return connection.writeMany?.(list, soon()) ?? assert.fail('it writes several');
  };
  return { simulator, asked, set };
}

const soon = (): AbortSignal => AbortSignal.timeout(5_000);
const said = (readings: readonly Reading[]) =>
  readings.map((reading) => (reading.ok ? reading.value : reading.error.code));

test('registers that follow each other are written in one request', async (t) => {
  const { simulator, asked, set } = await open(t);
  const readings = await set([
    [{ address: 0 }, 1],
    [{ address: 1, type: 'int16', scale: 0.1 }, 2.34],
    [{ address: 2, type: 'float32' }, 1.5],
    [{ address: 7 }, 9],
  ]);
  assert.deepEqual(said(readings), [1, 2.3, 1.5], 'the one further away is asked again');
  assert.deepEqual(asked, [16]);
  assert.deepEqual(simulator.unit(1).get('holding', 0, 4), [1, 23, 0x3fc0, 0]);
});

test('no request writes more registers than the device is said to take', async (t) => {
  const { asked, set } = await open(t, { maxRegisters: 4 });
  const six = [0, 1, 2, 3, 4, 5].map((address) => [{ address }, address] as const);
  assert.deepEqual(said(await set(six)), [0, 1, 2, 3]);
  assert.deepEqual(asked, [16]);
});

test('one that the device refuses, or that no register holds, is refused alone', async (t) => {
  const { simulator, asked, set } = await open(t);
  const beyond = [8, 9, 10].map((address) => [{ address }, address] as const);
  assert.deepEqual(said(await set(beyond)), [8]);
  assert.deepEqual(said(await set(beyond.slice(1))), [9]);
  assert.deepEqual(said(await set(beyond.slice(2))), ['MODBUS_EXCEPTION_2']);
  assert.deepEqual(asked, [16, 6, 16, 6, 6]);
  assert.deepEqual(simulator.unit(1).get('holding', 8, 2), [8, 9]);
  assert.deepEqual(
    said(
      await set([
        [{ address: 0 }, 70_000],
        [{ address: 1 }, 1],
      ]),
    ),
    ['MODBUS_VALUE'],
  );
});

test('a device that lacks the function is asked for it once', async (t) => {
  const { simulator, asked, set } = await open(t);
  simulator.unit(1).lacks.add(16);
  const two = [0, 1].map((address) => [{ address }, 5] as const);
  assert.deepEqual(said(await set(two)), [5]);
  assert.deepEqual(said(await set(two)), [5]);
  assert.deepEqual(asked, [16, 6, 6]);
});

test('where one of many is refused, few requests take the line at a time', async (t) => {
  const { simulator, asked, set } = await open(t);
  simulator.unit(1).set('holding', 10, Array(100).fill(0) as number[]);
  const all = Array.from({ length: 115 }, (_, address) => [{ address }, 7] as const);
  let done = 0;
  while (done < 110) {
    const before = asked.length;
    done += (await set(all.slice(done))).length;
    assert.ok(asked.length - before <= 8);
  }
  assert.equal(done, 110);
  assert.ok(asked.length < 40, `${asked.length} requests`);
  assert.deepEqual(new Set(simulator.unit(1).get('holding', 0, 110)), new Set([7]));
});

test('write: single, and bits, go one by one', async (t) => {
  const single = await open(t, { write: 'single' });
  assert.deepEqual(
    said(
      await single.set([
        [{ address: 0 }, 1],
        [{ address: 1 }, 2],
      ]),
    ),
    [1],
  );
  assert.deepEqual(single.asked, [6]);
  const bits = await open(t);
  const bit = { address: 0, type: 'bool', bit: 3 };
  assert.deepEqual(
    said(
      await bits.set([
        [bit, true],
        [{ address: 1 }, 2],
      ]),
    ),
    [true],
  );
});
