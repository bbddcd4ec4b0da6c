import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Collector, takeCollect } from './collector.ts';

const MIB = 1_048_576;

/** A heap that a collection brings back to 4 MiB, looked at each 2.5 s as the core's health checks do. */
function heap(tookMs: number): { collections: (seconds: number, growth: number) => number } {
  let [now, used, collected] = [0, 6 * MIB, 0];
  const collect = (): void => {
    collected += 1;
    used = 4 * MIB;
    now += tookMs;
  };
  const collector = new Collector({ collect, clock: { monotonic: () => now }, used: () => used });
  collector.collect();
  return {
    collections(seconds, growth) {
      const before = collected;
      for (let s = 0; s < seconds; s += 2.5) {
        now += 2_500;
        used += growth;
        collector.look();
      }
      return collected - before;
    },
  };
}

test('garbage goes soon after the start, and later once a minute', () => {
  const { collections } = heap(10);
  assert.equal(collections(60, MIB), 3, 'after 7.5, 15 and 30 s');
  assert.equal(collections(600, MIB), 10);
});

test('a process that makes no garbage is left alone', () => {
  const { collections } = heap(10);
  assert.equal(collections(600, 0), 0);
});

test('a heap that takes long to collect is collected more rarely', () => {
  const { collections } = heap(200);
  assert.equal(collections(1_000, MIB), 10, 'a fifth of a percent of the time');
});

test('the collector is taken away from whoever loads later', () => {
  const calls: unknown[] = [];
  const value = (options: unknown) => void calls.push(options);
  // As V8 defines it.
  Object.defineProperty(globalThis, 'gc', { value, writable: true, configurable: false });
  const collect = takeCollect();
  assert.equal(globalThis.gc, undefined);
  collect?.();
  assert.deepEqual(calls, [{ type: 'major', execution: 'sync', flavor: 'last-resort' }]);
  assert.equal(takeCollect(), undefined, 'a Node that was started otherwise');
});
