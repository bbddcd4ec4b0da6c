import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Garbled } from '@limpet/dmi';
import { Ceiling, skippedOf } from './ceiling.ts';

/** A PUBLISH of QoS 1 on topic `big`, number 7, as MQTT 3.1.1 lays it out. */
function publish(payload: Buffer): Buffer {
  const body = Buffer.concat([
    Buffer.from([0, 3]),
    Buffer.from('big'),
    Buffer.from([0, 7]),
    payload,
  ]);
  const length: number[] = [];
  for (let rest = body.length; rest > 0; rest >>= 7)
    length.push((rest & 127) | (rest > 127 ? 128 : 0));
  return Buffer.concat([Buffer.from([0x32, ...length]), body]);
}

function through(ceiling: Ceiling, bytes: Buffer, step: number): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += step) {
    for (const part of ceiling.take(bytes.subarray(at, at + step))) parts.push(Buffer.from(part));
  }
  return Buffer.concat(parts);
}

const PINGRESP = Buffer.from([0xd0, 0]);

for (const step of [1, 3, 100, 1_000_000]) {
  test(`what is not too large goes on as it came, in pieces of ${step}`, () => {
    const bytes = Buffer.concat([
      publish(Buffer.alloc(900, 1)),
      PINGRESP,
      publish(Buffer.alloc(0)),
    ]);
    assert.deepEqual(through(new Ceiling(1_000, 4), bytes, step), bytes);
  });

  test(`of a large PUBLISH topic, number and size go on, in pieces of ${step}`, () => {
    const bytes = Buffer.concat([PINGRESP, publish(Buffer.alloc(20_000, 1)), PINGRESP]);
    const found = through(new Ceiling(1_000, 4), bytes, step);
    assert.deepEqual(found.subarray(0, 2), PINGRESP);
    assert.deepEqual(found.subarray(-2), PINGRESP);
    const emptied = found.subarray(2, -2);
    assert.equal(emptied[1], emptied.length - 2, 'its length is its own');
    assert.equal(emptied.toString('latin1', 2, 9), '\0\x03big\0\x07');
    assert.equal(skippedOf(emptied.subarray(9)), 20_000);
  });
}

test('in MQTT 5 the properties go with the payload', () => {
  const [head = Buffer.alloc(0)] = new Ceiling(1_000, 5).take(publish(Buffer.alloc(20_000)));
  assert.equal(head[9], 0);
  assert.equal(skippedOf(head.subarray(10)), 20_000);
});

test('only a mark is a mark', () => {
  assert.equal(skippedOf(Buffer.alloc(0)), 0);
  assert.equal(skippedOf(Buffer.alloc(20, 1)), 0);
});

for (const [what, bytes] of [
  ['a SUBACK of a megabyte', Buffer.from([0x90, 0x80, 0x80, 0x40])],
  ['a length of five bytes', Buffer.from([0x30, 0xff, 0xff, 0xff, 0xff])],
  ['a topic longer than its message', Buffer.from([0x30, 0xff, 0x0f, 0xff, 0xff])],
] as const) {
  test(`${what} is Garbled`, () => {
    assert.throws(() => new Ceiling(1_000, 4).take(bytes), Garbled);
  });
}
