import assert from 'node:assert/strict';
import { duplexPair } from 'node:stream';
import { test } from 'node:test';
import type { Clock, Log, MapperContext } from '@limpet/dmi';
import * as v from 'valibot';
import mapper from './mapper.ts';
import { settings } from './settings.ts';
import { ModbusSimulator } from './simulator.ts';
import { visitor } from './visitor.ts';

const clock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  after(ms, task) {
    const timer = setTimeout(task, ms);
    return () => clearTimeout(timer);
  },
};
const log: Log = { debug() {}, info() {}, warn() {}, error() {}, with: () => log };

async function open(simulator: ModbusSimulator, address: string) {
  const context: MapperContext = {
    device: 'default/plc',
    clock,
    log,
    dial: async () => {
      const [ours, theirs] = duplexPair();
      simulator.serve(theirs, address.startsWith('tcp') ? 'tcp' : 'rtu');
      return ours;
    },
  };
  return mapper.connect(v.parse(settings, { address }), context, new AbortController().signal);
}

for (const address of ['tcp://plc', 'rtu:///dev/ttyUSB0']) {
  test(`one refused register does not spoil the batch (${address})`, async () => {
    const simulator = new ModbusSimulator(clock);
    simulator.unit(1).set('holding', 0, [7, 8]);
    simulator.unit(1).set('coil', 4, [1]);
    const connection = await open(simulator, address);
    const visitors = [
      { register: 'holding', address: 0 },
      { register: 'holding', address: 4 },
      { register: 'holding', address: 1 },
      { register: 'coil', address: 4 },
    ].map((fields) => v.parse(visitor, fields));
    const readings = await connection.read(visitors, AbortSignal.timeout(5000));
    assert.deepEqual(
      readings.map((reading) => (reading.ok ? reading.value : reading.error.code)),
      [7, 'MODBUS_EXCEPTION_2', 8, true],
    );
    await connection.close();
  });

  test(`a written value reads back (${address})`, async () => {
    const simulator = new ModbusSimulator(clock);
    simulator.unit(1).set('holding', 10, [0, 0]);
    const connection = await open(simulator, address);
    const setpoint = v.parse(visitor, {
      register: 'holding',
      address: 10,
      type: 'int16',
      scale: 0.1,
    });
    assert.equal(await connection.write(setpoint, 55.3, AbortSignal.timeout(5000)), 55.3);
    assert.deepEqual(simulator.unit(1).get('holding', 10), [553]);
    const [reading] = await connection.read([setpoint], AbortSignal.timeout(5000));
    assert.deepEqual(reading, { ok: true, value: 55.3 });
    await connection.close();
  });
}
