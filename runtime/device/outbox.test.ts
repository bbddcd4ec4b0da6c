import { type Reading } from '@limpet/dmi';
import { fakeClock } from '@limpet/dmi/testing';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { device, model, rig } from './fixtures.ts';
import { MAX_SLICE, Outbox } from './outbox.ts';
import { type PlannedProperty } from './plan.ts';

function planned(count: number, everyMs = 1_000): PlannedProperty[] {
  return Array.from({ length: count }, (_, index) => ({
    index,
    property: { name: `p${index}`, type: 'int', visitor: {} },
    visitor: {},
    everyMs,
  }));
}

const said = (value: number): Reading => ({ ok: true, value });

/** An outbox and what it passed on: `p3=7`, by slice. */
function outbox(properties: readonly PlannedProperty[]) {
  const clock = fakeClock();
  const slices: string[][] = [];
  const box = new Outbox({
    clock,
    properties,
    pass: (asked, readings) =>
      slices.push(
        asked.map(({ property }, at) => {
          const reading = readings[at];
          return `${property.name}=${reading?.ok ? JSON.stringify(reading.value) : 'bad'}`;
        }),
      ),
  });
  return { clock, slices, box };
}

test('the latest reading wins, those it replaced are counted', async () => {
  const { clock, slices, box } = outbox(planned(2));
  box.put(0, said(1));
  box.put(0, said(2));
  box.open(new Set());
  box.put(1, said(3));
  box.put(1, said(4));
  await clock.advance(20);
  assert.deepEqual(slices, [['p0=2'], ['p1=4']]);
  assert.equal(box.superseded, 2);
  assert.equal(box.unheard, 0);
});

test('a property is passed on once in its period, at once when that is over', async () => {
  const { clock, slices, box } = outbox(planned(1));
  box.open(new Set());
  for (let ms = 0; ms < 10_000; ms += 10) {
    box.put(0, said(ms));
    await clock.advance(10);
  }
  assert.ok(slices.length >= 10 && slices.length <= 11, `${slices.length} times`);
  await clock.advance(1_000);
  assert.deepEqual(slices.at(-1), ['p0=9990'], 'the last one is not lost');
  await clock.advance(60_000);
  box.put(0, said(1));
  await clock.advance(1);
  assert.deepEqual(slices.at(-1), ['p0=1']);
});

test('a device that is a little early each time loses nothing', async () => {
  const { clock, slices, box } = outbox(planned(1));
  box.open(new Set());
  for (let told = 0; told < 20; told++) {
    box.put(0, said(told));
    await clock.advance(980);
  }
  assert.equal(slices.length, 20);
  assert.equal(box.superseded, 0);
});

test('many properties are passed on in slices', async () => {
  const { clock, slices, box } = outbox(planned(1_200));
  box.open(new Set());
  for (let index = 0; index < 1_200; index++) box.put(index, said(index));
  await clock.advance(0);
  assert.equal(slices.length, 1);
  await clock.advance(40);
  assert.deepEqual(
    slices.map(({ length }) => length),
    [MAX_SLICE, MAX_SLICE, 200],
  );
});

test('what is closed has passed on everything and takes no more', async () => {
  const { clock, slices, box } = outbox(planned(2));
  box.open(new Set());
  box.put(0, said(1));
  await clock.advance(1);
  box.put(0, said(2));
  box.close();
  box.put(1, said(3));
  await clock.advance(5_000);
  assert.deepEqual(slices, [['p0=1'], ['p0=2']]);
  assert.equal(clock.pending, 0);
});

test('a flood of 100,000 readings a second starves neither the event loop nor the store', async (t) => {
  const all = rig(t);
  const names = Array.from({ length: 1_000 }, (_, index) => `p${index}`);
  const thing = all.plant.thing('boiler-1');
  thing.tells = new Set(names);
  thing.answerMs = 0;
  for (const name of names) thing.values.set(name, 0);
  all.apply(
    model(
      'boiler',
      names.map((name) => ({ name })),
    ),
    device('boiler-1'),
  );
  await all.clock.advance(100);
  const { sink } = thing.subscriptions[0] ?? assert.fail('no subscription');
  const before = all.store.seq();
  let [told, worstMs, last] = [0, 0, performance.now()];
  const start = last;
  while (performance.now() - start < 2_000) {
    const owed = ((performance.now() - start) / 1_000) * 100_000;
    for (; told < owed; told++) sink.reading(told % 1_000, { ok: true, value: told });
    // The runtime's time goes by like real time, and gets its turns like any other work of the process.
    const now = performance.now();
    await all.clock.advance(now - last);
    worstMs = Math.max(worstMs, performance.now() - now);
    last = now;
  }
  assert.ok(told >= 190_000, `${told} readings`);
  assert.ok(worstMs < 200, `the event loop stood still for ${worstMs} ms`);
  const changes = all.store.seq() - before;
  assert.ok(changes >= 1_500 && changes <= 3_500, `${changes} changes for 1,000 properties in 2 s`);
  const { superseded } = all.devices.status;
  assert.ok(superseded > told - 5_000, `${superseded} of ${told} superseded`);
});
