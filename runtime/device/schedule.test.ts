import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Rounds } from './rounds.ts';
import { batches, MAX_BATCH, nextDue, schedule, take } from './schedule.ts';

const TIMED = [{ everyMs: 1_000 }, { everyMs: 2_000 }, { everyMs: 1_000 }];

test('everything is due at the start, and periods that coincide are read together', () => {
  const start = schedule(TIMED, 100);
  assert.equal(nextDue(start), 100);
  const first = take(start, 100);
  assert.deepEqual(first.periods, [1_000, 2_000]);
  const second = take(first.schedule, 1_100);
  assert.deepEqual(second.periods, [1_000]);
  assert.deepEqual(take(second.schedule, 2_100).periods, [1_000, 2_000]);
});

test('nothing is taken before something is due', () => {
  const { schedule: after } = take(schedule(TIMED, 0), 0);
  assert.deepEqual(take(after, 999), { periods: [], missed: 0, schedule: after });
});

test('what is due within the window joins, without moving its own rate', () => {
  const cadences = [
    { everyMs: 1_000, nextMs: 0 },
    { everyMs: 1_001, nextMs: 40 },
    { everyMs: 1_002, nextMs: 60 },
  ];
  const due = take(cadences, 0);
  assert.deepEqual(due.periods, [1_000, 1_001]);
  assert.deepEqual(
    due.schedule.map(({ nextMs }) => nextMs),
    [1_000, 1_041, 60],
  );
});

test('after being late it skips, never bursts, and counts what it missed', () => {
  const { schedule: after } = take(schedule([{ everyMs: 1_000 }], 0), 0);
  const late = take(after, 4_500);
  assert.equal(late.missed, 3);
  assert.deepEqual(take(late.schedule, 4_600).periods, []);
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

test('a round is what is due in the order of the model, and the same lists when it comes again', () => {
  const planned = ['1s', '2s', '1s', '500ms'].map((every, index) => ({
    index,
    property: { name: `p${index}`, type: 'int', every, visitor: {} } as const,
    visitor: `v${index}`,
    everyMs: [1_000, 2_000, 1_000, 500][index] ?? 0,
  }));
  const rounds = new Rounds(planned);
  const [both, ...more] = rounds.of([2_000, 1_000]);
  assert.deepEqual(both?.visitors, ['v0', 'v1', 'v2']);
  assert.equal(more.length, 0);
  for (const periods of [[500], [1_000], [2_000]]) rounds.of(periods);
  assert.equal(rounds.of([2_000, 1_000])[0], both);
  rounds.of([500, 1_000]);
  assert.notEqual(rounds.of([2_000, 1_000])[0], both, 'so many are kept and no more');
});
