import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { desired, device, folder, gone, model, row, TestClock, testLog } from './fixtures.ts';
import { TwinStore } from './store.ts';

const B1 = 'default/boiler-1';
const MODEL = model('boiler', ['temperature', 'setpoint', 'pump']);
const NOW = Date.UTC(2026, 10, 21);
/** A rev of the cloud, some time after the files were applied. */
const LATER = (NOW + 60_000) * 2_000;

function open(t: TestContext) {
  const path = join(folder(t), 'twin.db');
  const clock = new TestClock(NOW);
  const log = testLog();
  let store: TwinStore | undefined;
  const start = (): TwinStore => {
    store?.close();
    store = TwinStore.open({ path, clock, log });
    return store;
  };
  t.after(() => store?.close());
  return start;
}

const wantedOf = (store: TwinStore, property: string) =>
  store.twin(B1)?.properties.get(property)?.desired?.value;

test('a manifest declares resources and orders, under revs of the edge', (t) => {
  const store = open(t)();
  store.applyManifest([MODEL, device('boiler-1', 'boiler', { setpoint: 55 })], 'plant.yaml');
  assert.deepEqual(store.device(B1), device('boiler-1', 'boiler'));
  assert.deepEqual(store.modelOf(B1), MODEL);
  assert.equal(wantedOf(store, 'setpoint'), 55);
  const rows = store.rowsAfter(0, { rows: 9, bytes: 1e6 });
  assert.deepEqual(
    rows.map((r) => (r.kind === 'resource' ? r.rev % 2 : r.kind)),
    [1, 1, 'device', 'property'],
  );
});

test('the same manifest at the next start changes nothing, also not what the cloud changed since', (t) => {
  const start = open(t);
  const docs = [MODEL, device('boiler-1', 'boiler', { setpoint: 55 })];
  start().applyManifest(docs, 'plant.yaml');
  const store = start();
  store.mergeWanted([desired('boiler-1.setpoint', 70, LATER)], LATER);
  const seq = store.seq();
  store.applyManifest(docs, 'plant.yaml');
  assert.equal(store.seq(), seq);
  const again = start();
  again.applyManifest(docs, 'plant.yaml');
  assert.equal(wantedOf(again, 'setpoint'), 70);
  again.mergeWanted([gone('Device', 'boiler-1', LATER + 2)], LATER + 2);
  again.applyManifest(docs, 'plant.yaml');
  assert.equal(again.device(B1), undefined, 'what the cloud removed stays removed');
});

test('only what changed in a manifest acts', (t) => {
  const store = open(t)();
  const before = device('boiler-1', 'boiler', { setpoint: 55, pump: 1, temperature: 3 });
  store.applyManifest([MODEL, before], 'plant.yaml');
  store.mergeWanted([desired('boiler-1.setpoint', 70, LATER)], LATER);
  store.applyManifest(
    [MODEL, device('boiler-1', 'boiler', { setpoint: 55, pump: 0 })],
    'plant.yaml',
  );
  assert.equal(wantedOf(store, 'setpoint'), 70, 'unchanged in the file');
  assert.equal(wantedOf(store, 'pump'), 0);
  assert.equal(wantedOf(store, 'temperature'), null, 'withdrawn');
});

test('a changed manifest overrules the cloud, whatever rev the cloud gave', (t) => {
  const store = open(t)();
  store.applyManifest([MODEL, device('boiler-1', 'boiler', { setpoint: 55 })], 'plant.yaml');
  store.mergeWanted([desired('boiler-1.setpoint', 70, LATER)], LATER);
  store.applyManifest([MODEL, device('boiler-1', 'boiler', { setpoint: 56 })], 'plant.yaml');
  assert.equal(wantedOf(store, 'setpoint'), 56);
});

test('what a source no longer has is removed, unless another source has it', (t) => {
  const start = open(t);
  const store = start();
  const own = device('boiler-2', 'boiler');
  store.applyManifest([MODEL, device('boiler-1', 'boiler'), own], 'a.yaml');
  store.applyManifest([MODEL], 'b.yaml');
  const again = start();
  again.applyManifest([own], 'a.yaml');
  assert.deepEqual(again.devices(), ['default/boiler-2']);
  assert.deepEqual(again.models(), ['default/boiler']);
  again.applyManifest([], 'b.yaml');
  assert.deepEqual(again.models(), []);
  assert.deepEqual(start().devices(), ['default/boiler-2']);
});

test('while a source cannot be read in full, nothing of it is removed', (t) => {
  const store = open(t)();
  store.applyManifest([MODEL, device('boiler-1', 'boiler')], 'a.yaml');
  store.applyManifest([MODEL], 'a.yaml', { prune: false });
  assert.deepEqual(store.devices(), [B1]);
  store.applyManifest([MODEL], 'a.yaml');
  assert.deepEqual(store.devices(), []);
});

test('a file from the future counts as written now', (t) => {
  const store = open(t)();
  store.applyManifest([MODEL], 'a.yaml', { writtenAt: () => NOW * 2 });
  const rev = store
    .rowsAfter(0, { rows: 1, bytes: 1e6 })
    .map((r) => r.kind === 'resource' && r.rev);
  assert.deepEqual(rev, [NOW * 2_000 + 1]);
});

test('after the loss of a store an old file does not overrule what the cloud has just brought back', (t) => {
  const store = open(t)();
  const newer = device('boiler-1', 'boiler');
  store.mergeWanted([row(MODEL, LATER), row(newer, LATER)], LATER);
  store.mergeWanted([desired('boiler-1.setpoint', 70, LATER)], LATER);
  const file = [MODEL, device('boiler-1', 'boiler', { setpoint: 55, pump: true })];
  const writtenAt = () => NOW - 60_000;
  store.applyManifest(file, 'plant.yaml', { refill: true, writtenAt });
  assert.equal(wantedOf(store, 'setpoint'), 70);
  assert.equal(wantedOf(store, 'pump'), true, 'what nobody else ordered comes from the file');
  // Not a refill: whoever puts a file there means it, however old it is.
  store.applyManifest(file, 'other.yaml', { writtenAt });
  assert.equal(wantedOf(store, 'setpoint'), 55);
});
