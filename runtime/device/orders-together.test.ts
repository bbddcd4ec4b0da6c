import { type Value } from '@limpet/dmi';
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { device, model, rig } from './fixtures.ts';

const NAMES = Array.from({ length: 30 }, (_, at) => `p${at}`);
const PANEL = model(
  'boiler',
  NAMES.map((name) => ({ name, access: 'readWrite' as const, every: '10s' })),
);
const VALUES = new Map(NAMES.map((name, at) => [name, at + 1]));

async function running(t: TestContext, port?: string, takes?: number) {
  const all = rig(t, { random: () => 0 });
  for (const name of ['one', 'two']) {
    const thing = all.plant.thing(name);
    thing.answerMs = 1;
    thing.takes = takes;
    for (const key of NAMES) thing.values.set(key, 0);
  }
  const settings = (name: string) => ({ name, ...(port !== undefined && { port }) });
  all.apply(PANEL, device('one', settings('one')), device('two', settings('two')));
  await all.clock.advance(1_000);
  all.plant.events.length = 0;
  const verdicts = () => NAMES.map((name) => all.verdict(`one.${name}`));
  return { ...all, thing: all.plant.thing('one'), events: all.plant.events, verdicts };
}

test('orders that wait together are written one after the other, and read back in one go', async (t) => {
  const { store, clock, events, verdicts, thing } = await running(t);
  store.orders('default/one', VALUES);
  await clock.advance(40);
  assert.deepEqual(events, [...NAMES.map((name) => `one write ${name}`), 'one read']);
  assert.deepEqual(thing.writes, [...VALUES]);
  assert.deepEqual(new Set(verdicts()), new Set(['applied']));
});

test('one that the device refuses, or rounds, keeps none of the others', async (t) => {
  const { store, clock, thing, verdict, verdicts, events } = await running(t);
  thing.refused.add('p3');
  thing.rounds.set('p5', () => 17);
  store.orders('default/one', VALUES);
  await clock.advance(40);
  assert.equal(verdict('one.p3'), 'rejected');
  assert.equal(verdicts().filter((each) => each === 'applied').length, NAMES.length - 1);
  const reads = events.filter((event) => event === 'one read').length;
  assert.equal(reads, 1);
});

test('many orders of one device leave the port to others every 50 ms', async (t) => {
  const { store, clock, plant, events, verdicts } = await running(t, 'line');
  plant.thing('one').answerMs = 20;
  plant.thing('two').answerMs = 20;
  store.orders('default/one', VALUES);
  await clock.advance(10);
  store.order('default/two', 'p0', 9);
  await clock.advance(5_000);
  const other = events.indexOf('two write p0');
  assert.deepEqual(
    events.slice(0, other),
    ['one write p0', 'one write p1', 'one write p2', 'one read'],
    'three writes of 20 ms are a turn',
  );
  assert.deepEqual(new Set(verdicts()), new Set(['applied']));
});

test('an order that loses the device each time is rejected, and none that was written with it', async (t) => {
  const { store, clock, thing, verdict, verdicts } = await running(t);
  thing.mute.add('p7');
  store.orders('default/one', VALUES);
  await clock.advance(120_000);
  assert.equal(verdict('one.p7'), 'rejected');
  assert.equal(verdicts().filter((each) => each === 'applied').length, NAMES.length - 1);
  assert.equal(thing.writes.filter(([key]) => key === 'p7').length, 3);
});

test('a mapper that writes several in one request is given all, and asked again for what it left', async (t) => {
  const { store, clock, thing, events, verdict, verdicts } = await running(t, undefined, 20);
  thing.refused.add('p3');
  store.orders('default/one', VALUES);
  await clock.advance(40);
  assert.deepEqual(events, ['one write 20', 'one write 10', 'one read']);
  assert.deepEqual(thing.writes, [...VALUES]);
  assert.equal(verdict('one.p3'), 'rejected');
  assert.equal(verdicts().filter((each) => each === 'applied').length, NAMES.length - 1);
});

test('a mapper that refuses several as a whole is asked for each alone, and none waits for ever', async (t) => {
  const { store, clock, thing, verdict, verdicts, events } = await running(t, undefined, 20);
  thing.refusesBelow = 25;
  thing.refused.add('p27');
  store.orders('default/one', VALUES);
  await clock.advance(40);
  assert.equal(verdict('one.p27'), 'rejected');
  assert.equal(verdicts().filter((each) => each === 'applied').length, NAMES.length - 1);
  assert.deepEqual(events.slice(0, 2), ['one write 20', 'one write p20']);
});

test('a write whose answer is no value is rejected, and none that was written with it', async (t) => {
  const { store, clock, thing, verdict, verdicts } = await running(t, undefined, 20);
  thing.nonsense.add('p3');
  store.orders('default/one', VALUES);
  await clock.advance(40);
  assert.equal(verdict('one.p3'), 'rejected');
  assert.equal(verdicts().filter((each) => each === 'applied').length, NAMES.length - 1);
});

test('several that are cut off on their way are all carried out once the device is back', async (t) => {
  const { store, clock, thing, verdicts } = await running(t, undefined, 20);
  thing.lostReplies = 1;
  store.orders('default/one', VALUES);
  await clock.advance(500);
  store.order('default/one', 'p0', 99);
  await clock.advance(60_000);
  assert.deepEqual(new Set(verdicts()), new Set(['applied']));
  assert.deepEqual(new Map(thing.values), new Map<string, Value>([...VALUES, ['p0', 99]]));
});
