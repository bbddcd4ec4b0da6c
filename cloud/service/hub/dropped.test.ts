/** Properties that a model drops, renames or gets back, as queries, watches and the API show them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DeviceModel } from '@limpet/dmi/manifest';
import type { StateRow } from '#protocol';
import type { Document } from '#protocol/api';
import { askerOf } from '../query/ask.fixture.ts';
import { MAX_STRAYS } from '../store/mirrors.ts';
import { BOILER, BOILER_1 } from '../testing.ts';
import { applyReports } from './apply-report.ts';
import {
  api,
  backend,
  clock,
  deviceOn,
  Edge,
  ID,
  modelTarget,
  property,
  rig,
  status,
  store,
  target,
  writes,
} from './session.fixture.ts';

/** The boiler's model with these properties of its own only. */
function boilerWith(...names: readonly string[]): Document {
  const properties = BOILER.spec.properties.filter(({ name }) => names.includes(name));
  const doc: DeviceModel = { ...BOILER, spec: { ...BOILER.spec, properties } };
  return doc as unknown as Document;
}

const remodel = (...names: readonly string[]) =>
  api(writes.replace(modelTarget, boilerWith(...names)));

const ask = (query: string): Promise<unknown> => askerOf(store, () => clock.now())(query);

const rows = () => ask('SELECT property, value FROM properties');
const setpoint = () => ask('SELECT setpoint, quality(setpoint) FROM devices');

async function reporting(): Promise<Edge> {
  await rig();
  const edge = await new Edge().hello();
  await edge.report(2, property(1, 51), property(2, 20, { property: 'temperature' }));
  assert.deepEqual(await rows(), [
    ['setpoint', 51],
    ['temperature', 20],
  ]);
  return edge;
}

test('a property that its model dropped is in no query, and comes back by itself with the model', async () => {
  await reporting();
  const before = (await store.read(({ view }) => view.get('Device', ID)))?.metadata;
  await remodel('temperature', 'pump');
  assert.deepEqual(await rows(), [['temperature', 20]]);
  assert.deepEqual(await setpoint(), [[null, null]]);
  assert.deepEqual(await ask('SELECT properties FROM devices'), [[{ temperature: 20 }]]);
  assert.deepEqual(await ask('SELECT count(setpoint), max(setpoint) FROM devices'), [[0, null]]);
  const after = (await store.read(({ view }) => view.get('Device', ID)))?.metadata;
  assert.ok(Number(after?.resourceVersion) > Number(before?.resourceVersion), 'watches are told');
  await remodel('temperature', 'pump', 'setpoint');
  assert.deepEqual(await setpoint(), [[51, 'good']]);
  assert.equal((await status())?.twin['setpoint']?.reported?.value, 51);
});

test('what an edge with an older model still reports is kept aside until the model has it', async () => {
  const edge = await reporting();
  await remodel('temperature');
  await edge.report(4, property(3, 52), property(4, 21, { property: 'temperature' }));
  assert.deepEqual(edge.heard.at(-1), { type: 'ack', seq: 4 });
  assert.deepEqual(await rows(), [['temperature', 21]]);
  await remodel('temperature', 'setpoint');
  assert.deepEqual(await setpoint(), [[52, 'good']]);
  await edge.report(5, property(5, 53));
  assert.deepEqual(await setpoint(), [[53, 'good']]);
});

test('what was said while the device had no model is not replaced by what was kept aside before', async () => {
  const edge = await reporting();
  await remodel('temperature');
  const rev = clock.now() * 2000 + 2001;
  const gone = { kind: 'resource', type: 'DeviceModel', id: 'default/boiler', doc: null } as const;
  await edge.report(4, { ...gone, rev, seq: 3 }, property(4, 52));
  assert.deepEqual(await setpoint(), [[52, 'good']]);
  await api(writes.create(modelTarget, boilerWith('temperature', 'setpoint')));
  assert.deepEqual(await setpoint(), [[52, 'good']]);
});

test('beyond what a node may leave aside, what a model drops is forgotten', async () => {
  const edge = await reporting();
  await api(
    store.commit.run(async ({ mirrors }) => {
      for (let n = 0; n < MAX_STRAYS; n++) {
        const place = { node: 'gateway-1', device: 'default/other', property: `p${n}` };
        await mirrors.putStray(place, {});
      }
    }),
  );
  await remodel('temperature');
  await remodel('temperature', 'setpoint');
  assert.deepEqual(await rows(), [['temperature', 20]]);
  await edge.report(4, property(3, 52));
  assert.deepEqual(await setpoint(), [[52, 'good']], 'and told anew as ever');
});

test('a device that gets another model shows what that has, and the rest again when it goes back', async () => {
  await reporting();
  const other = boilerWith('temperature');
  await api(
    writes.create(
      { ...modelTarget, name: 'meter' },
      { ...other, metadata: { name: 'meter', namespace: 'default' } },
    ),
  );
  const as = (model: string) =>
    api(
      writes.replace(target, {
        ...BOILER_1,
        spec: { ...BOILER_1.spec, model, desired: {} },
      } as unknown as Document),
    );
  await as('meter');
  assert.deepEqual(await rows(), [['temperature', 20]]);
  await as('boiler');
  assert.deepEqual(await rows(), [
    ['setpoint', 51],
    ['temperature', 20],
  ]);
});

test('a model that comes after its devices lets go of what it has not', async () => {
  const edge = await new Edge().hello();
  await api(store.commit.run(({ wanted }) => wanted.put(ID, BOILER_1)));
  await edge.report(2, property(1, 51), property(2, 20, { property: 'old' }));
  assert.deepEqual(await rows(), [
    ['old', 20],
    ['setpoint', 51],
  ]);
  await api(writes.create(modelTarget, BOILER as unknown as Document));
  assert.deepEqual(await rows(), [['setpoint', 51]]);
});

test('an edge can leave no more values of unknown properties than it may leave strays', async () => {
  await reporting();
  const work = store.commit.run(async (tx) => {
    const page = [1, 2, 3].map((n) => property(10 + n, n, { property: `unknown-${n}` }));
    const rows = [...page, ...page];
    const [taken] = await applyReports(tx, [{ node: 'gateway-1', rows, to: 20, strays: 2 }]);
    assert.equal(taken?.strays, 0);
    assert.ok((taken?.ignored.unknown ?? 0) > 0);
    assert.equal(await tx.mirrors.strays('gateway-1', 10), 2);
  });
  await api(work);
});

test('what is kept of the undeclared may be told anew without end, and the last of it counts', async () => {
  await reporting();
  const device = 'default/unknown';
  const told = Array.from({ length: 9 }, (_, n): StateRow[] => [
    { kind: 'device', seq: 10 + n, device, state: 'online', lastSeen: clock.now() + n },
    property(10 + n, n, { property: 'unknown' }),
  ]);
  const work = store.commit.run(async (tx) => {
    const page = { node: 'gateway-1', rows: told.flat(), to: 20, strays: 2 };
    const [taken] = await applyReports(tx, [page]);
    assert.deepEqual([taken?.strays, taken?.ignored.unknown], [0, 0]);
    const kept = await tx.mirrors.stray({ node: 'gateway-1', device: ID, property: 'unknown' });
    assert.equal(kept?.reported?.value, 8);
  });
  await api(work);
});

test('a device that is deleted and declared anew has nothing of what its model hid before', async () => {
  await reporting();
  await remodel('temperature');
  await api(backend.remove(target, {}));
  await api(writes.create(target, deviceOn('gateway-1') as unknown as Document));
  await remodel('temperature', 'setpoint', 'pump');
  assert.deepEqual(await setpoint(), [[null, null]]);
});
