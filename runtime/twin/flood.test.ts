import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { device, folder, good, model, row, TestClock, testLog } from './fixtures.ts';
import { TwinStore } from './store.ts';

test('a million reports while the cloud is away and the disk is full cost one row per key', (t) => {
  const clock = new TestClock();
  const path = join(folder(t), 'twin.db');
  const store = TwinStore.open({ path, clock, log: testLog(), maxBytes: 80_000 });
  t.after(() => store.close());
  const names = Array.from({ length: 100 }, (_, i) => `p${i}`);
  store.mergeWanted([row(model('m', names), 2), row(device('a', 'm'), 4)], 4);
  store.acknowledged(store.seq());
  const flood = (rounds: number): void => {
    for (let i = 0; i < rounds; i++) {
      store.report('default/a', new Map(names.map((name) => [name, good('x'.repeat(900), i)])));
      if (i % 10 === 0) clock.advance(10);
    }
  };
  flood(1_000);
  const before = heap();
  flood(9_000);
  const grown = heap() - before;
  assert.ok(grown < 2_000_000, `the heap grew by ${grown} bytes`);
  assert.ok(store.counters.diskErrors > 0, 'the disk was full');
  assert.equal(store.counters.pendingRows, 101, 'each property, and the device');
  assert.equal(store.rowsAfter(0, { rows: 1e6, bytes: 1e9 }).length, 100);
  assert.ok(store.seq() > 1e6 - 1);
});

function heap(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().heapUsed;
}
