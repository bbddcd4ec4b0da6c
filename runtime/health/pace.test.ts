/** The pace of commits: a table of single looks, and whole days of a plant that was measured. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { beyond, LONGEST_MS, lookAfterMs, type Pace, paced, projected } from './pace.ts';
import { resumed, SHORTEST_MS, type Span, UNPACED } from './pace.ts';

const GIB = 2 ** 30;
const BUDGET = 2 * GIB;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** Bytes per 5 s that use the even share of the budget up. */
const FAIR = (0.94 * BUDGET * 5_000) / DAY;
const STILL: Span = { elapsedMs: 5_000, paced: 0, other: 0 };

for (const [name, before, span, intervalMs] of [
  ['nothing written: as soon as possible', { intervalMs: 10 }, STILL, 10],
  ['nothing written any more: step by step sooner', { intervalMs: 1_000 }, STILL, 800],
  ['twice the share: twice as far apart', { intervalMs: 100 }, { ...STILL, paced: 2 * FAIR }, 202],
  ['a flood: eightfold, not more at once', { intervalMs: 10 }, { ...STILL, paced: 1e9 }, 80],
  ['a flood at the longest: stays', { intervalMs: 9_000 }, { ...STILL, paced: 1e9 }, LONGEST_MS],
  [
    'orders use it all up: the longest interval',
    { intervalMs: 5_000 },
    { ...STILL, other: 1e9 },
    10_000,
  ],
  [
    'much saved up: a lively minute costs no pace',
    { intervalMs: 10, credit: 0.03 * BUDGET },
    { ...STILL, paced: 4 * FAIR },
    10,
  ],
  [
    'much owed: half the share is too much',
    { intervalMs: 100, credit: -0.03 * BUDGET },
    { ...STILL, paced: FAIR / 2 },
    800,
  ],
] as const) {
  test(`one look: ${name}`, () => {
    const pace = paced({ ...UNPACED, ...before }, span, BUDGET);
    assert.equal(Math.round(pace.intervalMs), intervalMs);
  });
}

test('no time passed, nothing changes', () => {
  assert.equal(paced(UNPACED, { elapsedMs: 0, paced: 5, other: 5 }, BUDGET), UNPACED);
});

test('a pause of the process pays the allowance of at most a day, a clock that went back none', () => {
  const owing = { ...UNPACED, credit: -0.03 * BUDGET };
  assert.equal(resumed(owing, -HOUR, BUDGET).credit, owing.credit);
  assert.equal(resumed(owing, 400 * DAY, BUDGET).credit, 0.03 * BUDGET);
  const hour = resumed(owing, HOUR / 4, BUDGET).credit - owing.credit;
  assert.ok(Math.abs(hour - (0.94 * BUDGET) / 96) < 1);
});

/**
 * Properties that change at a rate, spread over the pages of the store, as measured on ext4: a commit writes a
 * WAL frame per page it touches, and the checkpoint writes each of those pages once in 1,000 frames.
 */
function plant(changesPerS: number, pages: number) {
  const bytes = (intervalMs: number): number => {
    const rows = Math.max(1, (changesPerS * intervalMs) / 1000);
    const touched = pages * (1 - (1 - 1 / pages) ** rows);
    return touched * 4_120 * (1 + Math.min(1, pages / 1_000));
  };
  /** What is written in a span at an interval; a plant that changes less often commits less often. */
  return (intervalMs: number, elapsedMs: number): number => {
    const commits = Math.min(elapsedMs / intervalMs, (changesPerS * elapsedMs) / 1000);
    return commits * bytes(Math.max(intervalMs, 1000 / changesPerS));
  };
}

type Load = (intervalMs: number, elapsedMs: number, at: number) => Pick<Span, 'paced' | 'other'>;

function day(load: Load, from: Pace = UNPACED) {
  let pace = from;
  let written = 0;
  const intervals: { at: number; ms: number }[] = [];
  for (let at = 0; at < DAY;) {
    const elapsedMs = lookAfterMs(pace);
    const bytes = load(pace.intervalMs, elapsedMs, at);
    written += bytes.paced + bytes.other;
    pace = paced(pace, { elapsedMs, ...bytes }, BUDGET);
    at += elapsedMs;
    intervals.push({ at, ms: pace.intervalMs });
  }
  return { pace, written, intervals };
}

const lively = plant(1_000, 40);
const quiet = plant(1, 40);

test('a day of a thousand changes a second stays within the budget and uses most of it', () => {
  const { written, intervals, pace } = day((ms, elapsed) => ({
    paced: lively(ms, elapsed),
    other: 0,
  }));
  assert.ok(written <= BUDGET, `${written / GIB} GiB`);
  assert.ok(written > 0.85 * BUDGET, `${written / GIB} GiB`);
  const settled = intervals.filter(({ at }) => at > 2 * HOUR).map(({ ms }) => ms);
  assert.ok(Math.max(...settled) < 1.6 * Math.min(...settled), 'it settles');
  assert.ok(Math.abs(projected(pace) - 0.94 * BUDGET) < 0.1 * BUDGET, `${projected(pace) / GIB}`);
});

test('a quiet day is committed at once, all day', () => {
  const { written, intervals } = day((ms, elapsed) => ({ paced: quiet(ms, elapsed), other: 0 }));
  assert.ok(written < BUDGET);
  assert.ok(intervals.every(({ ms }) => ms === SHORTEST_MS));
});

test('a lively hour after quiet ones is paid from what they saved, then slows down', () => {
  const noon = (at: number) => at > 12 * HOUR && at < 13 * HOUR;
  const { written, intervals } = day((ms, elapsed, at) => ({
    paced: (noon(at) ? lively : quiet)(ms, elapsed),
    other: 0,
  }));
  assert.ok(written <= BUDGET);
  const ms = (at: number) => intervals.find((each) => each.at > at)?.ms ?? 0;
  assert.ok(ms(12.2 * HOUR) < ms(12.9 * HOUR), 'the savings let it commit sooner at first');
  assert.equal(ms(14 * HOUR), SHORTEST_MS, 'and afterwards nothing waits again');
});

test('many orders take their share first', () => {
  const { written, intervals } = day((ms, elapsed) => ({
    paced: lively(ms, elapsed),
    other: (0.2 * BUDGET * elapsed) / DAY,
  }));
  assert.ok(written <= BUDGET);
  assert.ok((intervals.at(-1)?.ms ?? 0) > 1_000);
});

test('a load that no interval can carry is said to be beyond, and no interval is longer than 10 s', () => {
  const flood = plant(20_000, 5_000);
  const { pace, intervals } = day((ms, elapsed) => ({ paced: flood(ms, elapsed), other: 0 }));
  assert.equal(pace.intervalMs, LONGEST_MS);
  assert.ok(beyond(pace, BUDGET));
  assert.ok(intervals.every(({ ms }) => ms <= LONGEST_MS));
});

test('many restarts in a day get one budget, not one each', () => {
  let pace: Pace = UNPACED;
  let written = 0;
  for (let at = 0, looks = 1; at < DAY; looks++) {
    const elapsedMs = lookAfterMs(pace);
    const bytes = lively(pace.intervalMs, elapsedMs);
    written += bytes;
    pace = paced(pace, { elapsedMs, paced: bytes, other: 0 }, BUDGET);
    at += elapsedMs;
    if (looks % 3 === 0) pace = resumed(pace, 0, BUDGET);
  }
  assert.ok(written <= BUDGET, `${written / GIB} GiB`);
});
