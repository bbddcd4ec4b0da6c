import assert from 'node:assert/strict';
import { test } from 'node:test';
import { batches, MAX_BATCH, nextDue, schedule, take } from './schedule.ts';

const TIMED = [
  { name: 'a', everyMs: 1_000 },
  { name: 'b', everyMs: 2_000 },
  { name: 'c', everyMs: 1_000 },
];

test('everything is due at the start, and periods that coincide are read together', () => {
  const start = schedule(TIMED, 100);
  assert.equal(nextDue(start), 100);
  const first = take(start, 100);
  assert.deepEqual(first.names, ['a', 'c', 'b']);
  const second = take(first.schedule, 1_100);
  assert.deepEqual(second.names, ['a', 'c']);
  assert.deepEqual(take(second.schedule, 2_100).names, ['a', 'c', 'b']);
});

test('nothing is taken before something is due', () => {
  const { schedule: after } = take(schedule(TIMED, 0), 0);
  assert.deepEqual(take(after, 999), { names: [], missed: 0, schedule: after });
});

test('what is due within the window joins, without moving its own rate', () => {
  const cadences = [
    { everyMs: 1_000, names: ['a'], nextMs: 0 },
    { everyMs: 1_000, names: ['b'], nextMs: 40 },
    { everyMs: 1_000, names: ['c'], nextMs: 60 },
  ];
  const due = take(cadences, 0);
  assert.deepEqual(due.names, ['a', 'b']);
  assert.deepEqual(
    due.schedule.map(({ nextMs }) => nextMs),
    [1_000, 1_040, 60],
  );
});

test('after being late it skips, never bursts, and counts what it missed', () => {
  const { schedule: after } = take(schedule([{ name: 'a', everyMs: 1_000 }], 0), 0);
  const late = take(after, 4_500);
  assert.equal(late.missed, 3);
  assert.deepEqual(take(late.schedule, 4_600).names, []);
  assert.equal(nextDue(late.schedule), 5_000, 'in its old phase');
});

test('nothing to read is never due', () => {
  assert.equal(nextDue(schedule([], 0)), Infinity);
});

test('batches have a ceiling and lose nothing', () => {
  const items = Array.from({ length: 2 * MAX_BATCH + 1 }, (_, index) => index);
  const pieces = batches(items);
  assert.deepEqual(pieces.flat(), items);
  assert.ok(pieces.every(({ length }) => length <= MAX_BATCH));
});
