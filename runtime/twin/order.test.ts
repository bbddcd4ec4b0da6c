import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { DesiredRow } from '@limpet/dmi/manifest';
import { test, type TestContext } from 'node:test';
import { device, folder, model, row, TestClock, testLog } from './fixtures.ts';
import { placeOrder, placeOrders } from './order.ts';
import { TwinStore } from './store.ts';

function store(t: TestContext): TwinStore {
  const path = join(folder(t), 'twin.db');
  const opened = TwinStore.open({ path, clock: new TestClock(), log: testLog() });
  t.after(() => opened.close());
  const boiler = model('boiler', [
    { name: 'setpoint', minimum: 20, maximum: 90 },
    { name: 'temperature', access: 'read' },
    { name: 'serial', type: 'int' },
  ]);
  const orphan = device('orphan', 'missing');
  opened.mergeWanted([row(boiler, 2), row(device('boiler-1', 'boiler'), 4), row(orphan, 6)], 6);
  return opened;
}

test('a sound order is stored in its exact form and answers its rev', (t) => {
  const twins = store(t);
  const big = '9007199254740993';
  for (const [property, value] of [
    ['setpoint', 55],
    ['serial', big],
    ['setpoint', null],
  ] as const) {
    const placed = placeOrder(twins, { device: 'default/boiler-1', property, value });
    assert.ok(placed.ok);
    const desired = twins.twin('default/boiler-1')?.properties.get(property)?.desired;
    assert.equal(desired?.rev, placed.rev);
    assert.deepEqual(desired?.value, value);
  }
});

test('several orders of one device are stored with one wait for the disk, each with a rev of its own', (t) => {
  const twins = store(t);
  const values = new Map<string, number>([
    ['setpoint', 55],
    ['serial', 7],
  ]);
  assert.deepEqual(placeOrders(twins, 'default/boiler-1', { values }), { ok: true });
  const properties = twins.twin('default/boiler-1')?.properties;
  const [first, second] = ['setpoint', 'serial'].map((name) => properties?.get(name)?.desired);
  assert.equal(first?.value, 55);
  assert.equal(second?.value, 7);
  assert.ok((second?.rev ?? 0) > (first?.rev ?? 0));
  assert.deepEqual(
    twins.orders('default/boiler-1', values),
    [first?.rev, second?.rev],
    'under way already, so nothing is ordered anew',
  );
  const elsewhere = placeOrders(twins, 'default/boiler-9', { values });
  assert.equal(!elsewhere.ok && elsewhere.code, 'DEVICE_UNKNOWN');
});

test('what the cloud says again of local orders moves its cursor and nothing else', (t) => {
  const path = join(folder(t), 'twin.db');
  const open = (): TwinStore => TwinStore.open({ path, clock: new TestClock(), log: testLog() });
  const before = open();
  const thing = model('boiler', [{ name: 'setpoint' }]);
  before.mergeWanted([row(thing, 2), row(device('boiler-1', 'boiler'), 4)], 4);
  const rev = before.order('default/boiler-1', 'setpoint', 55);
  const seq = before.seq();
  const place = { device: 'default/boiler-1', property: 'setpoint' };
  const echo: DesiredRow = { kind: 'desired', ...place, value: 55, rev, accepted: 1 };
  before.mergeWanted([echo], rev + 1);
  assert.equal(before.seq(), seq, 'nothing to tell the cloud');
  before.close();
  const after = open();
  t.after(() => after.close());
  assert.equal(after.rev(), rev + 1);
});

for (const [device_, property, value, expiresMs, code] of [
  ['default/boiler-9', 'setpoint', 55, undefined, 'DEVICE_UNKNOWN'],
  ['default/orphan', 'setpoint', 55, undefined, 'MODEL_UNKNOWN'],
  ['default/boiler-1', 'setpiont', 55, undefined, 'PROPERTY_UNKNOWN'],
  ['default/boiler-1', 'temperature', 55, undefined, 'PROPERTY_READ_ONLY'],
  ['default/boiler-1', 'setpoint', 'warm', undefined, 'VALUE_TYPE'],
  ['default/boiler-1', 'setpoint', 91, undefined, 'VALUE_ABOVE_MAXIMUM'],
  ['default/boiler-1', 'setpoint', 55, 0, 'EXPIRES_RANGE'],
  ['default/boiler-1', 'setpoint', 55, Infinity, 'EXPIRES_RANGE'],
] as const) {
  test(`${String(value)} for ${device_}.${property} within ${expiresMs} ms is refused as ${code}`, (t) => {
    const twins = store(t);
    const seq = twins.seq();
    const order = { device: device_, property, value };
    const placed = placeOrder(twins, { ...order, ...(expiresMs !== undefined && { expiresMs }) });
    assert.equal(placed.ok, false);
    assert.equal(!placed.ok && placed.code, code);
    assert.equal(twins.seq(), seq, 'nothing changed');
  });
}
