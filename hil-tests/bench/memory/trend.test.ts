import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Point, theilSen, thinned, trend } from './trend.ts';

/** A saw of 3 MB, as a garbage collector draws it, on a line that rises by `leak` bytes a second. */
function saw(seconds: number, leak: number): readonly Point[] {
  return Array.from({ length: seconds / 2 }, (_, i) => ({
    s: 2 * i,
    bytes: 20e6 + (i % 7) * 5e5 + 2 * i * leak,
  }));
}

test('a saw that does not rise holds, however it is cut off', () => {
  for (const seconds of [90, 100, 3600]) {
    const found = trend({ name: 'core', points: saw(seconds, 0) });
    assert.ok(found.holds, JSON.stringify(found));
  }
});

test('a leak of 100 kB/s is found in 90 s, one of 1 kB/s in two hours', () => {
  assert.equal(trend({ name: 'core', points: saw(90, 100_000) }).holds, false);
  assert.equal(trend({ name: 'core', points: saw(7200, 1000) }).holds, false);
  assert.equal(trend({ name: 'core', points: saw(7200, 100) }).holds, true);
});

test('a busy machine at the end of a short soak is not taken for a leak', () => {
  // Seen: spikes of 4 to 8 MB in the last half minute, while eight others used the same two cores.
  const seen = [
    21.6, 22, 21.6, 21.9, 22.2, 21.6, 22, 21.6, 21.1, 21.4, 22.9, 23.1, 21.9, 23.8, 21.6, 20.8,
    21.1, 25.9, 21.2, 22.7, 25.1, 25.6, 23.4, 23.7, 24.6, 27.4, 24.4, 25.6,
  ];
  const points = [...seen.map(() => 22), ...seen].map((mb, i) => ({ s: 2 * i, bytes: mb * 1e6 }));
  const found = trend({ name: 'core', points });
  assert.ok(found.bytesPerHour > found.atLeastPerHour);
  assert.equal(found.holds, true, JSON.stringify(found));
});

test('one sample far off does not turn the slope', () => {
  const points = [...saw(600, 0)];
  points[points.length - 3] = { s: 594, bytes: 900e6 };
  assert.ok(Math.abs(theilSen(points).slope) < 100);
});

test('what comes before the second half does not count', () => {
  const points = saw(120, 0).map(({ s, bytes }) => ({ s, bytes: s < 55 ? s * 3e5 : bytes }));
  assert.ok(trend({ name: 'core', points }).holds);
});

test('thinning keeps the line, and a short series as it is', () => {
  const long = saw(20_000, 1000);
  assert.equal(thinned(long, 600).length <= 600, true);
  assert.ok(Math.abs(theilSen(thinned(long, 600)).slope - 1000) < 20);
  assert.equal(thinned(saw(90, 0), 600).length, 45);
});

test('too few samples are refused, not judged', () => {
  assert.throws(() => trend({ name: 'core', points: saw(20, 0) }), /8 samples/);
});
