import assert from 'node:assert/strict';
import { test } from 'node:test';
import { device, good, model, row, TestClock, testLog } from './fixtures.ts';
import { TwinStore } from './store.ts';

const A = 'default/a';
const NAMES = Array.from({ length: 100 }, (_, index) => `p${index}`);
const TEXT = 'x'.repeat(60_000);

function setting(t: { after: (task: () => void) => void }) {
  const clock = new TestClock();
  const limits = { valueBytes: 600_000 };
  const store = TwinStore.open({ path: ':memory:', clock, log: testLog(), limits });
  t.after(() => store.close());
  store.mergeWanted([row(model('m', NAMES), 2), row(device('a', 'm'), 4)], 4);
  const say = (value: string | number | string[], names = NAMES): void =>
    store.report(A, new Map(names.map((name) => [name, good(value, clock.now())])));
  const reported = (name: string) => store.twin(A)?.properties.get(name)?.reported;
  const good100 = () => NAMES.filter((name) => reported(name)?.quality === 'good').length;
  return { clock, store, say, reported, good: good100 };
}

test('a device that fills every text takes no more memory than there is room for', (t) => {
  const { store, say, reported, good: count } = setting(t);
  say(7);
  say(TEXT);
  assert.equal(count(), 10);
  const refused = reported('p99');
  assert.deepEqual([refused?.value, refused?.quality], [7, 'bad'], 'the value before stays');
  assert.equal(refused?.reason?.code, 'NODE_VALUES_FULL');
  assert.match(refused?.reason?.message ?? '', /memory\.core/);
  assert.equal(store.counters.valuesRefused, 90);
  say(8);
  assert.equal(count(), 100, 'numbers always have room');
});

test('room that becomes free is there for others', (t) => {
  const { clock, store, say, good: count } = setting(t);
  say(TEXT);
  store.mergeWanted([row(model('m', NAMES.slice(50)), 6)], 6);
  clock.advance(1_000);
  say(TEXT, NAMES.slice(50));
  assert.equal(count(), 10, 'those of properties that went are not counted for ever');
});

test('JSON counts as what it takes once it is parsed', (t) => {
  const { say, good: count } = setting(t);
  say(Array.from({ length: 1_000 }, () => 'ab'));
  assert.equal(count(), 14);
});
