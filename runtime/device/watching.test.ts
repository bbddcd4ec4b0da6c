import { Unreachable } from '@limpet/dmi';
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { BOILER, device, model, rig, type Rig } from './fixtures.ts';
import { type Thing } from './thing.fixture.ts';

const ID = 'default/boiler-1';
const GOOD = (value: unknown) => ({ value, quality: 'good', code: undefined });

function telling(t: TestContext, tells = ['temperature', 'setpoint']): Rig & { thing: Thing } {
  const all = rig(t);
  const thing = all.plant.thing('boiler-1');
  thing.values.set('temperature', 61.5).set('setpoint', 55);
  thing.tells = new Set(tells);
  return { ...all, thing };
}

test('a device that tells by itself is subscribed to once and never polled', async (t) => {
  const { thing, apply, clock, reported, state } = telling(t);
  apply(BOILER, device('boiler-1'));
  await clock.advance(10_000);
  assert.deepEqual(thing.subscriptions[0]?.wishes, ['temperature', 'setpoint']);
  assert.deepEqual(thing.subscriptions[0]?.everyMs, [1_000, 1_000]);
  assert.equal(thing.subscriptions.length, 1);
  assert.equal(thing.readTimes.length, 0);
  assert.equal(state('boiler-1'), 'online');
  assert.deepEqual(reported('boiler-1.temperature'), GOOD(61.5));
  thing.tell('temperature', 70);
  await clock.advance(20);
  assert.deepEqual(reported('boiler-1.temperature'), GOOD(70));
});

test('what the device cannot tell is polled, and only that', async (t) => {
  const { thing, apply, clock, reported } = telling(t, ['setpoint']);
  apply(BOILER, device('boiler-1'));
  await clock.advance(1_500);
  assert.ok(thing.readTimes.length >= 2);
  thing.values.set('temperature', 70).set('setpoint', 80);
  await clock.advance(1_000);
  assert.deepEqual(reported('boiler-1.temperature'), GOOD(70));
  assert.deepEqual(reported('boiler-1.setpoint'), GOOD(55), 'read by nobody, told by nobody');
});

test('a device that refuses every subscription is polled', async (t) => {
  const { thing, apply, clock, reported, state } = telling(t);
  thing.tells = 'refuses';
  apply(BOILER, device('boiler-1'));
  await clock.advance(1_500);
  assert.equal(state('boiler-1'), 'online');
  assert.deepEqual(reported('boiler-1.setpoint'), GOOD(55));
  assert.ok(thing.readTimes.length >= 2);
});

test('a told value that does not change for an hour is not stale', async (t) => {
  const { apply, clock, reported, state } = telling(t);
  apply(BOILER, device('boiler-1'));
  await clock.advance(3_600_000);
  assert.deepEqual(reported('boiler-1.temperature'), GOOD(61.5));
  assert.equal(state('boiler-1'), 'online');
});

test('a lost subscription is a lost device, with what it told last, and it comes back', async (t) => {
  const { thing, apply, clock, reported, state } = telling(t);
  apply(BOILER, device('boiler-1'));
  await clock.advance(2_000);
  const first = thing.subscriptions[0];
  thing.tell('temperature', 99);
  first?.sink.lost(new Unreachable('PLANT_GONE', 'the server ended the subscription'));
  await clock.advance(10);
  assert.equal(state('boiler-1'), 'offline');
  assert.deepEqual(reported('boiler-1.temperature'), {
    value: 99,
    quality: 'stale',
    code: 'DEVICE_OFFLINE',
  });
  assert.equal(first?.signal.aborted, true);
  assert.equal(thing.open, 0);
  await clock.advance(10_000);
  assert.equal(state('boiler-1'), 'online');
  first?.sink.reading(0, { ok: true, value: 1 });
  await clock.advance(2_000);
  assert.deepEqual(
    reported('boiler-1.temperature'),
    GOOD(99),
    'the old subscription counts no more',
  );
});

test('a mapper that tells nonsense ends its own session only', async (t) => {
  for (const nonsense of [undefined, null, 7, {}]) {
    const { thing, apply, clock, log, plant, state } = telling(t);
    plant.thing('boiler-2').values.set('temperature', 1).set('setpoint', 2);
    apply(BOILER, device('boiler-1'), device('boiler-2'));
    await clock.advance(1_500);
    thing.subscriptions[0]?.sink.reading(0, nonsense as never);
    thing.subscriptions[0]?.sink.reading(-1, { ok: true, value: 1 });
    await clock.advance(100);
    assert.equal(log.lines.filter(({ message }) => message === 'mapper fault').length, 1);
    assert.equal(state('boiler-1'), 'offline');
    assert.equal(state('boiler-2'), 'online');
  }
});

test('a changed model subscribes anew on the same connection', async (t) => {
  const { thing, apply, clock, reported, store } = telling(t, ['temperature', 'pressure']);
  thing.values.set('pressure', 2.5);
  apply(BOILER, device('boiler-1'));
  await clock.advance(1_000);
  const old = thing.subscriptions[0];
  apply(model('boiler', [{ name: 'temperature', every: '2s' }, { name: 'pressure' }]));
  old?.sink.reading(1, { ok: true, value: 80 });
  await clock.advance(1_000);
  assert.equal(thing.connects, 1);
  assert.equal(thing.subscriptions.length, 2);
  assert.deepEqual(thing.subscriptions[1]?.wishes, ['temperature', 'pressure']);
  assert.deepEqual(thing.subscriptions[1]?.everyMs, [2_000, 1_000]);
  assert.equal(old?.signal.aborted, true);
  assert.deepEqual(reported('boiler-1.pressure'), GOOD(2.5));
  assert.equal(store.twin(ID)?.properties.has('setpoint'), false, 'told too late');
});

test('orders wait until each value was told, and are read back by reading', async (t) => {
  const { thing, apply, clock, reported, verdict, store } = telling(t);
  thing.values.delete('temperature');
  apply(BOILER, device('boiler-1'));
  store.order(ID, 'setpoint', 60);
  await clock.advance(4_900);
  assert.equal(verdict('boiler-1.setpoint'), 'pending');
  thing.tell('temperature', 20);
  await clock.advance(50);
  assert.equal(verdict('boiler-1.setpoint'), 'applied');
  assert.deepEqual(thing.writes, [['setpoint', 60]]);
  assert.equal(thing.readTimes.length, 1);
  assert.deepEqual(reported('boiler-1.setpoint'), GOOD(60));
});

test('a value that is never told keeps orders waiting for five seconds, not for ever', async (t) => {
  const { thing, apply, clock, verdict, store } = telling(t);
  thing.values.delete('temperature');
  apply(BOILER, device('boiler-1'));
  store.order(ID, 'setpoint', 60);
  await clock.advance(5_100);
  assert.equal(verdict('boiler-1.setpoint'), 'applied');
});

test('what was told before an order was read back does not undo it', async (t) => {
  const { thing, apply, clock, reported, store } = telling(t);
  apply(BOILER, device('boiler-1'));
  await clock.advance(1_500);
  thing.tell('setpoint', 56);
  await clock.advance(20);
  thing.tell('setpoint', 57);
  store.order(ID, 'setpoint', 60);
  await clock.advance(3_000);
  assert.deepEqual(reported('boiler-1.setpoint'), GOOD(60));
});

test('what is told while an order is read back counts: it may be newer', async (t) => {
  const { thing, apply, clock, reported, verdict, store } = telling(t);
  apply(BOILER, device('boiler-1'));
  await clock.advance(1_500);
  const get = thing.values.get.bind(thing.values);
  thing.values.get = (key) => {
    const value = get(key);
    // The device moves on by itself as soon as it has answered.
    if (value === 60) queueMicrotask(() => thing.tell(key, 61));
    return value;
  };
  store.order(ID, 'setpoint', 60);
  await clock.advance(3_000);
  assert.equal(verdict('boiler-1.setpoint'), 'applied');
  assert.deepEqual(reported('boiler-1.setpoint'), GOOD(61));
});

test('subscribing takes its turn at the port', async (t) => {
  const { plant, apply, clock } = telling(t);
  const other = plant.thing('boiler-2');
  other.values.set('temperature', 1);
  other.answerMs = 400;
  const port = 'line';
  const polled = device('boiler-2', { name: 'boiler-2', port }, { model: 'polled' });
  apply(BOILER, device('boiler-1', { name: 'boiler-1', port }));
  apply(model('polled', [{ name: 'temperature' }]), polled);
  await clock.advance(2_000);
  plant.events.length = 0;
  while (plant.events.length === 0) await clock.advance(10);
  apply(model('boiler', [{ name: 'temperature' }]));
  await clock.advance(350);
  assert.deepEqual(plant.events, ['boiler-2 read'], 'the line is taken');
  await clock.advance(100);
  assert.deepEqual(plant.events, ['boiler-2 read', 'boiler-1 subscribe']);
});
