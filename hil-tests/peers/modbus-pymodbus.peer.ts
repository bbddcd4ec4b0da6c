/** The Modbus mapper against pymodbus, over TCP and over a serial line between two pseudo-terminals of socat. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { before, test, type TestContext } from 'node:test';
import { systemClock } from '#runtime/kernel/clock.ts';
import { Bench, freePort, needs, Peer, PYTHON, search } from './modbus-bench.ts';

const LAUNCHER = path.join(import.meta.dirname, 'modbus_device.py');
const holding = (address: number, more: object = {}) => ({ register: 'holding', address, ...more });

before(() => {
  needs(PYTHON, ['-c', 'import pymodbus'], 'python3-pymodbus');
  needs(PYTHON, ['-c', 'import serial_asyncio'], 'python3-serial-asyncio');
  needs('socat', ['-V'], 'socat');
});

interface Rig {
  readonly device: Peer;
  readonly settings: { readonly address: string; readonly timeout: string };
}

async function tcp(t: TestContext): Promise<Rig> {
  const port = await freePort();
  const device = new Peer(t, PYTHON, [LAUNCHER, 'tcp', String(port)]);
  await device.says('READY');
  return { device, settings: { address: `tcp://127.0.0.1:${port}`, timeout: '400ms' } };
}

async function rtu(t: TestContext): Promise<Rig> {
  const folder = mkdtempSync(path.join(tmpdir(), 'limpet-line-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const [near, far] = ['near', 'far'].map((end) => path.join(folder, end)) as [string, string];
  const ends = [near, far].map((link) => `PTY,link=${link},raw,echo=0`);
  new Peer(t, 'socat', ends);
  for (let tries = 0; tries < 250 && !existsSync(far); tries++) await systemClock.sleep(20);
  const device = new Peer(t, PYTHON, [LAUNCHER, 'rtu', far]);
  await device.says('READY');
  const address = `rtu://${near}?baud=19200&parity=none`;
  return { device, settings: { address, timeout: '400ms' } };
}

for (const [over, open] of [
  ['TCP', tcp],
  ['RTU', rtu],
] as const) {
  test(`pymodbus over ${over}: every table is read, in blocks up to the ceilings`, async (t) => {
    const { settings } = await open(t);
    const bench = await Bench.open(t, settings);
    assert.deepEqual(
      await bench.read(
        holding(0),
        holding(65_535),
        { register: 'input', address: 7 },
        { register: 'coil', address: 3 },
        { register: 'discrete', address: 4 },
      ),
      [0, 65_535, 7, true, false],
    );
    const run = Array.from({ length: 300 }, (_, i) => i);
    assert.deepEqual(await bench.read(...run.map((at) => holding(at))), run);
    const bits = Array.from({ length: 2100 }, (_, i) => ({ register: 'coil', address: i }));
    assert.deepEqual(
      await bench.read(...bits),
      bits.map(({ address }) => address % 3 === 0),
    );
  });

  test(`pymodbus over ${over}: the units that answer are found, with what they say they are`, async (t) => {
    const { settings } = await open(t);
    const found = await search(settings.address, { units: '1-4' });
    const description = 'Limpets & Sons PM-5300 V1.2';
    assert.deepEqual(
      found.map(({ name, settings: { unit }, model }) => [name, unit, model?.description]),
      [
        ['pm-5300-1', 1, description],
        ['pm-5300-2', 2, description],
      ],
    );
  });

  test(`pymodbus over ${over}: what is written reads back, by each function`, async (t) => {
    const { settings } = await open(t);
    const bench = await Bench.open(t, settings);
    const cases = [
      [holding(100), 4711],
      [holding(110, { type: 'int16', scale: 0.1 }), -12.3],
      [holding(120, { type: 'float32', order: 'CDAB' }), 55.3],
      [holding(130, { type: 'uint64', order: 'DCBA' }), 2n ** 60n],
      [holding(140, { type: 'string', length: 11 }), 'Boiler 7'],
      [holding(150, { bit: 5 }), true],
      [{ register: 'coil', address: 11 }, true],
    ] as const;
    for (const [visitor, value] of cases) {
      assert.equal(await bench.write(visitor, value), value);
      assert.deepEqual(await bench.read(visitor), [value]);
    }
  });

  test(`pymodbus over ${over}: refusals, silence and late answers`, async (t) => {
    const { device, settings } = await open(t);
    const bench = await Bench.open(t, settings);
    assert.deepEqual(await bench.read(holding(1)), [1]);
    await device.order({ kind: 'exception', code: 4 });
    assert.deepEqual(await bench.read(holding(2)), ['MODBUS_EXCEPTION_4']);
    await device.order({ kind: 'exception', code: 6, times: 2 });
    assert.deepEqual(await bench.read(holding(3)), [3]);
    await device.order({ kind: 'silence' });
    assert.equal(await bench.read(holding(4)), 'Unreachable MODBUS_TIMEOUT');
    await device.order({ kind: 'delay', seconds: 0.5 });
    assert.equal(await bench.read(holding(20)), 'Unreachable MODBUS_TIMEOUT');
    for (const at of [30, 40, 50]) assert.deepEqual(await bench.read(holding(at)), [at]);
  });

  test(`pymodbus over ${over}: two units, and one that is not there`, async (t) => {
    const { settings } = await open(t);
    for (const unit of [1, 2]) {
      const bench = await Bench.open(t, { ...settings, unit });
      assert.deepEqual(await bench.read(holding(9)), [9]);
      await bench.close();
    }
    const nobody = await Bench.open(t, { ...settings, unit: 3 });
    assert.match(
      String(await nobody.read(holding(9))),
      /Unreachable MODBUS_(TIMEOUT|EXCEPTION_11)/,
    );
  });
}

test('pymodbus over TCP: another transaction, another unit, garbage: never a value', async (t) => {
  const { device, settings } = await tcp(t);
  for (const [fault, expected] of [
    [{ kind: 'transaction' }, 'Garbled MODBUS_TRANSACTION'],
    [{ kind: 'unit' }, 'Garbled MODBUS_UNIT'],
    [{ kind: 'raw', hex: 'ab'.repeat(9) }, 'Garbled MODBUS_PROTOCOL'],
  ] as const) {
    const bench = await Bench.open(t, settings);
    assert.deepEqual(await bench.read(holding(5)), [5]);
    await device.order(fault);
    assert.equal(await bench.read(holding(6)), expected);
  }
  assert.deepEqual(await (await Bench.open(t, settings)).read(holding(7)), [7]);
});

test('pymodbus over RTU: a wrong checksum is asked again, and the line goes on', async (t) => {
  const { device, settings } = await rtu(t);
  const bench = await Bench.open(t, settings);
  await device.order({ kind: 'raw', hex: '010302002ab99b' });
  assert.deepEqual(await bench.read(holding(8)), [8]);
  await device.order({ kind: 'raw', hex: '010302002ab99b', times: 2 });
  assert.equal(await bench.read(holding(8)), 'Unreachable MODBUS_CRC');
  assert.deepEqual(await bench.read(holding(9)), [9]);
});
