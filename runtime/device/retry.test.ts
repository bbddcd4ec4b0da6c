import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEAD_SHARE, restMs, Retry } from './retry.ts';

const WINDOW_MS = 600_000;

/** mulberry32 */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The most that attempts take of any window; it is enough to look at windows that begin with an attempt. */
function worstWindow(attempts: readonly { from: number; to: number }[]): number {
  return Math.max(
    ...attempts.map(({ from: begin }) => {
      const end = begin + WINDOW_MS;
      return attempts.reduce(
        (sum, { from, to }) => sum + Math.max(0, Math.min(to, end) - Math.max(from, begin)),
        0,
      );
    }),
  );
}

test('a dead slave never takes more than its share of any ten minutes', () => {
  for (let seed = 1; seed <= 200; seed++) {
    const random = seeded(seed);
    const costMs = Math.ceil(random() * 20_000);
    // Half of the lives are unlucky: jitter always picks the shortest delay.
    const retry = new Retry(seed % 2 === 0 ? random : () => 0);
    const attempts: { from: number; to: number }[] = [];
    for (let now = 0; now < 4 * WINDOW_MS;) {
      attempts.push({ from: now, to: now + costMs });
      now += costMs + retry.failed(costMs);
    }
    const worst = worstWindow(attempts);
    assert.ok(
      worst <= DEAD_SHARE * WINDOW_MS + 1,
      `seed ${seed}: ${costMs} ms each, ${worst} in all`,
    );
  }
});

test('a slave that answers now and then cannot take more by flapping', () => {
  for (let seed = 1; seed <= 100; seed++) {
    const random = seeded(seed);
    const retry = new Retry(() => 0);
    const attempts: { from: number; to: number }[] = [];
    for (let now = 0; now < 3 * WINDOW_MS;) {
      attempts.push({ from: now, to: now + 1_000 });
      now += 1_000 + retry.failed(1_000);
      if (random() < 0.5) retry.succeeded();
    }
    assert.ok(worstWindow(attempts) <= DEAD_SHARE * WINDOW_MS, `seed ${seed}`);
  }
});

test('alone on its port it is retried by backoff only: 1 s at first, 5 min at most', () => {
  const retry = new Retry(() => 0.999);
  const delays = Array.from({ length: 12 }, () => retry.failed(0));
  assert.ok(delays.every((delay) => delay >= 1_000 && delay <= 300_000));
  assert.ok((delays[0] ?? 0) < 2_000);
  assert.ok((delays[11] ?? 0) > 290_000);
  assert.equal(retry.attempts, 12);
  retry.succeeded();
  assert.equal(retry.attempts, 0);
  assert.ok(retry.failed(0) < 2_000);
});

test('the pause is a multiple of the cost, and an absurd cost keeps the average', () => {
  assert.equal(restMs(0), 0);
  assert.equal(restMs(1_000), 20_000);
  assert.equal(restMs(40_000), 800_000);
});
