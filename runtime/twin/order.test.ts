import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { device, folder, model, row, TestClock, testLog } from './fixtures.ts';
import { placeOrder } from './order.ts';
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
