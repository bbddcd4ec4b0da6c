import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Json } from '@limpet/dmi';
import { type Bucket, Buckets, type PastGap, type PastSample } from './buckets.ts';

const good = (at: number, value: Json): PastSample => ({ at, value, quality: 'good' });

interface Past {
  readonly samples: readonly PastSample[];
  readonly gaps?: readonly PastGap[];
  readonly before?: PastSample;
  readonly to?: number;
}

function told({ samples, gaps = [], before, to = 400 }: Past): readonly Bucket[] {
  const buckets = new Buckets({ from: 100, bucketMs: 100, before, gaps });
  for (const sample of samples) buckets.add(sample);
  return buckets.end(to);
}

test('a value holds until the next, and the mean is weighted by how long', () => {
  assert.deepEqual(told({ samples: [good(100, 10), good(175, 50)] }), [
    { from: 100, count: 2, heldMs: 100, min: 10, max: 50, mean: 20, last: 50 },
    { from: 200, count: 0, heldMs: 100, min: 50, max: 50, mean: 50, last: 50 },
    { from: 300, count: 0, heldMs: 100, min: 50, max: 50, mean: 50, last: 50 },
  ]);
});

test('what held when it began counts; before anything held there is nothing', () => {
  const [first] = told({ samples: [good(150, 2)], before: good(20, 4) });
  assert.deepEqual(first, { from: 100, count: 1, heldMs: 100, min: 2, max: 4, mean: 3, last: 2 });
  const late = told({ samples: [good(250, 2)] });
  assert.deepEqual(
    late.map(({ from, count, mean }) => [from, count, mean]),
    [
      [200, 1, 2],
      [300, 0, 2],
    ],
  );
});

test('in a gap nothing holds, wherever it begins and ends', () => {
  const gaps = [
    { cause: 'away', from: 110, to: 190 },
    { cause: 'down', from: 220, to: 350 },
  ];
  const samples = [good(110, 1), good(190, 3), good(350, 5)];
  assert.deepEqual(told({ samples, gaps, before: good(50, 9) }), [
    { from: 100, count: 2, heldMs: 20, min: 1, max: 9, mean: 6, last: 3 },
    { from: 200, count: 0, heldMs: 20, min: 3, max: 3, mean: 3, last: 3 },
    { from: 300, count: 1, heldMs: 50, min: 5, max: 5, mean: 5, last: 5 },
  ]);
});

test('a gap that covers a bucket leaves it out, and one that goes on ends it all', () => {
  const samples = [good(150, 1)];
  assert.deepEqual(
    told({ samples, gaps: [{ cause: 'away', from: 160, to: 390 }] }).map(({ from }) => from),
    [100],
  );
  assert.deepEqual(
    told({ samples: [], gaps: [{ cause: 'away', from: 60 }], before: good(50, 7) }),
    [],
  );
  // Over before the value was taken.
  const [bucket] = told({
    samples: [],
    gaps: [{ cause: 'away', from: 10, to: 50 }],
    before: good(50, 7),
  });
  assert.equal(bucket?.mean, 7);
});

test('what is bad or stale holds nothing, and is counted', () => {
  const samples = [good(100, 8), { ...good(150, 8), quality: 'stale' as const }, good(190, 2)];
  const [first] = told({ samples });
  assert.deepEqual(first, { from: 100, count: 3, heldMs: 60, min: 2, max: 8, mean: 7, last: 2 });
});

test('truth values are 0 and 1; texts and JSON only have a last', () => {
  const [flags] = told({ samples: [good(100, true), good(125, false)] });
  assert.deepEqual(flags, {
    from: 100,
    count: 2,
    heldMs: 100,
    min: 0,
    max: 1,
    mean: 0.25,
    last: false,
  });
  const [texts] = told({ samples: [good(100, 'on'), good(150, { a: 1 })] });
  assert.deepEqual(texts, { from: 100, count: 2, heldMs: 100, last: { a: 1 } });
});

test('a value that held for no time is in minimum and maximum', () => {
  const [first] = told({ samples: [good(100, 5), good(150, 99), good(150, 5)] });
  assert.deepEqual(first, { from: 100, count: 3, heldMs: 100, min: 5, max: 99, mean: 5, last: 5 });
});

/** What holds in each millisecond, looked up one by one. */
function meanOf(from: number, samples: readonly PastSample[], gaps: readonly PastGap[]): number {
  const values: number[] = [];
  for (let ms = from; ms < from + 100; ms++) {
    const last = samples.findLast(({ at }) => at <= ms);
    const gap = gaps.findLast((each) => each.from <= ms && each.from >= (last?.at ?? 0));
    if (last?.quality === 'good' && gap === undefined) values.push(Number(last.value));
  }
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function life(below: (n: number) => number): { samples: PastSample[]; gaps: PastGap[] } {
  const samples: PastSample[] = [];
  const gaps: PastGap[] = [];
  for (let at = 60 + below(60); at < 400; at += 1 + below(50)) {
    samples.push({ at, value: below(9), quality: below(6) === 0 ? 'bad' : 'good' });
    if (below(4) > 0) continue;
    const from = at + below(20);
    at = from + 1 + below(80);
    gaps.push({ cause: 'away', from, to: at });
    samples.push(good(at, below(9)));
  }
  return { samples, gaps };
}

test('buckets are what adding the past up millisecond by millisecond gives', () => {
  let state = 7;
  const below = (n: number): number => (state = (state * 48271) % 2147483647) % n;
  for (let each = 0; each < 200; each++) {
    const { samples, gaps } = life(below);
    const before = samples.findLast(({ at }) => at < 100);
    const inside = samples.filter(({ at }) => at >= 100 && at < 400);
    const found = told({ samples: inside, gaps, ...(before && { before }) });
    for (const from of [100, 200, 300]) {
      const mean = meanOf(from, samples, gaps);
      const bucket = found.find((one) => one.from === from);
      if (Number.isNaN(mean)) continue;
      assert.ok(Math.abs((bucket?.mean ?? NaN) - mean) < 1e-9, `life ${each}, ${from}`);
    }
  }
});

test('where what is known is no good value there is a hole, until the next one or a gap', () => {
  const holes = (
    before: PastSample | undefined,
    samples: readonly PastSample[],
    gaps: readonly PastGap[] = [],
  ) => {
    const buckets = new Buckets({ from: 100, bucketMs: 100, before, gaps });
    for (const sample of samples) buckets.add(sample);
    buckets.end(400);
    return buckets.holes();
  };
  const poor = (at: number, quality: 'stale' | 'bad'): PastSample => ({ at, value: 1, quality });
  assert.deepEqual(holes(poor(50, 'stale'), [good(150, 2)]), [
    { cause: 'stale', from: 50, to: 150 },
  ]);
  assert.deepEqual(holes(good(50, 1), [poor(150, 'stale'), poor(160, 'stale'), poor(170, 'bad')]), [
    { cause: 'stale', from: 150, to: 170 },
    { cause: 'bad', from: 170 },
  ]);
  const gaps = [{ cause: 'down', from: 200, to: 300 }];
  assert.deepEqual(holes(undefined, [poor(150, 'bad'), good(300, 1)], gaps), [
    { cause: 'bad', from: 150, to: 200 },
  ]);
  assert.deepEqual(holes(undefined, [good(150, 1)], gaps), []);
});
