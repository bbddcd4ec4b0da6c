import { type CallOutcome, type DeviceModel } from '@limpet/dmi/manifest';
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { Refused } from '@limpet/dmi';
import { BOILER, device, rig } from './fixtures.ts';

const MODEL: DeviceModel = {
  ...BOILER,
  spec: {
    ...BOILER.spec,
    methods: [
      {
        name: 'ignite',
        input: [
          { name: 'power', type: 'int' },
          { name: 'key', type: 'bytes' },
        ],
        output: [{ name: 'flame', type: 'float', unit: 'Cel' }],
        visitor: { key: 'ignite' },
      },
      { name: 'reset', visitor: { key: 'reset' } },
    ],
  },
};
const INPUT = { key: 'SGk=', power: 3 };

async function house(t: TestContext) {
  const all = rig(t);
  const thing = all.plant.thing('boiler-1');
  thing.values.set('temperature', 61.5).set('setpoint', 55);
  thing.methods = { ignite: () => [800.5] };
  all.apply(MODEL, device('boiler-1'));
  await all.clock.advance(100);
  const call = (method = 'ignite', input: unknown = INPUT, timeoutMs = 10_000) =>
    all.devices.call(
      'default/boiler-1',
      { method, input, timeoutMs },
      new AbortController().signal,
    );
  return { ...all, thing, call };
}

const brief = (outcome: CallOutcome): unknown =>
  outcome.ok ? outcome.output : [outcome.at, outcome.code, outcome.ran];

test('a method runs once, with its values as the device takes them, and gives its outputs by name', async (t) => {
  const { call, clock, thing, reported } = await house(t);
  const called = call();
  await clock.advance(10);
  assert.deepEqual(brief(await called), { flame: 800.5 });
  assert.deepEqual(thing.calls, [['ignite', [3, new Uint8Array([72, 105])]]]);
  const reset = call('reset', {});
  await clock.advance(10);
  assert.deepEqual(brief(await reset), {});
  assert.equal(reported('boiler-1.temperature').quality, 'good');
});

test('wrong input never reaches the device', async (t) => {
  const { call, thing } = await house(t);
  assert.deepEqual(brief(await call('ignite', { power: 3 })), ['edge', 'ARGUMENT_MISSING', 'no']);
  assert.deepEqual(brief(await call('ignit')), ['edge', 'METHOD_UNKNOWN', 'no']);
  assert.deepEqual(thing.calls, []);
});

test('a device that is away is told at once, with its reason', async (t) => {
  const { call, clock, thing, devices } = await house(t);
  thing.mood = 'dead';
  await clock.advance(30_000);
  const outcome = await call();
  assert.deepEqual(brief(outcome), ['edge', 'DEVICE_OFFLINE', 'no']);
  assert.match(outcome.ok ? '' : outcome.message, /is offline: .* \(PLANT_SILENT\)/);
  const { signal } = new AbortController();
  const nobody = devices.call('default/x', { method: 'a', input: {}, timeoutMs: 1 }, signal);
  assert.deepEqual(brief(await nobody), ['edge', 'DEVICE_UNKNOWN', 'no']);
});

test('what the device refuses is its answer, and the session goes on', async (t) => {
  const { call, clock, thing, state } = await house(t);
  thing.methods = {
    ignite: () => {
      throw new Refused('PLANT_LOCKED', 'it is locked');
    },
  };
  const called = call();
  await clock.advance(10);
  assert.deepEqual(brief(await called), ['device', 'PLANT_LOCKED', 'no']);
  assert.equal(state('boiler-1'), 'online');
  assert.equal(thing.connects, 1);
});

test('output that is not as declared says that the method ran', async (t) => {
  const { call, clock, thing } = await house(t);
  thing.methods = { ignite: () => ['hot'], reset: () => [] };
  const called = call();
  await clock.advance(10);
  assert.deepEqual(brief(await called), ['device', 'OUTPUT_UNUSABLE', 'yes']);
  thing.methods = { ignite: () => [1, 2] };
  const odd = call();
  await clock.advance(10);
  assert.deepEqual(brief(await odd), ['device', 'MAPPER_FAULT', 'maybe']);
});

test('a method that takes too long is given up, is not repeated, and readings go on', async (t) => {
  const { call, clock, thing, state } = await house(t);
  const hung = call('ignite', INPUT, 2_000);
  thing.mood = 'hung';
  // In its turn: what is read meanwhile waits.
  await clock.advance(50);
  thing.mood = 'well';
  await clock.advance(2_000);
  assert.deepEqual(brief(await hung), ['device', 'CALL_TIMEOUT', 'maybe']);
  const reads = thing.readTimes.length;
  await clock.advance(2_500);
  assert.ok(thing.readTimes.length >= reads + 2);
  assert.deepEqual([state('boiler-1'), thing.connects, thing.calls.length], ['online', 1, 1]);
});

test('what a device tells is reported while one of its methods runs', async (t) => {
  const { clock, apply, devices, plant, reported } = rig(t);
  const thing = plant.thing('boiler-1');
  thing.values.set('temperature', 61.5).set('setpoint', 55);
  thing.tells = new Set(['temperature', 'setpoint']);
  thing.methods = { reset: () => [] };
  apply(MODEL, device('boiler-1'));
  await clock.advance(1_000);
  thing.answerMs = 5_000;
  const asked = { method: 'reset', input: {}, timeoutMs: 10_000 };
  const called = devices.call('default/boiler-1', asked, new AbortController().signal);
  await clock.advance(2_000);
  thing.tell('temperature', 70);
  await clock.advance(1_500);
  assert.equal(reported('boiler-1.temperature').value, 70);
  await clock.advance(2_000);
  assert.deepEqual(brief(await called), {});
});

test('a device that is lost in a call may have carried it out, and one that waits was not begun', async (t) => {
  const { call, clock, thing } = await house(t);
  thing.mood = 'dead';
  const [first, second] = [call(), call('reset', {})];
  await clock.advance(100);
  assert.deepEqual(brief(await first), ['device', 'PLANT_SILENT', 'maybe']);
  assert.deepEqual(brief(await second), ['edge', 'PLANT_SILENT', 'no']);
  assert.deepEqual(thing.calls.length, 1);
});

test('calls of one device wait for each other, and no more than so many', async (t) => {
  const { call, clock, thing } = await house(t);
  const all = Array.from({ length: 17 }, () => call());
  assert.deepEqual(brief(await (all.at(-1) as Promise<CallOutcome>)), ['edge', 'CALL_BUSY', 'no']);
  await clock.advance(500);
  const outcomes = await Promise.all(all.slice(0, 16));
  assert.ok(outcomes.every(({ ok }) => ok));
  assert.equal(thing.calls.length, 16);
});

test('a caller that goes away takes along what has not begun', async (t) => {
  const { devices, call, clock, thing } = await house(t);
  const first = call();
  const gone = new AbortController();
  const asked = { method: 'reset', input: {}, timeoutMs: 10_000 };
  const second = devices.call('default/boiler-1', asked, gone.signal);
  gone.abort();
  assert.deepEqual(brief(await second), ['edge', 'CALL_CANCELLED', 'no']);
  await clock.advance(50);
  assert.ok((await first).ok);
  assert.equal(thing.calls.length, 1);
});

test('a mapper whose connection takes no calls says so', async (t) => {
  const { clock, apply, devices, plant } = rig(t);
  plant.thing('boiler-1').values.set('temperature', 1).set('setpoint', 2);
  apply(MODEL, device('boiler-1'));
  await clock.advance(100);
  const asked = { method: 'reset', input: {}, timeoutMs: 1_000 };
  const called = devices.call('default/boiler-1', asked, new AbortController().signal);
  await clock.advance(10);
  assert.deepEqual(brief(await called), ['edge', 'METHOD_UNSERVED', 'no']);
});

test('a model with a method that the mapper does not serve is misconfigured, with its path', async (t) => {
  const { clock, apply, store, plant } = rig(t);
  plant.thing('boiler-1').values.set('temperature', 1);
  const [first] = MODEL.spec.methods ?? [];
  const methods = [{ ...first, name: 'x', visitor: { key: 'unserved' } }];
  apply({ ...MODEL, spec: { ...MODEL.spec, methods } }, device('boiler-1'));
  await clock.advance(100);
  const condition = store.twin('default/boiler-1')?.condition;
  assert.equal(condition?.state, 'misconfigured');
  assert.match(
    condition?.reason?.message ?? '',
    /^spec\.methods\[0\]\.visitor: "x": no such method/,
  );
  apply(MODEL);
  await clock.advance(1_000);
  assert.equal(store.twin('default/boiler-1')?.condition.state, 'online');
});
