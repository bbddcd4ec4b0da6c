import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { BOILER, device, model, rig } from './fixtures.ts';

const ID = 'default/boiler-1';

async function running(t: TestContext, settings?: Parameters<typeof device>[1]) {
  const all = rig(t);
  const thing = all.plant.thing('boiler-1');
  thing.values.set('temperature', 61.5).set('setpoint', 55);
  all.apply(BOILER, device('boiler-1', settings));
  await all.clock.advance(500);
  assert.equal(all.state('boiler-1'), 'online');
  return { ...all, thing };
}

test('an order is written, read back and applied, with the time of each stage', async (t) => {
  const { store, clock, thing, verdict, reported } = await running(t);
  store.order(ID, 'setpoint', 60);
  await clock.advance(50);
  assert.deepEqual(thing.writes, [['setpoint', 60]]);
  assert.equal(verdict('boiler-1.setpoint'), 'applied');
  assert.equal(reported('boiler-1.setpoint').value, 60);
  const { sent = 0, confirmed = 0 } =
    store.twin(ID)?.properties.get('setpoint')?.desired?.stages ?? {};
  assert.ok(sent > 0 && confirmed > sent);
});

test('an order that is true already is applied without writing', async (t) => {
  const { store, clock, thing, verdict } = await running(t);
  store.order(ID, 'setpoint', 55);
  await clock.advance(50);
  assert.equal(verdict('boiler-1.setpoint'), 'applied');
  assert.deepEqual(thing.writes, []);
});

test('an order goes between polls', async (t) => {
  const all = rig(t, { random: () => 0 });
  const { plant, clock, store } = all;
  const names = ['boiler-1', 'boiler-2', 'boiler-3', 'boiler-4'];
  for (const name of names) {
    plant.thing(name).values.set('temperature', 1).set('setpoint', 55);
    plant.thing(name).answerMs = 100;
  }
  all.apply(BOILER, ...names.map((name) => device(name, { name, port: 'line' })));
  await clock.advance(1_950);
  plant.events.length = 0;
  // The first poll of the cycle has the line; the others wait.
  await clock.advance(100);
  store.order('default/boiler-4', 'setpoint', 70);
  await clock.advance(600);
  const write = plant.events.indexOf('boiler-4 write setpoint');
  assert.ok(write > 0, plant.events.join());
  assert.ok(write < plant.events.indexOf('boiler-3 read'), plant.events.join());
});

test('only the latest of three quick orders is written last, and the overtaken are skipped', async (t) => {
  const { store, clock, thing, verdict } = await running(t);
  thing.answerMs = 40;
  store.order(ID, 'setpoint', 60);
  await clock.advance(10);
  store.order(ID, 'setpoint', 61);
  store.order(ID, 'setpoint', 62);
  await clock.advance(1_000);
  assert.deepEqual(thing.writes, [
    ['setpoint', 60],
    ['setpoint', 62],
  ]);
  assert.equal(verdict('boiler-1.setpoint'), 'applied');
});

test('an order waits for a device that is away, and is carried out when it is back', async (t) => {
  const { store, clock, thing, verdict } = await running(t);
  thing.mood = 'dead';
  await clock.advance(2_000);
  store.order(ID, 'setpoint', 60);
  await clock.advance(60_000);
  assert.equal(verdict('boiler-1.setpoint'), 'pending');
  thing.mood = 'well';
  await clock.advance(300_000);
  assert.equal(verdict('boiler-1.setpoint'), 'applied');
  assert.deepEqual(thing.writes, [['setpoint', 60]]);
});

test('an order that ran out while the device was away is never executed', async (t) => {
  const { store, clock, thing, verdict } = await running(t);
  thing.mood = 'dead';
  await clock.advance(2_000);
  store.order(ID, 'setpoint', 60, { expiresMs: 30_000 });
  await clock.advance(29_000);
  assert.equal(verdict('boiler-1.setpoint'), 'pending');
  await clock.advance(2_000);
  assert.equal(
    verdict('boiler-1.setpoint'),
    'expired',
    'said at once, not when the device is back',
  );
  thing.mood = 'well';
  await clock.advance(300_000);
  assert.deepEqual(thing.writes, []);
});

test('an order that runs out while it waits for the port is not executed', async (t) => {
  const { store, clock, thing, verdict } = await running(t);
  thing.answerMs = 3_000;
  await clock.advance(1_000);
  store.order(ID, 'setpoint', 60, { expiresMs: 1_000 });
  await clock.advance(10_000);
  assert.equal(verdict('boiler-1.setpoint'), 'expired');
  assert.deepEqual(thing.writes, []);
});

test('what the device refuses is rejected with its reason, and the connection stays', async (t) => {
  const { store, clock, thing, verdict, state } = await running(t);
  thing.refused.add('setpoint');
  store.order(ID, 'setpoint', 60);
  await clock.advance(100);
  assert.equal(verdict('boiler-1.setpoint'), 'rejected');
  const { desired } = store.twin(ID)?.properties.get('setpoint') ?? {};
  assert.equal(desired?.reason?.code, 'PLANT_NO');
  assert.equal(state('boiler-1'), 'online');
  assert.equal(thing.connects, 1);
});

test('a device that applies late gets a second and third look', async (t) => {
  const { store, clock, thing, verdict } = await running(t);
  thing.appliesLate = 2;
  store.order(ID, 'setpoint', 60);
  await clock.advance(100);
  assert.equal(verdict('boiler-1.setpoint'), 'pending');
  await clock.advance(900);
  assert.equal(verdict('boiler-1.setpoint'), 'applied');
});

test('a device that does not keep what it took is found out', async (t) => {
  const { store, clock, thing, verdict } = await running(t);
  thing.appliesLate = 1_000;
  store.order(ID, 'setpoint', 60);
  await clock.advance(1_500);
  assert.equal(verdict('boiler-1.setpoint'), 'rejected');
  const { desired } = store.twin(ID)?.properties.get('setpoint') ?? {};
  assert.equal(desired?.reason?.code, 'READ_BACK_DIFFERS');
});

test('start-up writes nothing to a device that agrees, also when it rounds', async (t) => {
  const first = await running(t);
  first.thing.rounds.set('setpoint', (value) => Math.round(Number(value)));
  first.store.order(ID, 'setpoint', 60.4);
  await first.clock.advance(100);
  assert.equal(first.verdict('boiler-1.setpoint'), 'applied');
  assert.equal(first.thing.writes.length, 1);
  const second = await first.restart();
  await second.clock.advance(5_000);
  assert.equal(second.state('boiler-1'), 'online');
  assert.equal(second.reported('boiler-1.setpoint').value, 60);
  assert.equal(first.thing.writes.length, 1);
});

test('a device that comes back different is set again; a local change meanwhile is left alone', async (t) => {
  const { store, clock, thing, reported } = await running(t);
  store.order(ID, 'setpoint', 60);
  await clock.advance(1_500);
  thing.values.set('setpoint', 40);
  await clock.advance(10_000);
  assert.equal(reported('boiler-1.setpoint').value, 40, 'drift shows');
  assert.equal(thing.writes.length, 1);
  thing.mood = 'dead';
  await clock.advance(5_000);
  thing.mood = 'well';
  await clock.advance(300_000);
  assert.deepEqual(thing.writes, [
    ['setpoint', 60],
    ['setpoint', 60],
  ]);
  assert.equal(reported('boiler-1.setpoint').value, 60);
});

test('an order that loses the device each time is rejected, so that the device can stay', async (t) => {
  const { store, clock, thing, verdict, state } = await running(t);
  thing.mood = 'mute on writes';
  store.order(ID, 'setpoint', 60);
  await clock.advance(60_000);
  assert.equal(thing.writes.length, 3);
  assert.equal(verdict('boiler-1.setpoint'), 'rejected');
  const { desired } = store.twin(ID)?.properties.get('setpoint') ?? {};
  assert.equal(desired?.reason?.code, 'WRITE_UNANSWERED');
  assert.equal(state('boiler-1'), 'online');
});

test('a withdrawn order is not carried out', async (t) => {
  const { store, clock, thing } = await running(t);
  thing.mood = 'dead';
  await clock.advance(2_000);
  store.order(ID, 'setpoint', 60);
  store.order(ID, 'setpoint', null);
  thing.mood = 'well';
  await clock.advance(300_000);
  assert.deepEqual(thing.writes, []);
});

test('an order that a new model forbids is rejected, not written', async (t) => {
  const { store, clock, thing, apply, verdict } = await running(t);
  thing.mood = 'dead';
  await clock.advance(2_000);
  store.order(ID, 'setpoint', 60);
  apply(model('boiler', [{ name: 'setpoint', access: 'readWrite', maximum: 50 }]));
  thing.mood = 'well';
  await clock.advance(300_000);
  assert.equal(verdict('boiler-1.setpoint'), 'rejected');
  assert.deepEqual(thing.writes, []);
});

test('an order that waited for its turn is not begun on a connection that is known to be lost', async (t) => {
  const { store, clock, thing } = await running(t);
  await clock.advance(2_500);
  thing.mood = 'garbled';
  thing.answerMs = 100;
  const reads = thing.readTimes.length;
  while (thing.readTimes.length === reads) await clock.advance(10);
  store.order(ID, 'setpoint', 60);
  await clock.advance(500);
  assert.deepEqual(thing.writes, []);
});
