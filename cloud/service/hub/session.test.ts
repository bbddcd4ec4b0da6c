import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Device } from '@limpet/dmi/manifest';
import type { FromCloud } from '#protocol';
import type { Document } from '#protocol/api';
import { StoreFailed } from '../store/errors.ts';
import { BOILER, BOILER_1, FACTS } from '../testing.ts';
import {
  api,
  backend,
  clock,
  deviceOn,
  Edge,
  ID,
  keys,
  modelTarget,
  property,
  rig,
  shown,
  status,
  store,
  T0,
  target,
  turn,
  wantedDevice,
  writes,
} from './session.fixture.ts';

test('an edge is welcomed, told its devices with model and desired values, and shown as a node', async () => {
  await rig();
  const edge = await new Edge().hello();
  assert.deepEqual(edge.heard[0], { type: 'welcome', seq: 0 });
  assert.deepEqual(keys((await edge.storeAll()).rows), [
    'DeviceModel +',
    'Device +',
    'pump',
    'setpoint',
  ]);
  const node = await shown('Node', 'gateway-1');
  assert.deepEqual(node.kind === 'Node' && node.status?.facts, FACTS);
  assert.equal((await status())?.state, 'connecting');
  assert.ok(((await store.read(({ nodes }) => nodes.get('gateway-1')))?.stored ?? 0) > 0);
});

test('nothing is acknowledged before the commit', async () => {
  const edge = await new Edge().hello();
  edge.session.received({ type: 'report', to: 4, rows: [property(4, 55)] });
  assert.deepEqual(edge.types(), ['welcome']);
  await turn();
  assert.deepEqual(edge.heard.at(-1), { type: 'ack', seq: 4 });
  assert.equal((await store.read(({ nodes }) => nodes.get('gateway-1')))?.seq, 4);
});

test('an edge that comes back is told only what is new, and resumes where its epoch was', async () => {
  await rig();
  const first = await new Edge().hello();
  const { cursor } = await first.storeAll();
  await first.report(7, property(7, 55));
  first.session.closed();
  await turn();
  assert.equal((await status())?.state, 'offline');
  assert.equal((await status())?.twin['setpoint']?.reported?.quality, 'stale');
  await api(writes.patch(target, { spec: { desired: { pump: false } } }));
  const second = await new Edge().hello('gateway-1', 'e1', cursor);
  assert.deepEqual(second.heard[0], { type: 'welcome', seq: 7 });
  assert.deepEqual(keys((await second.storeAll()).rows), ['pump']);
  const third = await new Edge().hello('gateway-1', 'e2', cursor);
  assert.deepEqual(third.heard[0], { type: 'welcome', seq: 0 });
});

test('a newer connection fences the older, whose late messages change nothing', async () => {
  await rig();
  const older = await new Edge().hello();
  const newer = await new Edge().hello('gateway-1', 'e2');
  assert.equal(older.closedWith, 4001);
  assert.equal(older.heard.at(-1)?.type, 'refuse');
  await older.report(9, property(9, 20));
  older.session.closed();
  await turn();
  assert.equal((await status())?.twin['setpoint']?.reported, undefined);
  assert.equal((await store.read(({ nodes }) => nodes.get('gateway-1')))?.state, 'online');
  assert.equal(newer.session.live(), true);
});

test('while a page is on its way only the latest of each desired value waits for the next', async () => {
  await rig();
  const edge = await new Edge().hello();
  for (const setpoint of [60, 61, 62]) {
    await api(writes.patch(target, { spec: { desired: { setpoint } } }));
  }
  const [first] = edge.heard.filter(({ type }) => type === 'desire');
  assert.equal(edge.types().filter((type) => type === 'desire').length, 1);
  edge.heard.length = 0;
  await edge.say({ type: 'stored', rev: first?.type === 'desire' ? first.to : 0 });
  const { rows } = await edge.storeAll();
  assert.deepEqual(keys(rows), ['setpoint']);
  assert.equal(rows[0]?.kind === 'desired' && rows[0].value, 62);
});

test('a verdict reaches the API, and an edge that lost its last commits does not take it back', async () => {
  await rig();
  const edge = await new Edge().hello();
  await edge.storeAll();
  const rev = (await status())?.twin['setpoint']?.desired?.rev ?? 0;
  const stages = { accepted: T0, stored: T0 + 5, sent: T0 + 6, confirmed: T0 + 7 };
  const desired = { value: 55, rev, verdict: 'applied', stages } as const;
  await edge.report(1, property(1, 55, { desired }));
  await edge.report(
    2,
    property(2, 55, { desired: { ...desired, verdict: 'pending', stages: { accepted: T0 } } }),
  );
  assert.equal((await status())?.twin['setpoint']?.desired?.verdict, 'applied');
  assert.equal(
    (await status())?.twin['setpoint']?.desired?.stages.confirmed,
    '2026-11-21T00:00:00.007Z',
  );
});

test('a carried row does not replace a mirrored value unless it is newer', async () => {
  await rig();
  const edge = await new Edge().hello();
  await edge.report(1, property(1, 55));
  const old = { value: 40, at: T0 - 1000, quality: 'stale' } as const;
  await edge.report(2, property(2, 0, { reported: old, carried: true }));
  assert.equal((await status())?.twin['setpoint']?.reported?.value, 55);
  const newer = { ...old, at: clock.now() + 1 };
  await edge.report(3, property(3, 0, { reported: newer, carried: true }));
  assert.equal((await status())?.twin['setpoint']?.reported?.value, 40);
});

test('a cloud restored from an older copy adopts what the edge holds, whatever comes first', async () => {
  const edge = await new Edge().hello('gateway-1', 'e9', (T0 + 60_000) * 2000);
  const rev = (T0 + 50_000) * 2000;
  const desired = {
    value: 71,
    rev: rev + 2,
    verdict: 'applied',
    stages: { accepted: T0 },
  } as const;
  await edge.report(3, property(1, 71, { desired }), wantedDevice(2, rev, deviceOn('gateway-1')), {
    kind: 'resource',
    type: 'DeviceModel',
    id: 'default/boiler',
    rev,
    doc: BOILER,
    seq: 3,
  });
  assert.deepEqual(((await shown()) as Device).spec.desired, { setpoint: 71 });
  assert.equal((await status())?.twin['setpoint']?.desired?.verdict, 'applied');
  assert.equal((await status())?.twin['setpoint']?.reported?.value, 71);
  // What is ordered now is newer than what was adopted, whatever the clock of this cloud says.
  const found = (await api(
    writes.patch(target, { spec: { desired: { setpoint: 60 } } }),
  )) as Device;
  assert.ok((found.status?.twin['setpoint']?.desired?.rev ?? 0) > rev + 2);
  assert.equal(
    (await edge.storeAll()).rows.some((row) => row.kind === 'desired' && row.value === 60),
    true,
  );
});

test('a device moved to another node is buried at the old one and complete at the new one', async () => {
  await rig();
  const a = await new Edge().hello('gateway-1');
  const b = await new Edge().hello('gateway-2');
  await a.storeAll();
  await a.report(1, property(1, 55));
  await api(writes.patch(target, { spec: { node: 'gateway-2' } }));
  assert.deepEqual(keys((await a.storeAll()).rows), ['Device -']);
  assert.deepEqual(keys((await b.storeAll()).rows), [
    'DeviceModel +',
    'Device +',
    'pump',
    'setpoint',
  ]);
  assert.equal((await status())?.twin['setpoint']?.reported, undefined);
  const { rev } = (await store.read(({ objects }) => objects.get('Device', ID))) ?? assert.fail();
  await a.report(2, wantedDevice(2, rev, null));
  assert.equal(await store.read(({ objects }) => objects.nodeOf(ID)), 'gateway-2');
  await a.report(3, property(3, 1));
  assert.equal(a.session.ignored().foreign, 1);
  assert.equal((await status())?.twin['setpoint']?.reported, undefined);
  await api(writes.patch(target, { spec: { node: 'gateway-1' } }));
  assert.deepEqual(keys((await b.storeAll()).rows), ['Device -']);
  assert.deepEqual(keys((await a.storeAll()).rows), ['Device +', 'pump', 'setpoint']);
});

test('a deletion waits for a node that is away, and is forgotten once the node has stored it', async () => {
  await rig();
  const edge = await new Edge().hello();
  const { cursor } = await edge.storeAll();
  edge.session.closed();
  await turn();
  await api(backend.remove(target, {}));
  await api(backend.remove(modelTarget, {}));
  const back = await new Edge().hello('gateway-1', 'e1', cursor);
  assert.deepEqual(keys((await back.storeAll()).rows), ['Device -', 'DeviceModel -']);
  const left = (await store.read(({ stream }) => stream.after('gateway-1', 0, 10))).filter(
    ({ what, part }) => what === 'gone' && part === 'Device',
  );
  assert.deepEqual(left, []);
});

test('an edge that brings a deleted device back is told of the deletion again', async () => {
  await rig();
  const edge = await new Edge().hello();
  await edge.storeAll();
  const { rev } = (await store.read(({ objects }) => objects.get('Device', ID))) ?? assert.fail();
  await api(backend.remove(target, {}));
  await edge.storeAll();
  await edge.report(5, wantedDevice(5, rev, deviceOn('gateway-1')));
  assert.equal(await store.read(({ objects }) => objects.has('Device', ID)), false);
  assert.deepEqual(keys((await edge.storeAll()).rows), ['Device -']);
});

test('a device declared at an edge appears in the cloud, and its deletion there deletes it here', async () => {
  const edge = await new Edge().hello();
  const rev = T0 * 2000 + 1;
  await edge.report(1, wantedDevice(1, rev, deviceOn('gateway-1')));
  assert.equal((await shown()).kind, 'Device');
  await edge.report(2, wantedDevice(2, rev + 2, null));
  assert.equal(await store.read(({ objects }) => objects.has('Device', ID)), false);
});

test('an edge cannot declare, change or delete the device of another node', async () => {
  await rig();
  const thief = await new Edge().hello('gateway-2');
  const rev = (T0 + 1000) * 2000 + 1;
  await thief.report(1, wantedDevice(1, rev, deviceOn('gateway-2')));
  await thief.report(2, wantedDevice(2, rev, deviceOn('gateway-1')));
  await thief.report(3, wantedDevice(3, rev, null));
  await thief.report(4, property(4, 1));
  assert.equal(await store.read(({ objects }) => objects.nodeOf(ID)), 'gateway-1');
  assert.equal((await status())?.twin['setpoint']?.reported, undefined);
  assert.equal(thief.session.ignored().foreign, 3);
});

test('a model that other nodes use survives its deletion at one edge', async () => {
  await rig();
  const edge = await new Edge().hello('gateway-2');
  const rev = (T0 + 1000) * 2000 + 1;
  await edge.report(1, {
    kind: 'resource',
    type: 'DeviceModel',
    id: 'default/boiler',
    rev,
    doc: null,
    seq: 1,
  });
  const held = await store.read(({ objects }) => objects.get('DeviceModel', 'default/boiler'));
  assert.ok(held && held.rev > rev);
});

test('a device too large for one page comes in several, and the cursor moves with the last', async () => {
  await rig();
  const desired = Object.fromEntries(
    Array.from({ length: 1200 }, (_, index) => [`p${index}`, index]),
  );
  const big = { ...BOILER_1, metadata: { name: 'big', namespace: 'default' } };
  const doc = { ...big, spec: { ...big.spec, model: 'unknown', node: 'gateway-9', desired } };
  await api(writes.create({ ...target, name: 'big' }, doc as unknown as Document));
  const edge = await new Edge().hello('gateway-9');
  const pages: FromCloud[] = [];
  for (;;) {
    const page = edge.heard.find(({ type }) => type === 'desire');
    if (page?.type !== 'desire') break;
    pages.push(page);
    edge.heard.splice(edge.heard.indexOf(page), 1);
    await edge.say({ type: 'stored', rev: page.to });
  }
  const sent = pages.flatMap((page) => (page.type === 'desire' ? page.rows : []));
  assert.ok(pages.every((page) => page.type === 'desire' && page.rows.length <= 500));
  assert.equal(
    new Set(sent.map((row) => (row.kind === 'desired' ? row.property : row.id))).size,
    1201,
  );
  assert.deepEqual(
    pages.slice(0, 2).map((page) => page.type === 'desire' && page.to),
    [0, 0],
  );
});

test('an order says how long it is still good for, as of its sending', async () => {
  await rig();
  await api(writes.patch(target, { spec: { desired: { pump: false } } }, { expiresMs: 30_000 }));
  clock.advance(10_000);
  const { rows } = await (await new Edge().hello()).storeAll();
  const order = rows.find((row) => row.kind === 'desired' && row.property === 'pump');
  assert.equal(order?.kind === 'desired' && order.ttl, 19_999);
});

test('an edge of another protocol version is sent away with what to update', async () => {
  const edge = new Edge();
  edge.session.received({
    type: 'hello',
    protocol: 2 as 1,
    node: 'n',
    epoch: 'e',
    rev: 0,
    facts: FACTS,
  });
  const [refusal] = edge.heard;
  assert.ok(refusal?.type === 'refuse' && /update the cloud service/.test(refusal.message));
  assert.equal(edge.closedWith, 4002);
});

test('the same rows again, in a new epoch, change nothing that a watcher sees', async () => {
  await rig();
  const row = property(1, 55);
  await (await new Edge().hello()).report(1, row);
  const { resourceVersion } = (await shown()).metadata;
  await (await new Edge().hello('gateway-1', 'e2')).report(1, row);
  assert.equal((await shown()).metadata.resourceVersion, resourceVersion);
});

test('an edge whose rows could not be written is asked to come back later, and none is acknowledged', async () => {
  const edge = await new Edge().hello();
  await store.commit.close();
  await edge.report(1, property(1, 55));
  const refusal = edge.heard.at(-1);
  assert.ok(refusal?.type === 'refuse' && refusal.code === 'SYNC_CLOUD_UNABLE');
  assert.equal(refusal.retryAfter, 5000);
  assert.equal(edge.closedWith, 4003);
  assert.equal(edge.types().includes('ack'), false);
});

test('what an edge wanted of a device that another node then gets does not count', async () => {
  const edge = await new Edge().hello('gateway-2');
  const stages = { accepted: T0 };
  const desired = { value: 90, rev: T0 * 2000 + 1, verdict: 'applied', stages } as const;
  await edge.report(1, property(1, 90, { desired }));
  const { desired: _, ...spec } = BOILER_1.spec;
  await api(writes.create(target, { ...BOILER_1, spec } as unknown as Document));
  assert.equal(((await shown()) as Device).spec.desired, undefined);
});

test('a cursor from a lost history of the cloud hides nothing that this history has given out', async () => {
  await rig();
  const edge = await new Edge().hello('gateway-1', 'e1', store.version());
  assert.deepEqual(keys((await edge.storeAll()).rows), [
    'DeviceModel +',
    'Device +',
    'pump',
    'setpoint',
  ]);
});

test('an edge that still has a device which was moved by a restored cloud lets go of it', async () => {
  await rig();
  const edge = await new Edge().hello('gateway-2');
  const { rev } = (await store.read(({ objects }) => objects.get('Device', ID))) ?? assert.fail();
  await api(writes.patch(target, { spec: { description: 'newer' } }));
  await edge.report(1, wantedDevice(1, rev, deviceOn('gateway-2')));
  assert.deepEqual(keys((await edge.storeAll()).rows), ['Device -']);
});

test('a node whose new life could not be recorded is away once that has ended', async () => {
  await new Edge().hello();
  const next = new Edge();
  next.session.received({
    type: 'hello',
    protocol: 1,
    node: 'gateway-1',
    epoch: 'e2',
    rev: 0,
    facts: FACTS,
  });
  const refusal = async (): Promise<never> => {
    throw new StoreFailed('DISK_IO', 'no');
  };
  await Promise.all([assert.rejects(store.commit.run(refusal), { code: 'DISK_IO' }), turn()]);
  assert.deepEqual(next.types(), ['refuse']);
  await turn();
  const node = await store.read(({ nodes }) => nodes.get('gateway-1'));
  assert.equal(node?.state, 'offline');
});
