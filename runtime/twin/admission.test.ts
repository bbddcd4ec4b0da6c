import { type Device } from '@limpet/dmi/manifest';
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { device, folder, good, model, TestClock, testLog } from './fixtures.ts';
import { TwinStore } from './store.ts';

const names = (count: number): string[] => Array.from({ length: count }, (_, i) => `p${i}`);

function opened(t: TestContext, nodeProperties: number) {
  const path = join(folder(t), 'twins.db');
  const log = testLog();
  let store: TwinStore;
  const open = (): TwinStore => {
    store = TwinStore.open({ path, clock: new TestClock(), log, limits: { nodeProperties } });
    return store;
  };
  t.after(() => store.close());
  const reason = (name: string) => store.refused().get(`default/${name}`);
  return { open, log, reason };
}

test('a device too many is told how many fit, how many are declared and what to do', (t) => {
  const { open, reason } = opened(t, 20_000);
  const devices = ['a', 'b', 'c'].map((name) => device(name, 'big'));
  open().applyManifest([model('big', names(10_000)), ...devices], 'test');
  assert.equal(reason('a') ?? reason('b'), undefined);
  assert.equal(reason('c')?.code, 'NODE_FULL');
  assert.match(reason('c')?.message ?? '', /^20000 properties fit .*, 30000 are declared.* 10000 /);
  assert.match(reason('c')?.message ?? '', /move devices .*remove properties.*memory\.core/);
});

test('who runs stays, whatever is declared or changed beside it', (t) => {
  const { open, reason, log } = opened(t, 10);
  const store = open();
  const small = [model('small', names(4)), device('a', 'small'), device('b', 'small')];
  store.applyManifest([...small, model('other', names(2)), device('c', 'other')], 'test');
  assert.equal(store.refused().size, 0);
  const before = store.devices();
  // Declared first, but not running; and a neighbour that grows.
  const grown = [model('other', names(5)), device('c', 'other')];
  store.applyManifest([device('0', 'small'), ...small, ...grown], 'test');
  assert.deepEqual(
    before.filter((id) => !store.devices().includes(id)),
    ['default/c'],
  );
  assert.equal(reason('0')?.code, 'NODE_FULL');
  store.applyManifest([device('0', 'small'), ...small, ...grown, device('d', 'small')], 'test');
  const told = log.lines.filter(({ message }) => message === 'device refused');
  assert.deepEqual(
    new Set(told.map(({ fields }) => fields['device'])),
    new Set(['default/0', 'default/c', 'default/d']),
  );
  assert.equal(told.length, 3, 'each is told once, though the numbers in its reason change');
});

test('when one leaves, the first that fits comes in', (t) => {
  const { open, reason } = opened(t, 10);
  const store = open();
  const models = [model('small', names(4)), model('large', names(8))];
  const docs = [device('a', 'small'), device('b', 'small'), device('c', 'large')];
  store.applyManifest([...models, ...docs, device('d', 'small')], 'test');
  assert.deepEqual([...store.refused().keys()], ['default/c', 'default/d']);
  store.applyManifest([...models, ...docs.slice(1), device('d', 'small')], 'test');
  assert.deepEqual(store.devices(), ['default/b', 'default/d']);
  assert.equal(reason('c')?.code, 'NODE_FULL');
});

test('after a restart the same devices run, though another was changed before', (t) => {
  const { open } = opened(t, 8);
  const first = open();
  const models = [model('small', names(4))];
  const docs = ['a', 'b', 'c'].map((name) => device(name, 'small'));
  first.applyManifest([...models, ...docs], 'test');
  for (const id of first.devices()) first.report(id, new Map([['p0', good(1, 1)]]));
  const [{ metadata, ...rest }, ...others] = docs as [Device, ...Device[]];
  const moved = { ...rest, metadata: { ...metadata, labels: { changed: 'last' } } };
  first.applyManifest([...models, moved, ...others], 'test');
  first.close();
  assert.deepEqual(open().devices().toSorted(), ['default/a', 'default/b']);
});
