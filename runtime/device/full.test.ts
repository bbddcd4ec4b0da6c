import { type DeviceModel } from '@limpet/dmi/manifest';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BOILER, device, model, rig, type Rig } from './fixtures.ts';

const names = (count: number): string[] => Array.from({ length: count }, (_, i) => `p${i}`);

function declare({ plant, apply }: Rig, devices: readonly string[], of: DeviceModel): void {
  for (const name of devices) {
    const thing = plant.thing(name);
    for (const property of of.spec.properties) thing.values.set(property.name, 1);
  }
  apply(of, ...devices.map((name) => device(name, { name }, { model: of.metadata.name })));
}

test('models of 10,000 properties: two devices run, the third says why not, the first ones notice nothing', async (t) => {
  const all = rig(t, { maxProperties: 20_000 });
  const { plant, clock, state, store, reported } = all;
  declare(all, ['boiler-1'], BOILER);
  await clock.advance(1_500);
  const big = model(
    'big',
    names(10_000).map((name) => ({ name, every: '10s' })),
  );
  declare(all, ['big-1', 'big-2', 'big-3'], big);
  await clock.advance(5_000);
  assert.deepEqual(
    ['boiler-1', 'big-1', 'big-2', 'big-3'].map((name) => state(name)),
    ['online', 'online', 'misconfigured', 'misconfigured'],
  );
  assert.equal(reported('big-1.p9999').quality, 'good');
  assert.equal(store.twin('default/big-2')?.condition.reason?.code, 'NODE_FULL');
  assert.equal(plant.thing('big-2').connects, 0);
  assert.equal(plant.thing('boiler-1').connects, 1);
});

test('a device comes in when another leaves, and none of the others connects anew', async (t) => {
  const all = rig(t, { maxProperties: 6 });
  const { plant, clock, state, store } = all;
  const small = model(
    'small',
    names(3).map((name) => ({ name })),
  );
  declare(all, ['a', 'b', 'c'], small);
  await clock.advance(1_000);
  assert.deepEqual([state('a'), state('b'), state('c')], ['online', 'online', 'misconfigured']);
  const rest = ['b', 'c'].map((name) => device(name, { name }, { model: 'small' }));
  store.applyManifest([small, ...rest], 'test');
  await clock.advance(1_000);
  assert.deepEqual([state('b'), state('c')], ['online', 'online']);
  assert.deepEqual(
    ['a', 'b', 'c'].map((name) => [plant.thing(name).connects, plant.thing(name).open]),
    [
      [1, 0],
      [1, 1],
      [1, 1],
    ],
  );
});

test('a model that grows beyond the node stops its own devices only, and shrinks back into it', async (t) => {
  const all = rig(t, { maxProperties: 6 });
  const { plant, clock, state } = all;
  declare(
    all,
    ['a'],
    model(
      'steady',
      names(3).map((name) => ({ name })),
    ),
  );
  declare(
    all,
    ['b'],
    model(
      'growing',
      names(3).map((name) => ({ name })),
    ),
  );
  await clock.advance(1_000);
  declare(
    all,
    ['b'],
    model(
      'growing',
      names(4).map((name) => ({ name })),
    ),
  );
  await clock.advance(1_000);
  assert.deepEqual([state('a'), state('b')], ['online', 'misconfigured']);
  assert.deepEqual([plant.thing('a').connects, plant.thing('b').open], [1, 0]);
  declare(
    all,
    ['b'],
    model(
      'growing',
      names(2).map((name) => ({ name })),
    ),
  );
  await clock.advance(1_000);
  assert.deepEqual([state('a'), state('b')], ['online', 'online']);
});

test('a hostile model (10,000 periods, none alike, long names) leaves its neighbour its period', async (t) => {
  const all = rig(t, { maxProperties: 20_000 });
  const { plant, clock } = all;
  declare(all, ['boiler-1'], BOILER);
  const hostile = names(9_900).map((name, index) => ({
    name: `${name}-${'x'.repeat(50)}`,
    every: `${100 + index}ms`,
  }));
  plant.thing('hostile').answerMs = 0;
  declare(all, ['hostile'], model('hostile', hostile));
  await clock.advance(1_000);
  const start = performance.now();
  const before = plant.thing('boiler-1').readTimes.length;
  await clock.advance(5_000);
  assert.equal(plant.thing('boiler-1').readTimes.length - before, 5);
  const tookMs = performance.now() - start;
  assert.ok(tookMs < 5_000, `five seconds of it took ${tookMs} ms`);
});
