import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fakeClock } from '@limpet/dmi/testing';
import { Unended } from './unended.ts';

test('a call that goes on a second after it was given up is counted until it ends', async () => {
  const clock = fakeClock();
  const unended = new Unended(clock);
  const [end, call] = [new AbortController(), Promise.withResolvers<void>()];
  unended.watch(call.promise, end.signal);
  await clock.advance(60_000);
  assert.equal(unended.count, 0, 'nobody gave it up');
  end.abort();
  await clock.advance(999);
  assert.equal(unended.count, 0, 'it may tidy up');
  await clock.advance(1);
  assert.equal(unended.count, 1);
  call.reject(new Error('at last'));
  await clock.advance(0);
  assert.equal(unended.count, 0);
});

test('a call that ends when it is given up is never counted', async () => {
  const clock = fakeClock();
  const unended = new Unended(clock);
  const [end, call] = [new AbortController(), Promise.withResolvers<void>()];
  end.abort();
  unended.watch(call.promise, end.signal);
  call.resolve();
  await clock.advance(10_000);
  assert.equal(unended.count, 0);
});
