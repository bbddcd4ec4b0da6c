/** The mapper and the simulator against modbus-serial's own server and client, whole and untamed. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { test, type TestContext } from 'node:test';
import { ModbusSimulator } from '@limpet/mapper-modbus/simulator';
import modbusSerial from 'modbus-serial';
import { systemClock } from '#runtime/kernel/clock.ts';
import { Bench, freePort, listening } from './modbus-bench.ts';

test("modbus-serial's server is read and written", async (t) => {
  const registers = new Map<number, number>([[5, 553]]);
  const coils = new Map<number, boolean>();
  const port = await freePort();
  const server = new modbusSerial.ServerTCP(
    {
      getInputRegister: (address: number) => address,
      getHoldingRegister: (address: number) => registers.get(address) ?? 0,
      getCoil: (address: number) => coils.get(address) ?? false,
      setRegister: (address: number, value: number) => void registers.set(address, value),
      setCoil: (address: number, value: boolean) => void coils.set(address, value),
    },
    { host: '127.0.0.1', port, unitID: 1 },
  );
  t.after(() => new Promise<void>((resolve) => server.close(() => resolve())));
  await listening(port);
  const bench = await Bench.open(t, { address: `tcp://127.0.0.1:${port}` });
  const setpoint = { register: 'holding', address: 5, scale: 0.1 };
  const pump = { register: 'coil', address: 2 };
  assert.deepEqual(await bench.read(setpoint, { register: 'input', address: 9 }), [55.3, 9]);
  assert.equal(await bench.write(setpoint, 60), 60);
  assert.equal(await bench.write(pump, true), true);
  assert.equal(await bench.write({ register: 'holding', address: 8, type: 'float32' }, 21.5), 21.5);
  assert.deepEqual(await bench.read(setpoint, pump), [60, true]);
  assert.deepEqual([registers.get(8), registers.get(9)], [0x41ac, 0]);
  await bench.close();
});

async function client(t: TestContext, framing: 'tcp' | 'rtu') {
  const simulator = new ModbusSimulator(systemClock);
  simulator.unit(1).set('holding', 0, [1, 2, 3]);
  simulator.unit(1).set('coil', 0, [0, 0]);
  const server = createServer((socket) => simulator.serve(socket, framing)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const master = new modbusSerial.default();
  master.setTimeout(2000);
  master.setID(1);
  if (framing === 'tcp') await master.connectTCP('127.0.0.1', { port });
  else await master.connectTelnet('127.0.0.1', { port });
  t.after(() => {
    master.close(() => undefined);
    server.close();
  });
  return { simulator, master };
}

for (const framing of ['tcp', 'rtu'] as const) {
  test(`modbus-serial's client reads and writes the simulator (${framing} frames)`, async (t) => {
    const { simulator, master } = await client(t, framing);
    assert.deepEqual((await master.readHoldingRegisters(0, 3)).data, [1, 2, 3]);
    await master.writeRegister(1, 77);
    await master.writeRegisters(1, [78, 79]);
    // modbus-serial's own RTU ports wait in vain for the answer to function 22.
    if (framing === 'tcp') await master.maskWriteRegister(0, 0xfff0, 0x0004);
    else await master.writeRegister(0, 4);
    await master.writeCoils(0, [true, true]);
    assert.deepEqual(simulator.unit(1).get('holding', 0, 3), [4, 78, 79]);
    assert.deepEqual(simulator.unit(1).get('coil', 0, 2), [1, 1]);
    await assert.rejects(master.readHoldingRegisters(90, 1), { modbusCode: 2 });
  });
}
