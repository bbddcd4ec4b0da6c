/** The simulator, on which the mapper's own tests stand, against a master that is not ours: mbpoll, on libmodbus. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { before, test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { ModbusSimulator } from '@limpet/mapper-modbus/simulator';
import { systemClock } from '#runtime/kernel/clock.ts';
import { needs } from './modbus-bench.ts';

const run = promisify(execFile);

before(() => needs('mbpoll', ['-V'], 'mbpoll'));

async function mbpoll(t: TestContext): Promise<(...args: string[]) => Promise<string>> {
  const simulator = new ModbusSimulator(systemClock);
  const unit = simulator.unit(7);
  unit.set('holding', 0, [11, 22, 33, 0x41ac, 0]);
  unit.set('input', 10, [44]);
  unit.set('coil', 0, [1, 0, 1]);
  unit.set('discrete', 0, [0, 1]);
  const server = createServer((socket) => simulator.serve(socket, 'tcp')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const { port } = server.address() as { port: number };
  return async (...args) => {
    const { stdout, stderr } = await run(
      'mbpoll',
      ['-m', 'tcp', '-p', String(port), '-a', '7', '-0', '-1', ...args],
      { timeout: 5000 },
    ).catch((error: unknown) => error as { stdout: string; stderr: string });
    return stdout + stderr;
  };
}

test('mbpoll reads every table of the simulator', async (t) => {
  const ask = await mbpoll(t);
  const values = async (...args: string[]): Promise<string[]> =>
    [...(await ask(...args, '127.0.0.1')).matchAll(/^\[\d+\]:\s+(\S+)/gm)].map((match) =>
      String(match[1]),
    );
  assert.deepEqual(await values('-t', '4', '-r', '0', '-c', '3'), ['11', '22', '33']);
  assert.deepEqual(await values('-t', '3', '-r', '10'), ['44']);
  assert.deepEqual(await values('-t', '0', '-r', '0', '-c', '3'), ['1', '0', '1']);
  assert.deepEqual(await values('-t', '1', '-r', '0', '-c', '2'), ['0', '1']);
  assert.deepEqual(await values('-t', '4:float', '-B', '-r', '3'), ['21.5']);
});

test('mbpoll writes one and several registers and coils of the simulator', async (t) => {
  const ask = await mbpoll(t);
  for (const args of [
    ['-t', '4', '-r', '1', '127.0.0.1', '99'],
    ['-t', '4', '-r', '0', '127.0.0.1', '5', '6', '7'],
    ['-t', '0', '-r', '1', '127.0.0.1', '1'],
    ['-t', '0', '-r', '0', '127.0.0.1', '0', '1', '0'],
  ]) {
    assert.match(await ask(...args), /Written \d+ references?/);
  }
  assert.match(
    await ask('-t', '4', '-r', '0', '-c', '3', '127.0.0.1'),
    /\[0\]:\s+5\s+\[1\]:\s+6\s+\[2\]:\s+7/,
  );
  assert.match(
    await ask('-t', '0', '-r', '0', '-c', '3', '127.0.0.1'),
    /\[0\]:\s+0\s+\[1\]:\s+1\s+\[2\]:\s+0/,
  );
});

test('mbpoll is refused a register that the simulator does not have', async (t) => {
  const ask = await mbpoll(t);
  assert.match(await ask('-t', '4', '-r', '500', '127.0.0.1'), /Illegal data address/);
});
