import { fakeContext } from '@limpet/dmi/testing';
import { ModbusSimulator } from '@limpet/mapper-modbus/simulator';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bundledMapper } from './bundled-mapper.fixture.ts';
import { modbusCodec } from './modbus-codec.ts';

test('the bundled Modbus mapper carries no ports and no serialport, and reads and writes', async (t) => {
  const { mapper, carried, parse } = await bundledMapper(t, 'modbus', modbusCodec());
  assert.ok(carried.some((file) => file.endsWith('modbus-serial/index.js')));
  assert.deepEqual(
    carried.filter((file) => /serialport|node_modules\/debug|\/ports\/|\/servers\//.test(file)),
    [],
  );

  const context = fakeContext({ wire: (wire) => simulator.serve(wire, 'tcp') });
  const simulator = new ModbusSimulator(context.clock);
  simulator.unit(1).set('holding', 0, [553]);
  const signal = new AbortController().signal;
  const settings = await parse('settings', { address: 'tcp://127.0.0.1' });
  const connection = await mapper.connect(settings, context, signal);
  const visitor = await parse('visitor', { register: 'holding', address: 0, scale: 0.1 });
  assert.deepEqual(await connection.read([visitor], signal), [{ ok: true, value: 55.3 }]);
  assert.equal(await connection.write(visitor, 60, signal), 60);
  assert.deepEqual(await connection.read([visitor], signal), [{ ok: true, value: 60 }]);
  await connection.close();
});
