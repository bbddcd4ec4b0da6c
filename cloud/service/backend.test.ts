import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, test } from 'node:test';
import type { Json } from '@limpet/dmi';
import type { Device, Resource } from '@limpet/dmi/manifest';
import { ApiError, type Awaitable, type Document, merging, type Sight } from '#protocol/api';
import { CloudBackend } from './backend.ts';
import { BOILER, BOILER_1, clockAt, placeOf, silent, type Writes, writesTo } from './testing.ts';
import type { Owned } from './store/objects.ts';
import { CloudStore } from './store/store.ts';

const folder = mkdtempSync(join(tmpdir(), 'limpet-backend-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const model = { kind: 'DeviceModel', namespace: 'default', name: 'boiler' } as const;
const device = { kind: 'Device', namespace: 'default', name: 'boiler-1' } as const;
const node = (name: string) => ({ kind: 'Node', name }) as const;

let clock: ReturnType<typeof clockAt>;
let store: CloudStore;
let backend: CloudBackend;
let writes: Writes;
let files = 0;

beforeEach(async (t) => {
  clock = clockAt(Date.UTC(2026, 10, 21));
  files += 1;
  store = await CloudStore.open({ path: placeOf(join(folder, `${files}.db`)), clock, log: silent });
  backend = new CloudBackend(store);
  writes = writesTo(backend);
  (t as { after(task: () => Promise<void>): void }).after(() => store.close());
});

/** What a request is refused with. */
async function refusal(request: () => Awaitable<Resource>): Promise<ApiError> {
  try {
    await request();
  } catch (error) {
    assert.ok(error instanceof ApiError, String(error));
    return error;
  }
  throw new Error('it was not refused');
}

async function rig(): Promise<void> {
  await writes.create(model, BOILER as unknown as Document);
  await writes.create(device, BOILER_1 as unknown as Document);
}

async function wish(desired: Document | null, expiresMs?: number): Promise<Device> {
  const options = expiresMs === undefined ? {} : { expiresMs };
  return (await writes.patch(device, { spec: { desired } }, options)) as Device;
}

test('a created device comes back with what the server adds, and each desired value with a rev of its own', async () => {
  await rig();
  const found = (await backend.get(device)) as Device;
  assert.deepEqual(found.spec.desired, { setpoint: 55, pump: true });
  assert.equal(found.metadata.creationTimestamp, '2026-11-21T00:00:00Z');
  assert.equal(found.metadata.generation, 1);
  assert.match(found.metadata.uid ?? '', /^[0-9a-f-]{36}$/);
  const { setpoint, pump } = found.status?.twin ?? {};
  assert.equal(setpoint?.desired?.verdict, 'pending');
  assert.equal(setpoint.desired.stages.accepted, '2026-11-21T00:00:00.000Z');
  assert.notEqual(setpoint.desired.rev, pump?.desired?.rev);
  assert.equal(found.status?.state, 'offline');
  assert.equal(found.status.reason?.code, 'NODE_UNKNOWN');
});

test('every fault of a request comes in one answer, and nothing of it is kept', async () => {
  await rig();
  const before = await backend.get(device);
  const error = await refusal(() =>
    wish({ setpoint: 500, temperature: 3, pmp: true, pump: false }),
  );
  assert.equal(error.code, 422);
  assert.deepEqual(
    error.details.causes?.map(({ field, reason }) => [field, reason]),
    [
      ['spec.desired.setpoint', 'VALUE_ABOVE_MAXIMUM'],
      ['spec.desired.temperature', 'PROPERTY_READ_ONLY'],
      ['spec.desired.pmp', 'PROPERTY_UNKNOWN'],
    ],
  );
  assert.deepEqual(await backend.get(device), before);
});

test('a write that changes nothing keeps the resourceVersion', async () => {
  await rig();
  const before = await backend.get(device);
  assert.deepEqual(await wish({ setpoint: 55 }), before);
  assert.deepEqual(await writes.replace(device, before as unknown as Document), before);
  assert.deepEqual(await writes.patch(device, { metadata: { labels: { hall: 'north' } } }), before);
});

test('setting the same value again is a new order once the first has failed or the device has drifted', async () => {
  await rig();
  const first = await wish({ setpoint: 60 });
  const { rev } = first.status?.twin['setpoint']?.desired ?? assert.fail();
  const judge = (verdict: 'applied' | 'rejected', value: number) =>
    store.commit.run(async ({ objects, names, mirrors }) => {
      const [{ n: dev }] = (await objects.owned(['default/boiler-1'])) as [Owned];
      const prop = (await names.number('setpoint')) ?? assert.fail();
      const reported = { value, at: clock.now(), quality: 'good' } as const;
      await mirrors.put([
        [
          { dev, prop },
          { reported, judged: { rev, verdict, stages: {} } },
        ],
      ]);
    });
  await judge('applied', 60);
  assert.equal((await wish({ setpoint: 60 })).status?.twin['setpoint']?.desired?.rev, rev);
  await judge('applied', 58);
  const second = (await wish({ setpoint: 60 })).status?.twin['setpoint']?.desired;
  assert.ok(second && second.rev > rev);
  assert.equal(second.verdict, 'pending');
});

test('an order with an expiry says until when, and asking again extends it', async () => {
  await rig();
  const first = (await wish({ pump: false }, 30_000)).status?.twin['pump']?.desired;
  assert.equal(first?.expires, '2026-11-21T00:00:30.000Z');
  clock.advance(20_000);
  const second = (await wish({ pump: false }, 30_000)).status?.twin['pump']?.desired;
  assert.equal(second?.expires, '2026-11-21T00:00:50.000Z');
});

test('null withdraws one desired value, and null for all of them withdraws all', async () => {
  await rig();
  assert.deepEqual((await wish({ pump: null })).spec.desired, { setpoint: 55 });
  assert.equal((await wish(null)).spec.desired, undefined);
  const order = await store.read(({ desired }) => desired.get('default/boiler-1', 'pump'));
  assert.equal(order?.value, null);
});

test('a twin that moved does not make a stale update conflict, but a changed spec does', async () => {
  await rig();
  const read = (await backend.get(device)) as unknown as Document;
  await store.commit.run(async ({ objects, wanted }) => {
    await wanted.observedDevices(await objects.owned(['default/boiler-1']));
  });
  const labelled = { ...read, metadata: { ...(read['metadata'] as Document), labels: { a: 'b' } } };
  const updated = await writes.replace(device, labelled);
  assert.deepEqual(updated.metadata.labels, { a: 'b' });
  assert.equal(updated.metadata.generation, 1);
  const error = await refusal(() => writes.replace(device, read));
  assert.equal(error.reason, 'Conflict');
});

test('a device may come before its model, with values that no model has checked yet', async () => {
  await writes.create(device, BOILER_1 as unknown as Document);
  const found = (await wish({ anything: [1, 2] })) as Device;
  assert.deepEqual(found.spec.desired?.['anything'], [1, 2]);
  await writes.create(model, BOILER as unknown as Document);
  assert.equal(((await backend.get(device)) as Device).status?.twin['anything'], undefined);
});

test('a model in use is not deleted, and the refusal names its devices', async () => {
  await rig();
  const error = await refusal(() => backend.remove(model, {}));
  assert.equal(error.code, 409);
  assert.match(error.message, /default\/boiler-1/);
  await backend.remove(device, {});
  await backend.remove(model, {});
  assert.equal((await refusal(() => backend.get(model))).code, 404);
});

test('a node with devices is not deleted', async () => {
  await rig();
  const doc = {
    apiVersion: 'limpet.dev/v1',
    kind: 'Node',
    metadata: { name: 'gateway-1' },
    spec: {},
  };
  await writes.create(node('gateway-1'), doc);
  assert.equal((await refusal(() => backend.remove(node('gateway-1'), {}))).code, 409);
  await backend.remove(device, {});
  await backend.remove(node('gateway-1'), {});
});

test('a deleted device that is created again does not get its old desired values back', async () => {
  await rig();
  await backend.remove(device, {});
  const { desired: _, ...spec } = BOILER_1.spec;
  const again = (await writes.create(device, {
    ...BOILER_1,
    spec,
  } as unknown as Document)) as Device;
  assert.equal(again.spec.desired, undefined);
});

test('changes come in order of version, deletions included, whole or in parts', async () => {
  const all = (since: number, limit = 100) => backend.changes({ kind: 'Device' }, since, limit);
  const said = (sights: readonly Sight[]) =>
    sights.map(({ state, resource }) => `${resource.metadata.name} ${state}`);
  let woken = 0;
  const stop = backend.onChange(() => (woken += 1));
  const { version: since } = await all(0);
  await rig();
  for (const name of ['boiler-2', 'boiler-3']) {
    const doc = { ...BOILER_1, metadata: { name, namespace: 'default' } };
    await writes.create({ ...device, name }, doc as unknown as Document);
  }
  assert.ok(woken > 0);
  await backend.remove({ ...device, name: 'boiler-2' }, {});
  await wish({ pump: false });
  const { sights, more, version } = await all(since);
  assert.deepEqual(said(sights), ['boiler-3 present', 'boiler-2 deleted', 'boiler-1 present']);
  assert.equal(more, false);
  const versions = sights.map(({ resource }) => Number(resource.metadata.resourceVersion));
  assert.deepEqual(
    versions,
    [...new Set(versions)].toSorted((a, b) => a - b),
  );
  assert.equal(versions.at(-1), version);
  const first = await all(since, 2);
  assert.deepEqual([said(first.sights), first.more], [said(sights.slice(0, 2)), true]);
  assert.deepEqual(said((await all(versions[1] ?? 0, 2)).sights), ['boiler-1 present']);
  const one = await backend.changes({ kind: 'Device', name: 'boiler-3' }, since, 9);
  assert.deepEqual(said(one.sights), ['boiler-3 present']);
  const elsewhere = await backend.changes({ kind: 'Device', namespace: 'other' }, since, 9);
  assert.deepEqual([elsewhere.sights, elsewhere.version], [[], version]);
  stop();
});

test('devices whose node comes or goes have a version each', async () => {
  await rig();
  const other = { ...BOILER_1, metadata: { name: 'boiler-2', namespace: 'default' } };
  await writes.create({ ...device, name: 'boiler-2' }, other as unknown as Document);
  await store.commit.run(({ wanted }) => wanted.presence('gateway-1'));
  const { sights } = await backend.changes({ kind: 'Device' }, 0, 9);
  const versions = sights.map(({ resource }) => resource.metadata.resourceVersion);
  assert.equal(new Set(versions).size, 2);
});

test('a dry run makes every check and answers what would be, and leaves everything as it was', async () => {
  await rig();
  const before = await backend.get(device);
  const { version } = await backend.changes({ kind: 'Device' }, 0, 1);
  const edit = merging(device, {
    metadata: { labels: { hall: 'south' } },
    spec: { desired: { setpoint: 60 } },
  });
  const dry = (await backend.write(device, edit, { dryRun: true })) as Device;
  assert.deepEqual([dry.metadata.labels, dry.spec.desired?.['setpoint']], [{ hall: 'south' }, 60]);
  assert.deepEqual(await backend.get(device), before);
  const wrong = merging(device, { spec: { desired: { setpoint: 600 } } });
  const refused = await refusal(() => backend.write(device, wrong, { dryRun: true }));
  assert.equal(refused.reason, 'Invalid');
  await backend.remove(device, { dryRun: true });
  assert.deepEqual(await backend.get(device), before);
  const { sights } = await backend.changes({ kind: 'Device' }, version, 9);
  assert.deepEqual(sights, []);
});

test('who has set what is kept and shown, and is no news to the edges', async () => {
  await rig();
  const owner = {
    manager: 'kubectl',
    operation: 'Apply',
    apiVersion: 'limpet.dev/v1',
    fieldsType: 'FieldsV1',
    fieldsV1: { 'f:spec': { 'f:node': {} } },
  } as const;
  const before =
    (await store.read(({ objects }) => objects.get('Device', 'default/boiler-1'))) ?? assert.fail();
  const own = (owners: readonly (typeof owner)[]) =>
    writes.patch(device, { metadata: { managedFields: owners as unknown as Json } });
  const shown = await own([owner]);
  assert.deepEqual(shown.metadata.managedFields, [owner]);
  const after =
    (await store.read(({ objects }) => objects.get('Device', 'default/boiler-1'))) ?? assert.fail();
  assert.deepEqual([after.rev, after.pos, after.doc], [before.rev, before.pos, before.doc]);
  assert.ok(after.version > before.version);
  assert.deepEqual(await own([owner]), shown);
  assert.equal((await own([])).metadata.managedFields, undefined);
  await own([owner]);
  await backend.remove(device, {});
  const again = await writes.create(device, BOILER_1 as unknown as Document);
  assert.equal(again.metadata.managedFields, undefined);
});

test('lists are restricted by namespace, label and field, and come in pages', async () => {
  await rig();
  const three = { ...device, name: 'boiler-3' };
  await writes.create(three, {
    ...BOILER_1,
    metadata: { name: 'boiler-3', namespace: 'default' },
  } as unknown as Document);
  const all = { kind: 'Device', selection: { labels: [], fields: [] } } as const;
  const first = await backend.list(all, { limit: 1 });
  assert.deepEqual(
    first.items.map(({ metadata }) => metadata.name),
    ['boiler-1'],
  );
  const rest = await backend.list(all, { limit: 5, after: first.next ?? assert.fail() });
  assert.deepEqual(
    rest.items.map(({ metadata }) => metadata.name),
    ['boiler-3'],
  );
  assert.equal(rest.next, undefined);
  const labels = [{ key: 'hall', operator: 'in', values: ['north'] }] as const;
  const north = await backend.list({ ...all, selection: { labels, fields: [] } }, { limit: 5 });
  assert.equal(north.items.length, 1);
  assert.equal((await backend.list({ ...all, namespace: 'other' }, { limit: 5 })).items.length, 0);
});
