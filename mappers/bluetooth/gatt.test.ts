import assert from 'node:assert/strict';
import { setImmediate } from 'node:timers/promises';
import { test } from 'node:test';
import { fakeClock } from '@limpet/dmi/testing';
import { OP } from './att.ts';
import { Gatt } from './gatt.ts';
import type { Link } from './radio/radio.ts';

test('a long write that is aborted is taken back before anything else is asked', async () => {
  const sent: Buffer[] = [];
  const link: Link = {
    send: (packet) => void sent.push(Buffer.from(packet)),
    receive: () => undefined,
    pair: () => Promise.reject(new Error('it cannot')),
    ended: new Promise(() => undefined),
    disconnect: () => undefined,
  };
  const clock = fakeClock();
  const gatt = new Gatt({ link, clock, answerMs: 4_000, address: 'it', pairs: false });
  const abort = new AbortController();
  const writing = gatt.write(3, Buffer.alloc(60, 7), abort.signal);
  await setImmediate();
  const [part] = sent;
  assert.equal(part?.[0], OP.prepare);
  abort.abort(new Error('enough'));
  await assert.rejects(writing, /enough/);
  const reading = gatt.read(3, new AbortController().signal);
  const echo = Buffer.from(part);
  echo.writeUInt8(OP.prepareResponse);
  link.receive(echo);
  await setImmediate();
  assert.deepEqual(sent.slice(1), [Buffer.from([OP.execute, 0])]);
  link.receive(Buffer.from([OP.executeResponse]));
  await setImmediate();
  assert.deepEqual(sent.slice(2), [Buffer.from([OP.read, 3, 0])]);
  link.receive(Buffer.from([OP.readResponse, 7]));
  assert.deepEqual(await reading, Buffer.from([7]));
  assert.equal(clock.pending, 0);
});
