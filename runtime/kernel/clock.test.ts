import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from './clock.ts';

test('a sleep ends after its time', async () => {
  const start = systemClock.monotonic();
  await systemClock.sleep(5);
  assert.ok(systemClock.monotonic() - start >= 4);
});

test('an aborted sleep rejects with the reason of its signal', async () => {
  const abort = new AbortController();
  const sleep = systemClock.sleep(60_000, abort.signal);
  const reason = new Error('enough');
  abort.abort(reason);
  await assert.rejects(sleep, reason);
  await assert.rejects(systemClock.sleep(1, abort.signal), reason);
});

test('a cancelled task never runs', async () => {
  let ran = false;
  const cancel = systemClock.after(1, () => (ran = true));
  cancel();
  await systemClock.sleep(5);
  assert.equal(ran, false);
});

test('a delay longer than a timer can hold does not fire at once', async () => {
  let ran = false;
  const cancel = systemClock.after(2 ** 32, () => (ran = true));
  await systemClock.sleep(5);
  cancel();
  assert.equal(ran, false);
});
