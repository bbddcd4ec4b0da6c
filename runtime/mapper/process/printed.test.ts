import { fakeClock, recordingLog } from '@limpet/dmi/testing';
import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { test } from 'node:test';
import { LastLines } from './last-lines.ts';
import { Printed } from './printed.ts';

test('the last twenty lines are kept, each to 500 characters, and one that is not finished', () => {
  const told: string[] = [];
  const last = new LastLines((line) => told.push(line));
  for (const letter of 'one\ntw') last.push(letter);
  last.push('o\r\n\n');
  assert.deepEqual(last.lines, ['one', 'two']);
  last.push(`${'x'.repeat(2_000)}\nbegun`);
  assert.equal(last.lines[2], `${'x'.repeat(500)}…`);
  assert.equal(last.lines[3], 'begun');
  for (let n = 0; n < 50; n++) last.push(`\n${n}`);
  assert.deepEqual(last.lines.at(-1), '49');
  assert.equal(last.lines.length, 20);
  assert.equal(told.length, 53);
});

test('a line that never ends takes no memory', () => {
  const last = new LastLines(() => undefined);
  for (let n = 0; n < 1_000; n++) last.push('x'.repeat(10_000));
  assert.equal(last.lines[0]?.length, 501);
});

test("lines of the mapper's log keep their level; others are for debugging; both at a bounded rate", async () => {
  const [clock, log, out] = [fakeClock(), recordingLog(), new PassThrough()];
  const printed = new Printed([out], { clock, log });
  const line = { time: '2026', level: 'warn', protocol: 'spoofed', message: 'slow', device: 'a/b' };
  out.write(`${JSON.stringify(line)}\n{"time":"broken\nhello\n`);
  await turn();
  assert.deepEqual(log.lines, [
    { level: 'warn', message: 'slow', fields: { device: 'a/b' } },
    { level: 'debug', message: 'mapper printed', fields: { line: '{"time":"broken' } },
    { level: 'debug', message: 'mapper printed', fields: { line: 'hello' } },
  ]);
  out.write('again\n'.repeat(1_000));
  await turn();
  assert.equal(log.lines.length, 20);
  await clock.advance(1_000);
  out.write('later\n');
  await turn();
  assert.deepEqual(log.lines.at(-2)?.fields, { lines: 983 });
  assert.equal(printed.lines.at(-1), 'later');
});

test('a process that prints without end waits in its pipe', async () => {
  const [clock, log, out] = [
    fakeClock(),
    recordingLog(),
    new PassThrough({ highWaterMark: 65_536 }),
  ];
  const printed = new Printed([out], { clock, log });
  let written = 0;
  for (; out.write('x'.repeat(65_536)); written += 65_536) await turn();
  assert.ok(out.isPaused());
  assert.ok(written > 200_000 && written < 600_000, String(written));
  await clock.advance(1_000);
  await turn();
  assert.ok(!out.isPaused());
  printed.stop();
});
