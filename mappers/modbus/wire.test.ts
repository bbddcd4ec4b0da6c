import assert from 'node:assert/strict';
import { duplexPair } from 'node:stream';
import { test } from 'node:test';
import { DmiError, type Value } from '@limpet/dmi';
import { type FakeClock, fakeClock, fakeContext } from '@limpet/dmi/testing';
import * as v from 'valibot';
import mapper from './mapper.ts';
import { settings } from './settings.ts';
import { type Fault, ModbusSimulator } from './simulator.ts';
import { visitor } from './visitor.ts';

const TCP = 'tcp://plc';
const RTU = 'rtu:///dev/ttyUSB0';
const place = (fields: object) => v.parse(visitor, { register: 'holding', ...fields });

/** A device whose register n holds n, and the mapper's connection to it. */
class Bench {
  readonly clock: FakeClock = fakeClock();
  readonly simulator = new ModbusSimulator(this.clock);
  readonly settings: object;
  connection!: Awaited<ReturnType<typeof mapper.connect>>;

  constructor(settings: object) {
    this.settings = settings;
    this.simulator.unit(1).set(
      'holding',
      0,
      Array.from({ length: 200 }, (_, i) => i),
    );
    this.simulator.unit(1).set(
      'coil',
      0,
      Array.from({ length: 100 }, (_, i) => i % 2),
    );
  }

  async connect(): Promise<this> {
    const parsed = v.parse(settings, this.settings);
    const context = fakeContext({
      clock: this.clock,
      wire: (wire) => this.simulator.serve(wire, parsed.framing),
    });
    this.connection = await mapper.connect(parsed, context, new AbortController().signal);
    return this;
  }

  /** Lets time pass until the call is over. */
  async outcome<T>(call: Promise<T>): Promise<T | string> {
    const ended = call.catch((error: unknown) =>
      error instanceof DmiError ? `${error.name} ${error.code}` : String(error),
    );
    let over = false;
    void ended.finally(() => (over = true));
    while (!over) await this.clock.advance(10);
    return ended;
  }

  async read(...fields: readonly (number | object)[]): Promise<unknown> {
    const visitors = fields.map((each) =>
      place(typeof each === 'number' ? { address: each } : each),
    );
    const signal = new AbortController().signal;
    const readings = await this.outcome(this.connection.read(visitors, signal));
    if (typeof readings === 'string') return readings;
    return readings.map((reading) => (reading.ok ? reading.value : reading.error.code));
  }

  write(fields: object, value: Value): Promise<Value> {
    const signal = new AbortController().signal;
    return this.outcome(this.connection.write(place(fields), value, signal));
  }
}

const bench = (address: string, more: object = {}) => new Bench({ address, ...more }).connect();

for (const address of [TCP, RTU]) {
  test(`a late answer is never returned as another register's value (${address})`, async () => {
    for (let lateMs = 900; lateMs <= 3600; lateMs += 20) {
      const late = await bench(address);
      assert.deepEqual(await late.read(10), [10]);
      late.simulator.inject({ kind: 'delay', ms: lateMs });
      const first = await late.read(20);
      if (lateMs < 1000) assert.deepEqual(first, [20]);
      else if (lateMs > 1050) assert.equal(first, 'Unreachable MODBUS_TIMEOUT');
      // Even whoever goes on with the same connection gets the registers asked for, or nothing.
      for (const register of [30, 40, 50, 60, 70]) {
        const found = await late.read(register);
        if (typeof found !== 'string') assert.deepEqual(found, [register], `${lateMs} ms late`);
        else assert.ok(register < 60, `${lateMs} ms late: recovered by then`);
      }
    }
  });

  test(`an aborted read does not shift the next one (${address})`, async () => {
    const aborted = await bench(address);
    assert.deepEqual(await aborted.read(10), [10]);
    aborted.simulator.inject({ kind: 'delay', ms: 50 });
    const abort = new AbortController();
    const call = aborted.connection.read([place({ address: 20 })], abort.signal);
    await aborted.clock.advance(10);
    abort.abort();
    await assert.rejects(call, { name: 'AbortError' });
    assert.deepEqual(await aborted.read(30), [30]);
  });

  test(`one refused register is isolated once, and remembered (${address})`, async () => {
    const holed = await bench(address);
    const unit = holed.simulator.unit(1);
    unit.set('input', 0, [0, 1, 2, 3]);
    unit.set('input', 5, [5, 6]);
    const visitors = [0, 1, 3, 4, 5, 6].map((at) => place({ register: 'input', address: at }));
    const read = async () => {
      const readings = await holed.outcome(
        holed.connection.read(visitors, new AbortController().signal),
      );
      assert.ok(typeof readings !== 'string');
      return readings.map((reading) => (reading.ok ? reading.value : reading.error.code));
    };
    const right = [0, 1, 3, 'MODBUS_EXCEPTION_2', 5, 6];
    assert.deepEqual(await read(), right);
    const learning = holed.simulator.requests;
    assert.deepEqual(await read(), right);
    assert.ok(holed.simulator.requests - learning < learning);
  });

  test(`an answer that comes byte by byte is one answer (${address})`, async () => {
    const slow = await bench(address);
    slow.simulator.inject({ kind: 'trickle', ms: 5 });
    assert.deepEqual(await slow.read(7, 8), [7, 8]);
  });
}

test('each exception has its reaction and its code', async () => {
  for (const [code, expected] of [
    [1, ['MODBUS_EXCEPTION_1']],
    [4, ['MODBUS_EXCEPTION_4']],
    [7, ['MODBUS_EXCEPTION_7']],
    [8, ['MODBUS_EXCEPTION_8']],
    [9, ['MODBUS_EXCEPTION_9']],
    [99, ['MODBUS_EXCEPTION_99']],
    [10, 'Unreachable MODBUS_EXCEPTION_10'],
    [11, 'Unreachable MODBUS_EXCEPTION_11'],
  ] as const) {
    const device = await bench(TCP);
    device.simulator.inject({ kind: 'exception', code });
    assert.deepEqual(await device.read(5), expected);
  }
});

test('a busy device is asked again, and then has refused', async () => {
  const busy = await bench(TCP);
  busy.simulator.inject({ kind: 'exception', code: 6 }, 3);
  assert.deepEqual(await busy.read(5), [5]);
  busy.simulator.inject({ kind: 'exception', code: 6 }, 4);
  assert.deepEqual(await busy.read(5), ['MODBUS_EXCEPTION_6']);
});

test('an acknowledged write is not sent twice', async () => {
  const slow = await bench(TCP);
  slow.simulator.inject({ kind: 'exception', code: 5 });
  assert.equal(await slow.write({ address: 5 }, 1), 1);
  assert.equal(slow.simulator.requests, 1);
});

const NONSENSE: readonly (readonly [what: string, fault: Fault, tcp: string])[] = [
  ['another unit', { kind: 'unit', by: 1 }, 'Garbled MODBUS_UNIT'],
  ['another function', { kind: 'function', by: 1 }, 'Garbled MODBUS_REPLY'],
  ['a future transaction', { kind: 'transaction', by: 1 }, 'Garbled MODBUS_TRANSACTION'],
  [
    'half an answer',
    { kind: 'bytes', change: (f) => f.subarray(0, -1) },
    'Garbled MODBUS_TRUNCATED',
  ],
  [
    'nine stray bytes',
    { kind: 'bytes', change: () => Buffer.alloc(9, 0xab) },
    'Garbled MODBUS_PROTOCOL',
  ],
  ['silence', { kind: 'silence' }, 'Unreachable MODBUS_TIMEOUT'],
  ['a reset', { kind: 'cut', after: 5 }, 'Unreachable MODBUS_CLOSED'],
];
for (const [what, fault, expected] of NONSENSE) {
  test(`${what} is ${expected} on TCP, and a new connection works`, async () => {
    const device = await bench(TCP);
    device.simulator.inject(fault);
    assert.equal(await device.read(5), expected);
    await device.connection.close();
    await device.connect();
    assert.deepEqual(await device.read(5), [5]);
  });
}

test('a wrong checksum is asked again once, then Unreachable; the line goes on', async () => {
  const flip: Fault = {
    kind: 'bytes',
    change: (frame) => Buffer.of(...frame.subarray(0, -1), frame.readUInt8(frame.length - 1) ^ 1),
  };
  const line = await bench(RTU);
  line.simulator.inject(flip);
  assert.deepEqual(await line.read(5), [5]);
  line.simulator.inject(flip, 2);
  assert.equal(await line.read(6), 'Unreachable MODBUS_CRC');
  assert.deepEqual(await line.read(7), [7]);
});

test('a duplicated answer does not shift the next ones', async () => {
  for (const address of [TCP, RTU]) {
    const device = await bench(address);
    device.simulator.inject({ kind: 'bytes', change: (frame) => Buffer.concat([frame, frame]) });
    assert.deepEqual(
      [await device.read(5), await device.read(6), await device.read(7)],
      [[5], [6], [7]],
    );
  }
});

test('values are written by the smallest function, and by the other where the device lacks it', async () => {
  for (const lacks of [[], [5, 6, 22]]) {
    const device = await bench(TCP);
    const unit = device.simulator.unit(1);
    for (const code of lacks) unit.lacks.add(code);
    assert.equal(await device.write({ address: 1, scale: 0.1 }, 55.31), 55.3);
    assert.equal(await device.write({ address: 2, type: 'float32' }, 21.5), 21.5);
    assert.equal(await device.write({ address: 6, bit: 0 }, true), true);
    assert.equal(await device.write({ address: 6, bit: 1 }, false), false);
    assert.equal(await device.write({ register: 'coil', address: 8 }, true), true);
    assert.deepEqual(unit.get('holding', 1, 6), [553, 0x41ac, 0, 4, 5, 5]);
    assert.deepEqual(unit.get('coil', 8), [1]);
  }
});

test('write: single and write: multiple use only their functions', async () => {
  for (const [write, lacks] of [
    ['single', [15, 16]],
    ['multiple', [5, 6]],
  ] as const) {
    const device = await bench(TCP, { write });
    for (const code of lacks) device.simulator.unit(1).lacks.add(code);
    await device.write({ address: 2, type: 'uint32' }, 0x10002);
    await device.write({ register: 'coil', address: 8 }, true);
    await device.write({ address: 9 }, 99);
    assert.deepEqual(device.simulator.unit(1).get('holding', 2, 2), [1, 2]);
    assert.deepEqual(device.simulator.unit(1).get('holding', 9), [99]);
  }
});

test('a broadcast is written to all and read from nobody; over TCP unit 0 is the device', async () => {
  const line = await bench(RTU, { unit: 0 });
  assert.deepEqual(await line.read(5), ['MODBUS_BROADCAST']);
  assert.equal(await line.write({ address: 5 }, 77), 77);
  assert.deepEqual(line.simulator.unit(1).get('holding', 5), [77]);
  const device = await bench(TCP, { unit: 0 });
  device.simulator.unit(0).set('holding', 5, [3]);
  assert.deepEqual(await device.read(5), [3]);
});

test('the last register can be read, and one wider than a request says what to change', async () => {
  const device = await bench(TCP, { maxRegisters: 2 });
  device.simulator.unit(1).set('holding', 65_535, [9]);
  assert.deepEqual(await device.read(65_535), [9]);
  assert.deepEqual(await device.read({ address: 0, type: 'int64' }), ['MODBUS_TOO_WIDE']);
});

test('units of one line take turns, and a late answer of one is not taken for the other', async () => {
  const clock = fakeClock();
  const simulator = new ModbusSimulator(clock);
  simulator.unit(1).set('holding', 0, [11]);
  simulator.unit(2).set('holding', 0, [22]);
  const [line, far] = duplexPair();
  simulator.serve(far, 'rtu');
  const open = (unit: number) =>
    mapper.connect(
      v.parse(settings, { address: RTU, unit }),
      { ...fakeContext({ wire: {}, clock }), dial: () => Promise.resolve(line) },
      new AbortController().signal,
    );
  const ask = async (connection: Awaited<ReturnType<typeof open>>) => {
    const call = connection.read([place({ address: 0 })], new AbortController().signal);
    let over = false;
    const ended = call.then(
      ([reading]) => (reading?.ok ? reading.value : 'refused'),
      (error: DmiError) => error.code,
    );
    void ended.finally(() => (over = true));
    while (!over) await clock.advance(10);
    return ended;
  };
  const [one, two] = [await open(1), await open(2)];
  assert.deepEqual([await ask(one), await ask(two)], [11, 22]);
  simulator.inject({ kind: 'delay', ms: 1300 });
  assert.equal(await ask(one), 'MODBUS_TIMEOUT');
  assert.equal(await ask(two), 22);
});
