import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Budget, WINDOW_MS } from './budget.ts';
import { seeded } from './seeded.fixture.ts';

const SHARE = { share: 0.05, burstMs: 15_000 };

test('what may be spent at once, and how long the rest takes', () => {
  const cases: [spent: number, wanted: number, waitMs: number][] = [
    [0, 0, 0],
    [0, 15_000, 0],
    [14_000, 1_000, 0],
    [15_000, 1_000, 40_000],
    [10_000, 6_000, 40_000],
    // Dearer than the burst: once it is full.
    [0, 25_000, 0],
    [1_000, 25_000, 40_000],
    // A debt is paid first.
    [25_000, 1_000, 440_000],
  ];
  for (const [spent, wanted, waitMs] of cases) {
    const budget = new Budget(SHARE);
    budget.spend(spent, 1_000);
    assert.equal(budget.waitMs(wanted, 1_000), waitMs, `${spent} spent, ${wanted} wanted`);
    assert.equal(budget.waitMs(wanted, 1_000 + waitMs), 0, `${spent} spent, after ${waitMs}`);
  }
});

test('a burst beyond its share is a fault of ours', () => {
  assert.throws(() => new Budget({ share: 0.05, burstMs: 30_000 }), RangeError);
});

test('whatever is spent as it allows, no window has more than the share', () => {
  for (let seed = 1; seed <= 200; seed++) {
    const random = seeded(seed);
    const budget = new Budget(SHARE);
    const spent: { at: number; ms: number }[] = [];
    let now = 0;
    while (now < 4 * WINDOW_MS) {
      const ms = 1 + Math.floor(random() * SHARE.burstMs);
      now += budget.waitMs(ms, now) + (seed % 2 === 0 ? Math.floor(random() * 20_000) : 0);
      budget.spend(ms, now);
      spent.push({ at: now, ms });
    }
    for (const { at: begin } of spent) {
      const window = spent.filter(({ at }) => at >= begin && at < begin + WINDOW_MS);
      const sum = window.reduce((all, { ms }) => all + ms, 0);
      assert.ok(sum <= SHARE.share * WINDOW_MS + 1, `seed ${seed}: ${sum} ms from ${begin}`);
    }
    const all = spent.reduce((sum, { ms }) => sum + ms, 0);
    if (seed % 2 === 1) assert.ok(all > 0.02 * now, `seed ${seed}: it is used, ${all} ms`);
  }
});
