import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BOILER, device, rig } from './fixtures.ts';
import { MAX_CONNECTS } from './registry.ts';
import { seeded } from './seeded.fixture.ts';
import { Slots } from './slots.ts';

const NAMES = Array.from({ length: 500 }, (_, index) => `boiler-${index}`);

test('500 devices that start together connect a bounded number at a time, and all are online at once', async (t) => {
  const { plant, apply, clock, devices } = rig(t, { random: seeded(1) });
  plant.connectMs = 300;
  for (const name of NAMES) plant.thing(name).values.set('temperature', 61.5).set('setpoint', 55);
  apply(BOILER, ...NAMES.map((name) => device(name)));
  await clock.advance(1_500);
  assert.equal(plant.connectingMost, MAX_CONNECTS);
  assert.equal(devices.status.states.online, 500);
  for (const name of NAMES) {
    const [first = Infinity] = plant.thing(name).readTimes;
    assert.ok(first < 1_500, `${name} read first after ${first} ms`);
  }
});

test('500 devices of one period are polled all over it, not in one millisecond', async (t) => {
  const { plant, apply, clock } = rig(t, { random: seeded(2) });
  for (const name of NAMES) plant.thing(name).values.set('temperature', 61.5).set('setpoint', 55);
  apply(BOILER, ...NAMES.map((name) => device(name)));
  await clock.advance(2_500);
  const perTenth = new Map<number, number>();
  for (const name of NAMES) {
    for (const at of plant.thing(name).readTimes) {
      const tenth = Math.floor(at / 100);
      perTenth.set(tenth, (perTenth.get(tenth) ?? 0) + 1);
    }
  }
  // Of the second after the first reading: 50 of 500 in each tenth, if spread evenly.
  for (let tenth = 12; tenth < 22; tenth++) {
    const polls = perTenth.get(tenth) ?? 0;
    assert.ok(polls >= 25 && polls <= 85, `${polls} polls in tenth ${tenth}`);
  }
});

test('slots are given in the order they are asked for, and who stops waiting takes none', async () => {
  const slots = new Slots(1);
  const never = new AbortController().signal;
  const giveBack = await slots.take(never);
  const stop = new AbortController();
  const refused = assert.rejects(slots.take(stop.signal), /enough/);
  let second = false;
  const next = slots.take(never).then((back) => ((second = true), back));
  stop.abort(new Error('enough'));
  await refused;
  assert.equal(second, false);
  giveBack();
  giveBack();
  (await next)();
  (await slots.take(never))();
});
