/** The Modbus mapper against libmodbus's unit-test-server: what real C firmware says, and its magic addresses. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test, type TestContext } from 'node:test';
import { Bench, freePort, listening, needs, Peer } from './modbus-bench.ts';

const EXAMPLES = '/usr/share/doc/libmodbus-dev/examples';
const folder = mkdtempSync(path.join(tmpdir(), 'limpet-libmodbus-'));
const holding = (address: number, more: object = {}) => ({ register: 'holding', address, ...more });

before(() => {
  const source = path.join(EXAMPLES, 'unit-test-server.c');
  assert.ok(existsSync(source), 'install the Debian package libmodbus-dev');
  needs('gcc', ['--version'], 'gcc');
  needs('pkg-config', ['--version'], 'pkg-config');
});
after(() => rmSync(folder, { recursive: true }));

/** The server, its port changed from the 1502 that is written in its source. It serves one connection. */
async function open(t: TestContext): Promise<Bench> {
  const port = await freePort();
  const source = path.join(folder, `server-${port}.c`);
  const program = path.join(folder, `server-${port}`);
  const text = readFileSync(path.join(EXAMPLES, 'unit-test-server.c'), 'utf8');
  assert.ok(text.includes('"127.0.0.1", 1502'), 'unit-test-server.c names another port than 1502');
  writeFileSync(source, text.replace('"127.0.0.1", 1502', `"127.0.0.1", ${port}`));
  const flags = execFileSync('pkg-config', ['--cflags', '--libs', 'libmodbus'], {
    encoding: 'utf8',
  });
  execFileSync('gcc', ['-w', `-I${EXAMPLES}`, source, '-o', program, ...flags.trim().split(/\s+/)]);
  new Peer(t, program, ['tcp']);
  await listening(port);
  return Bench.open(t, { address: `tcp://127.0.0.1:${port}`, unit: 255, timeout: '400ms' });
}

test('libmodbus: what its own tests hold is read, and what is written reads back', async (t) => {
  const bench = await open(t);
  const bits = Array.from({ length: 8 }, (_, i) => ({ register: 'discrete', address: 0x1c4 + i }));
  assert.deepEqual(
    await bench.read(...bits, { register: 'input', address: 0x108 }),
    [false, false, true, true, false, true, false, true, 10], // 0xAC, least significant bit first
  );
  for (const [visitor, value] of [
    [holding(0x160), 0x1234],
    [holding(0x162, { type: 'float64' }), 123_456.5],
    [holding(0x166, { bit: 9 }), true],
    [{ register: 'coil', address: 0x130 }, true],
  ] as const) {
    assert.equal(await bench.write(visitor, value), value);
    assert.deepEqual(await bench.read(visitor), [value]);
  }
});

test('libmodbus: a register that is not there does not spoil the batch', async (t) => {
  const bench = await open(t);
  await bench.write(holding(0x160), 5);
  assert.deepEqual(await bench.read(holding(0x15f), holding(0x160), holding(0x400)), [
    'MODBUS_EXCEPTION_2',
    5,
    'MODBUS_EXCEPTION_2',
  ]);
});

test('libmodbus: a busy device has refused after four tries', async (t) => {
  assert.deepEqual(await (await open(t)).read(holding(0x170)), ['MODBUS_EXCEPTION_6']);
});

test('libmodbus: an answer under another transaction id is never a value', async (t) => {
  assert.equal(await (await open(t)).read(holding(0x171)), 'Garbled MODBUS_TRANSACTION');
});

test('libmodbus: an answer half a second late never becomes the value of the next register', async (t) => {
  const bench = await open(t);
  await bench.write(holding(0x160), 5);
  assert.equal(await bench.read(holding(0x172)), 'Unreachable MODBUS_TIMEOUT');
  assert.deepEqual(await bench.read(holding(0x160)), [5]);
});

test('libmodbus: fewer registers than asked for are garbled, not padded', async (t) => {
  assert.equal(
    await (await open(t)).read(holding(0x160, { type: 'uint32' })),
    'Garbled MODBUS_REPLY',
  );
});
