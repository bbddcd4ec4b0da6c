import assert from 'node:assert/strict';
import { test } from 'node:test';
import { changesOf, type Past, type Sample, summaryOf } from './past.ts';
import { changeTable, gapTable, plotted, summaryLine } from './show.ts';
import { bucketOf, spanOf } from './span.ts';

const START = Date.UTC(2026, 0, 1);
const at = (seconds: number): string => new Date(START + seconds * 1_000).toISOString();
const LOOK = { columns: 10, colour: false };
const PAST: Past = {
  from: START,
  to: START + 600_000,
  bucketMs: 60_000,
  buckets: [
    { from: at(0), count: 2, heldMs: 60_000, min: 1, mean: 2, max: 4, last: 2 },
    { from: at(60), count: 1, heldMs: 20_000, min: 6, mean: 6, max: 6, last: 6 },
  ],
  gaps: [
    { cause: 'unseen', from: at(80), to: at(260) },
    { cause: 'odd\u001b', from: at(400) },
  ],
};

test('the summary weighs each bucket by how long anything held', () => {
  const summary = summaryOf(PAST);
  assert.deepEqual(summary, { min: 1, mean: 3, max: 6, last: 6, count: 3, known: 80 / 600 });
  assert.equal(
    summaryLine(summary, 60_000, 'Cel'),
    'min 1 Cel, mean 3 Cel, max 6 Cel, last 6 Cel, 3 samples, known 13.3% of the time, bucket 1m',
  );
  const nothing = summaryOf({ ...PAST, buckets: [] });
  assert.equal(summaryLine(nothing, 60_000), '0 samples, known 0% of the time');
});

test('gaps are marked in the plot, and listed with how long and why', () => {
  assert.equal(plotted(PAST, LOOK).at(-2), '  └─××××─××××');
  assert.deepEqual(gapTable(PAST.gaps, START + 700_000, LOOK), [
    '',
    'GAP FROM                   LENGTH          CAUSE',
    '2026-01-01T00:01:20.000Z   3m0s            unseen: the node was away from the cloud, which alone records this',
    '2026-01-01T00:06:40.000Z   5m0s, goes on   odd·',
  ]);
  assert.deepEqual(gapTable([], START, LOOK), []);
});

test('changes say how long each value held: until the next, or a gap', () => {
  const sample = (seconds: number, value: string): Sample => {
    return { at: at(seconds), value, quality: 'good' };
  };
  const samples = [sample(0, 'on'), sample(20, 'on'), sample(50, 'off'), sample(260, 'off')];
  const changes = changesOf(samples, PAST);
  assert.deepEqual(
    changes.map(({ at: from, value, heldMs }) => [from, value, heldMs / 1_000]),
    [
      [at(0), 'on', 50],
      [at(50), 'off', 30],
      [at(260), 'off', 140],
    ],
  );
  const stale: Sample = { at: at(20), value: 'on', quality: 'stale' };
  const gaps = [{ cause: 'stale', from: at(20), to: at(60) }];
  const aged = changesOf([sample(0, 'on'), stale, sample(60, 'on')], { ...PAST, gaps });
  assert.deepEqual(
    aged.map(({ heldMs }) => heldMs / 1_000),
    [20, 40, 540],
  );
  assert.deepEqual(changeTable(changes.slice(0, 1), LOOK), [
    'FROM                       FOR   QUALITY   VALUE',
    '2026-01-01T00:00:00.000Z   50s   good      on',
  ]);
});

test('the time is what the options say, and a bucket fits the width', () => {
  const now = START;
  assert.deepEqual(spanOf({}, now), { from: now - 86_400_000, to: now });
  assert.deepEqual(spanOf({ since: '1h', to: '2025-12-01T00:00:00Z' }, now), {
    from: Date.UTC(2025, 10, 30, 23),
    to: Date.UTC(2025, 11, 1),
  });
  assert.equal(spanOf({ from: '2025-12-01' }, now).from, new Date(2025, 11, 1).getTime());
  assert.throws(() => spanOf({ since: '1h', from: '2025-12-01' }, now), /give one/);
  assert.throws(() => spanOf({ from: '2027-01-01' }, now), /--from must be before now/);
  assert.throws(() => spanOf({ from: 'noon' }, now), /--from must be a time like 2026-11-22/);
  assert.throws(() => spanOf({ since: '1 hour' }, now), /--since must be a duration like 10m/);
  const day = spanOf({}, now);
  assert.equal(bucketOf('auto', day, 66), 30 * 60_000);
  assert.equal(bucketOf('auto', day, 146), 10 * 60_000);
  assert.equal(bucketOf('5m', day, 66), 5 * 60_000);
  assert.equal(bucketOf('auto', spanOf({ since: '3650d' }, now), 66), 57 * 86_400_000);
  assert.throws(() => bucketOf('1s', day, 66), /too short for so long a time: 2s or more, or auto/);
  assert.throws(() => bucketOf('often', day, 66), /--bucket must be a duration.*or auto/);
});
