import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BOILER, device, model, rig } from './fixtures.ts';
import { LastReadings } from './last-readings.ts';
import { type PlannedProperty } from './plan.ts';

const MODEL = model('boiler', [
  { name: 'temperature', deadband: 0.5, unit: 'Cel' },
  { name: 'setpoint', access: 'readWrite', minimum: 20, maximum: 90 },
  { name: 'serial', every: '10m' },
]);

function heated(plant: ReturnType<typeof rig>['plant'], name = 'boiler-1') {
  const thing = plant.thing(name);
  thing.values.set('temperature', 61.5).set('setpoint', 55).set('serial', 7);
  return thing;
}

function running(t: Parameters<typeof rig>[0]) {
  const all = rig(t);
  const thing = heated(all.plant);
  all.apply(MODEL, device('boiler-1'));
  const explain = (name: string) =>
    all.devices.explain('default/boiler-1', name) ?? assert.fail('not run');
  return { ...all, thing, explain };
}

test('a value that has not changed is told to be well, with its age and when it was read', async (t) => {
  const { clock, explain } = running(t);
  await clock.advance(60_900);
  const { finding, readMs = 0 } = explain('setpoint');
  assert.equal(finding.stage, 'none');
  assert.equal(finding.effect, 'explains');
  assert.match(
    finding.message,
    /nothing is wrong: the value is 61 s old because it has not changed since/,
  );
  assert.ok(clock.now() - readMs <= 1_000, 'it was read within its period');
});

test('a change below the deadband is told with what was read, what was reported and the limit', async (t) => {
  const { clock, explain, thing } = running(t);
  await clock.advance(10_000);
  thing.values.set('temperature', 61.9);
  await clock.advance(2_000);
  const { finding } = explain('temperature');
  assert.equal(finding.stage, 'deadband');
  assert.match(
    finding.message,
    /says 61\.9 Cel .*deadband of 0\.5 Cel from the 61\.5 Cel last reported/,
  );
  thing.values.set('temperature', 61.5);
  await clock.advance(2_000);
  assert.equal(explain('temperature').finding.stage, 'none', 'it is where it was');
});

test('a value that is not due is told with its period and when it is read next', async (t) => {
  const { clock, explain } = running(t);
  await clock.advance(400_000);
  const { finding } = explain('serial');
  assert.equal(finding.stage, 'schedule');
  assert.match(finding.message, /read every 10m, and was 7 min ago/);
  const left = (finding.until ?? 0) - clock.now();
  assert.ok(left > 0 && left <= 600_000, `${left}`);
});

test('a refused property is told as the device saying no', async (t) => {
  const { clock, explain, thing } = running(t);
  thing.refused.add('setpoint');
  await clock.advance(3_000);
  const { finding } = explain('setpoint');
  assert.equal(finding.stage, 'device');
  assert.equal(finding.code, 'PLANT_NO_SUCH');
  assert.match(finding.todo ?? '', /visitor of "setpoint"/);
  assert.equal(explain('temperature').finding.effect, 'explains', 'the others are well');
});

test('a value beyond its limits stops at the conversion', async (t) => {
  const { clock, explain, thing } = running(t);
  thing.values.set('setpoint', 95);
  await clock.advance(3_000);
  const { finding } = explain('setpoint');
  assert.equal(finding.stage, 'conversion');
  assert.equal(finding.code, 'VALUE_OUT_OF_RANGE');
});

test('a silent device has a pause, and it is told until when', async (t) => {
  const { clock, explain, thing } = running(t);
  await clock.advance(2_000);
  thing.mood = 'dead';
  await clock.advance(40_000);
  const { finding } = explain('temperature');
  assert.equal(finding.stage, 'breaker');
  assert.equal(finding.code, 'PLANT_SILENT');
  const left = (finding.until ?? 0) - clock.now();
  assert.ok(left > 0 && left <= 300_000, `tried again in ${left} ms`);
  assert.ok((finding.since ?? Infinity) < clock.now() - 30_000, 'since it was seen last');
  await clock.advance(left + 2);
  assert.equal(explain('temperature').finding.stage, 'device', 'it is being tried');
});

test('a model that is missing is told as one, and a wrong one with its fault', async (t) => {
  const { apply, clock, devices } = rig(t);
  apply(device('boiler-1'));
  await clock.advance(100);
  assert.equal(devices.explain('default/boiler-1', 'temperature')?.finding.stage, 'manifest');
  assert.equal(devices.explain('default/boiler-1', 'temperature')?.finding.code, 'MODEL_MISSING');
  assert.equal(devices.explain('default/none', 'temperature'), undefined);
});

test('a device behind a slow one waits for its port, and who holds it is told', async (t) => {
  const { apply, plant, clock, devices } = rig(t);
  plant.thing('slow').values.set('temperature', 1).set('setpoint', 50);
  plant.thing('quick').values.set('temperature', 1).set('setpoint', 50);
  apply(
    BOILER,
    device('slow', { name: 'slow', port: 'serial:bus' }),
    device('quick', { name: 'quick', port: 'serial:bus' }),
  );
  await clock.advance(3_000);
  plant.thing('slow').answerMs = 9_000;
  await clock.advance(8_000);
  const { finding } = devices.explain('default/quick', 'temperature') ?? assert.fail('not run');
  assert.equal(finding.stage, 'port');
  assert.match(finding.message, /serial:bus, which default\/slow has held for [0-9]+ s/);
});

test('an order waits for a device that is away, with its reason; carried out there is nothing to tell', async (t) => {
  const { clock, explain, store, thing } = running(t);
  await clock.advance(2_000);
  thing.mood = 'dead';
  await clock.advance(10_000);
  store.order('default/boiler-1', 'setpoint', 60);
  await clock.advance(100);
  const { order } = explain('setpoint');
  assert.equal(order?.stage, 'breaker');
  assert.match(order?.message ?? '', /^it waits for the device: the device does not answer/);
  thing.mood = 'well';
  await clock.advance(60_000);
  assert.equal(explain('setpoint').order, undefined);
});

test('an order that the device refused, or that was undone at the device, is told so', async (t) => {
  const { clock, explain, store, thing } = running(t);
  await clock.advance(2_000);
  store.order('default/boiler-1', 'setpoint', 60);
  await clock.advance(2_000);
  thing.values.set('setpoint', 33);
  await clock.advance(2_000);
  assert.match(
    explain('setpoint').order?.message ?? '',
    /it was applied, but the device says 33 now/,
  );
  thing.refused.add('setpoint');
  store.order('default/boiler-1', 'setpoint', 61);
  await clock.advance(3_000);
  const { order } = explain('setpoint');
  assert.match(order?.message ?? '', /^rejected: /);
  assert.equal(order?.code, 'PLANT_NO');
});

test('what is kept for it is 8 bytes a property, and 8 more with a deadband', () => {
  const planned = (deadband: number | undefined) =>
    new Map(
      Array.from({ length: 10_000 }, (_, index): [string, PlannedProperty] => {
        const name = `p${index}`;
        const property = {
          name,
          type: 'float',
          visitor: {},
          ...(deadband && { deadband }),
        } as const;
        return [name, { index, property, visitor: {}, everyMs: 1_000 }];
      }),
    );
  for (const [deadband, bytes] of [
    [undefined, 80_000],
    [0.5, 160_000],
  ] as const) {
    const plan = planned(deadband);
    const before = process.memoryUsage().arrayBuffers;
    const last = new LastReadings();
    last.begin(plan);
    assert.equal(process.memoryUsage().arrayBuffers - before, bytes);
    assert.equal(last.of(plan.get('p9999') ?? assert.fail()), undefined, 'not read yet');
  }
});
