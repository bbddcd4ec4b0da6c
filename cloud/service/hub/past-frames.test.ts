import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readFromEdge } from './frames.ts';

const series = (items: unknown[], more: object = {}) => ({
  device: 'default/a',
  property: 'x',
  since: 1_000,
  n: 7,
  items,
  ...more,
});
const page = (...all: unknown[]): string =>
  JSON.stringify({ type: 'past', run: 'r', n: 9, series: all });

test('a page of history passes as it is', () => {
  const good = series([
    [0, 0, 1.5],
    [-5, 1, { a: [null] }, 'bad'],
    { gap: 'away', from: 3, to: null },
    { gap: 'of-later', from: 3, to: 9 },
  ]);
  const frame = readFromEdge(page(good));
  assert.deepEqual(frame, {
    ok: true,
    message: { type: 'past', run: 'r', n: 9, series: [good] },
    spoiled: 0,
  });
});

test('a series that cannot be used spoils itself only', () => {
  const bad = [
    series([[0, 0]]),
    series([[0, 0, 1, 'good', 5]]),
    series([[0.5, 0, 1]]),
    series([[9e15, 0, 1]]),
    series([[0, 'n', 1]]),
    series([[0, 0, 'x'.repeat(70_000)]]),
    series([{ gap: 'Not a cause', from: 0, to: 1 }]),
    series([{ gap: 'away', from: 0 }]),
    series([7]),
    series([]),
    series([[0, 0, 1]], { device: 'Nowhere' }),
    series([[0, 0, 1]], { n: -1 }),
  ];
  const good = series([[0, 0, 1]]);
  const frame = readFromEdge(page(...bad, good));
  assert.ok(frame.ok && frame.message.type === 'past');
  assert.deepEqual([frame.spoiled, frame.message.series], [bad.length, [good]]);
  // JSON has numbers that no value can be.
  const infinite = readFromEdge(page(good).replace('[0,0,1]', '[0,0,1e999]'));
  assert.ok(infinite.ok && infinite.spoiled === 1);
});
