/** What a change tears down, and what it does not: counted in connects. */
import { type Property } from '@limpet/dmi/manifest';
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { BOILER, device, model, rig } from './fixtures.ts';

type Edit = Partial<Property> & { readonly name: string };

const BEFORE: readonly Edit[] = [
  { name: 'temperature' },
  { name: 'setpoint', access: 'readWrite', minimum: 20, maximum: 90 },
];
const [TEMPERATURE, SETPOINT] = BEFORE as [Edit, Edit];

const EDITS: Readonly<Record<string, readonly Edit[]>> = {
  every: [{ ...TEMPERATURE, every: '5s' }, SETPOINT],
  deadband: [{ ...TEMPERATURE, deadband: 2 }, SETPOINT],
  limits: [TEMPERATURE, { ...SETPOINT, maximum: 50 }],
  'a new property': [...BEFORE, { name: 'pressure' }],
  'a property less': [TEMPERATURE],
  unit: [{ ...TEMPERATURE, unit: 'Cel' }, SETPOINT],
  access: [TEMPERATURE, { ...SETPOINT, access: 'read' }],
  visitor: [{ ...TEMPERATURE, visitor: { key: 'pressure' } }, SETPOINT],
  type: [{ ...TEMPERATURE, type: 'int' }, SETPOINT],
};

async function running(t: TestContext, tells: boolean) {
  const all = rig(t);
  const things = ['boiler-1', 'boiler-2'].map((name) => {
    const thing = all.plant.thing(name);
    thing.values.set('temperature', 61.5).set('setpoint', 55).set('pressure', 2.5);
    if (tells) thing.tells = new Set(['temperature', 'setpoint', 'pressure']);
    return thing;
  });
  all.apply(model('boiler', BEFORE), model('other', BEFORE));
  all.apply(device('boiler-1'), device('boiler-2', { name: 'boiler-2' }, { model: 'other' }));
  await all.clock.advance(2_000);
  return { ...all, things };
}

for (const [what, properties] of Object.entries(EDITS)) {
  for (const tells of [false, true]) {
    test(`edited: ${what}; no connection of a device that ${tells ? 'tells' : 'is polled'} is touched`, async (t) => {
      const { apply, clock, things, state, log } = await running(t, tells);
      apply(model('boiler', properties));
      await clock.advance(6_000);
      for (const thing of things) assert.deepEqual([thing.connects, thing.open], [1, 1]);
      assert.equal(state('boiler-1'), 'online');
      if (tells)
        assert.deepEqual(
          things.map((thing) => thing.subscriptions.length),
          [2, 1],
        );
      assert.ok(!log.lines.some(({ message }) => message === 'device lost'));
    });
  }
}

test('a limit that is edited judges the present value anew', async (t) => {
  for (const tells of [false, true]) {
    const { apply, clock, reported } = await running(t, tells);
    apply(model('boiler', EDITS['limits'] ?? []));
    await clock.advance(1_000);
    assert.equal(reported('boiler-1.setpoint').code, 'VALUE_OUT_OF_RANGE');
    assert.equal(reported('boiler-2.setpoint').quality, 'good');
  }
});

test('other settings connect anew, and nothing of an unrelated device is touched', async (t) => {
  const { apply, clock, plant, things } = await running(t, false);
  plant.thing('moved').values.set('temperature', 7).set('setpoint', 55);
  const reads = things[1]?.readTimes.length ?? 0;
  apply(device('boiler-1', { name: 'moved' }));
  await clock.advance(5_000);
  assert.deepEqual(
    [things[0]?.open, plant.thing('moved').connects, things[1]?.connects],
    [0, 1, 1],
  );
  assert.equal((things[1]?.readTimes.length ?? 0) - reads, 5, 'no poll of it was missed');
});

test('a device that comes or goes touches no other', async (t) => {
  const { apply, clock, plant, things, store } = await running(t, false);
  plant.thing('boiler-3').values.set('temperature', 7).set('setpoint', 55);
  apply(device('boiler-3'));
  await clock.advance(2_000);
  assert.equal(plant.thing('boiler-3').open, 1);
  store.applyManifest([BOILER, device('boiler-1')], 'test');
  await clock.advance(2_000);
  assert.deepEqual(
    things.map(({ connects }) => connects),
    [1, 1],
  );
  assert.deepEqual(
    things.map(({ open }) => open),
    [1, 0],
  );
});

test('a replaced mapper connects its devices anew with what it says now, and no other protocol', async (t) => {
  const { apply, clock, plant, things, devices, state } = await running(t, false);
  plant.thing('foreign').values.set('temperature', 7).set('setpoint', 55);
  apply(model('foreign', BEFORE, 'other-protocol'));
  apply(device('foreign', { name: 'foreign' }, { model: 'foreign' }));
  await clock.advance(2_000);
  const checks = plant.checks;
  devices.remapped('plant');
  await clock.advance(1_000);
  assert.deepEqual(
    things.map(({ connects }) => connects),
    [2, 2],
  );
  assert.deepEqual(
    things.map(({ open }) => open),
    [1, 1],
  );
  assert.equal(plant.thing('foreign').connects, 1);
  assert.equal(plant.checks - checks, 4, 'both models are checked by the new one');
  assert.equal(state('boiler-1'), 'online');
});

test('a mapper that is replaced while its device is lost or misconfigured is tried at once', async (t) => {
  const { clock, plant, things, devices, state, apply } = await running(t, false);
  const [first] = things;
  if (first === undefined) assert.fail();
  first.mood = 'dead';
  plant.knows = false;
  apply(model('third', BEFORE), device('boiler-3', { name: 'boiler-3' }, { model: 'third' }));
  await clock.advance(300_000);
  assert.equal(state('boiler-1'), 'offline');
  assert.equal(state('boiler-3'), 'misconfigured');
  first.mood = 'well';
  plant.knows = true;
  plant.thing('boiler-3').values.set('temperature', 7).set('setpoint', 55);
  devices.remapped('plant');
  await clock.advance(100);
  assert.equal(state('boiler-1'), 'online');
  assert.equal(state('boiler-3'), 'online');
});

test('a mapper whose process is down makes a device offline, not misconfigured, and is asked again', async (t) => {
  const { clock, plant, state, apply, store } = await running(t, false);
  plant.thing('boiler-3').values.set('temperature', 7).set('setpoint', 55);
  plant.down = true;
  apply(model('third', BEFORE), device('boiler-3', { name: 'boiler-3' }, { model: 'third' }));
  await clock.advance(500);
  assert.equal(state('boiler-3'), 'offline');
  assert.equal(store.twin('default/boiler-3')?.condition.reason?.code, 'PLANT_DOWN');
  plant.down = false;
  await clock.advance(60_000);
  assert.equal(state('boiler-3'), 'online');
});
