import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import * as v from 'valibot';
import { formatQuantity, parseQuantity, quantity } from './quantity.ts';

test('sizes are read as Kubernetes writes them, binary and decimal', () => {
  const table: [string | number, number | undefined][] = [
    ['26Mi', 27_262_976],
    ['30M', 30_000_000],
    ['1Gi', 2 ** 30],
    ['2G', 2e9],
    ['16Ki', 16_384],
    ['5k', 5_000],
    ['1.5Gi', 1.5 * 2 ** 30],
    ['1048576', 1_048_576],
    [4096, 4096],
    [0, 0],
    ['', undefined],
    ['26mi', undefined],
    ['26 Mi', undefined],
    ['26MB', undefined],
    ['-1Mi', undefined],
    ['1e6', undefined],
    [1.5, undefined],
    ['0.3', undefined],
    [-1, undefined],
    [Number.NaN, undefined],
    [Infinity, undefined],
    ['9999999999999999Gi', undefined],
  ];
  for (const [text, bytes] of table) assert.equal(parseQuantity(text), bytes, String(text));
});

test('a size is written in the shortest exact way', () => {
  assert.deepEqual([27_262_976, 30_000_000, 1_500, 0, 2 ** 30].map(formatQuantity), [
    '26Mi',
    '30M',
    '1500',
    '0',
    '1Gi',
  ]);
});

test('what is written is read back as the same size', () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), (bytes) => parseQuantity(formatQuantity(bytes)) === bytes),
  );
});

test('a document with a wrong size is told what a size looks like', () => {
  const wrong = v.safeParse(quantity(), '26 MB');
  assert.match(wrong.issues?.[0].message ?? '', /must be a size like 26Mi.*found text/);
  assert.equal(v.parse(quantity(), '14Mi'), 14 * 2 ** 20);
});
