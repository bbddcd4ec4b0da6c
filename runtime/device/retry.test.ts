import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Retry } from './retry.ts';

test('a device is tried again after 1 s to 2 s at first, and 5 min at most', () => {
  for (const random of [() => 0, () => 0.5, () => 0.999]) {
    const retry = new Retry(random);
    const delays = Array.from({ length: 12 }, () => retry.failed());
    assert.ok(delays.every((delay) => delay >= 1_000 && delay <= 300_000));
    assert.ok((delays[0] ?? 0) < 2_000);
    assert.equal(retry.attempts, 12);
  }
  const unlucky = new Retry(() => 0.999);
  const last = Array.from({ length: 12 }, () => unlucky.failed()).at(-1) ?? 0;
  assert.ok(last > 290_000);
});

test('after a success it begins again with short delays', () => {
  const retry = new Retry(() => 0.999);
  for (let times = 0; times < 8; times++) retry.failed();
  retry.succeeded();
  assert.equal(retry.attempts, 0);
  assert.ok(retry.failed() < 2_000);
});
