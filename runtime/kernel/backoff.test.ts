import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Backoff } from './backoff.ts';

const worst = (): number => 1 - Number.EPSILON;

test('the ceiling doubles from 1 s up to 5 min', () => {
  const backoff = new Backoff({ random: worst });
  const delays = Array.from({ length: 10 }, () => Math.ceil(backoff.next() / 1_000));
  assert.deepEqual(delays, [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
});

test('no delay is shorter than the shortest', () => {
  const backoff = new Backoff({ random: () => 0 });
  for (let i = 0; i < 20; i++) assert.equal(backoff.next(), 1_000);
});

test('delays spread over the whole range, so that nodes do not return together', () => {
  let n = 0;
  const backoff = new Backoff({ minMs: 100, maxMs: 1_100, random: () => (n++ % 100) / 100 });
  for (let i = 0; i < 100; i++) backoff.next();
  const delays = new Set(Array.from({ length: 100 }, () => backoff.next()));
  assert.equal(delays.size, 100);
  assert.equal(Math.min(...delays), 100);
  assert.equal(Math.max(...delays), 1_090);
});

test('a success starts over', () => {
  const backoff = new Backoff({ minMs: 10, maxMs: 1_000, random: () => 0.9 });
  for (const delay of backoff) if (delay > 800) break;
  backoff.reset();
  assert.equal(backoff.next(), 19);
});

test('a range that cannot be is refused', () => {
  assert.throws(() => new Backoff({ minMs: 5, maxMs: 1 }), /minMs <= maxMs, got 5 and 1/);
  assert.throws(() => new Backoff({ minMs: 0 }), RangeError);
});
