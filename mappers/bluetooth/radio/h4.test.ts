import assert from 'node:assert/strict';
import { type Duplex, duplexPair } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { test } from 'node:test';
import { ACL_IN, COMMAND, EVENT, H4Error, H4Parser } from './h4.ts';
import { H4Socket } from './socket.ts';

/** Command Complete of Reset, as the specification has it, and data on channel 4 of link 0x40. */
const COMPLETE = Buffer.from('040e0401030c00', 'hex');
const DATA = Buffer.from('0240000700030004000a0300', 'hex');

test('packets are found however the bytes of the line are cut', () => {
  const bytes = Buffer.concat([COMPLETE, DATA, COMPLETE]);
  for (let step = 1; step <= bytes.length; step++) {
    const parser = new H4Parser();
    const packets: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += step)
      packets.push(...parser.take(bytes.subarray(at, at + step)));
    assert.deepEqual(packets, [COMPLETE, DATA, COMPLETE], `${step} bytes at a time`);
    assert.deepEqual([packets[0]?.[0], packets[1]?.[0]], [EVENT, ACL_IN]);
  }
});

test('a stream that is no H4 is said to be none', () => {
  assert.throws(() => new H4Parser().take(Buffer.from([0x55])), H4Error);
  assert.throws(() => new H4Parser().take(Buffer.from([ACL_IN, 0, 0, 0xff, 0x3f])), H4Error);
});

test('a command waits until the controller takes one', async () => {
  const [near, far] = duplexPair();
  const socket = new H4Socket(near);
  socket.start();
  const sent: number[] = [];
  far.on('data', (chunk: Buffer) => sent.push(chunk[1] ?? 0));
  for (const opcode of [1, 2, 3]) socket.write(Buffer.from([COMMAND, opcode, 0, 0]));
  await setImmediate();
  assert.deepEqual(sent, [1]);
  far.write(COMPLETE);
  await setImmediate();
  await setImmediate();
  assert.deepEqual(sent, [1, 2]);
  // Status of a command, which gives leave for two more.
  far.write(Buffer.from('040f040002030c', 'hex'));
  await setImmediate();
  await setImmediate();
  assert.deepEqual(sent, [1, 2, 3]);
  socket.stop();
});

test('an adapter that is pulled out, or babbles, is lost once', async () => {
  for (const end of [
    (far: Duplex) => far.destroy(),
    (far: Duplex) => far.write(Buffer.from('no H4')),
  ]) {
    const [near, far] = duplexPair();
    const socket = new H4Socket(near);
    const losses: Error[] = [];
    socket.on('lost', (error: Error) => losses.push(error));
    socket.start();
    end(far);
    for (let i = 0; i < 5; i++) await setImmediate();
    assert.equal(losses.length, 1);
    assert.equal(socket.isDevUp(), false);
  }
});
