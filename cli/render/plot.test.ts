import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type PlotBucket, plotColumns, plotLines } from './plot.ts';

const bucket = (from: number, min: number, mean: number, max: number): PlotBucket => {
  return { from, min, mean, max, heldMs: 1_000 };
};
const SPAN = { from: 0, to: 8_000, bucketMs: 1_000 };

test('each bucket is a band from minimum to maximum with its mean; gaps are marked below', () => {
  const buckets = [bucket(0, 0, 0, 0), bucket(1_000, 0, 15, 29), bucket(2_000, 10, 20, 29)];
  const gaps = [{ from: 4_500, to: 6_000 }];
  assert.deepEqual(
    plotLines({ ...SPAN, buckets: [...buckets, bucket(7_000, 29, 29, 29)], gaps }, 8),
    [
      '29 ┤ ░░    ▔',
      '   ┤ ░░',
      '   ┤ ░░',
      '   ┤ ░▔',
      '   ┤ ▁░',
      '   ┤ ░░',
      '   ┤ ░░',
      '   ┤ ░',
      '   ┤ ░',
      ' 0 ┤▁░',
      '   └────××──',
      '    1970-01-01 00:00Z  1970-01-01 00:00:08Z',
    ],
  );
});

test('buckets share a column where there is no room, and have more where there is', () => {
  const buckets = [0, 1, 2, 3, 4, 5, 6, 7].map((at) => bucket(at * 1_000, at, at, at));
  const half = plotLines({ ...SPAN, buckets, gaps: [] }, 4);
  assert.equal(half.at(-2), '  └────');
  assert.equal(half[9]?.slice(0, 4), '0 ┤▔');
  const twice = plotLines({ ...SPAN, buckets, gaps: [] }, 17);
  assert.equal(twice.at(-2), '  └────────────────');
  assert.equal(twice[0], '7 ┤              ▔▔');
  assert.equal(twice[9], '0 ┤▁▁');
});

test('values all the same are a line, and none at all are no plot', () => {
  const same = [0, 1].map((at) => bucket(at * 1_000, 21.123456, 21.123456, 21.123456));
  assert.equal(plotLines({ ...SPAN, buckets: same, gaps: [] }, 8)[9], '       ┤▁▁');
  assert.deepEqual(plotLines({ ...SPAN, buckets: [], gaps: [{ from: 0, to: 9 }] }, 8), []);
  assert.deepEqual(plotLines({ ...SPAN, buckets: [{ from: 0, heldMs: 5 }], gaps: [] }, 8), []);
});

test('what lies outside of the time is left out', () => {
  const buckets = [bucket(-1_000, 1, 1, 1), bucket(0, 1, 1, 1), bucket(9_000, 1, 1, 1)];
  const gaps = [{ from: 7_500, to: 90_000 }];
  const lines = plotLines({ ...SPAN, buckets, gaps }, 8);
  assert.equal(lines[9]?.trimEnd(), '  ┤▁');
  assert.equal(lines[10], '  └───────×');
});

test('the plot is as wide as the terminal, within reason', () => {
  assert.deepEqual([undefined, 20, 100, 999].map(plotColumns), [66, 40, 86, 146]);
});
