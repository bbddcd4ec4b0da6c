import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import type { Device, Kind } from '@limpet/dmi/manifest';
import type { FromCloud, FromEdge, StateRow, WantedRow } from '#protocol';
import type { Document } from '#protocol/api';
import { CloudBackend } from '../backend.ts';
import { CloudStore } from '../store/store.ts';
import { BOILER, BOILER_1, clockAt, FACTS, silent, type Writes, writesTo } from '../testing.ts';
import { CloudSession } from './session.ts';

const T0 = Date.UTC(2026, 10, 21);
const ID = 'default/boiler-1';
const target = { kind: 'Device', namespace: 'default', name: 'boiler-1' } as const;
const modelTarget = { kind: 'DeviceModel', namespace: 'default', name: 'boiler' } as const;

let clock: ReturnType<typeof clockAt>;
let store: CloudStore;
let backend: CloudBackend;
let writes: Writes;
let tasks: (() => void)[];
let sessions: Map<string, CloudSession>;

/** Runs what waits for its turn, as the event loop would. */
function turn(): void {
  for (const task of tasks.splice(0)) task();
}

beforeEach(() => {
  clock = clockAt(T0);
  tasks = [];
  sessions = new Map();
  store = CloudStore.open({
    path: ':memory:',
    clock,
    log: silent,
    soon: (task) => void tasks.push(task),
  });
  backend = new CloudBackend(store);
  writes = writesTo(backend);
  store.onChange(() => {
    for (const session of sessions.values()) session.wantedChanged();
  });
});

/** An API write, committed. */
async function api<T>(request: Promise<T>): Promise<T> {
  turn();
  clock.advance(1);
  return request;
}

async function rig(): Promise<void> {
  await api(writes.create(modelTarget, BOILER as unknown as Document));
  await api(writes.create(target, BOILER_1 as unknown as Document));
}

/** One connection of an edge, which notes what it is told. */
class Edge {
  readonly heard: FromCloud[] = [];
  closedWith: number | undefined;
  readonly session: CloudSession;

  constructor() {
    this.session = new CloudSession({
      store,
      log: silent,
      send: (message) => void this.heard.push(message),
      close: (code) => {
        this.closedWith = code;
      },
      admit: (node) => {
        sessions.get(node)?.fence();
        sessions.set(node, this.session);
      },
      after: () => () => undefined,
    });
  }

  say(message: FromEdge): this {
    this.session.received(message);
    turn();
    return this;
  }

  hello(node = 'gateway-1', epoch = 'e1', rev = 0): this {
    return this.say({ type: 'hello', protocol: 1, node, epoch, rev, facts: FACTS });
  }

  report(to: number, ...rows: StateRow[]): this {
    return this.say({ type: 'report', to, rows });
  }

  /** Stores desire pages until there are no more; answers with all rows and the cursor. */
  storeAll(): { rows: readonly WantedRow[]; cursor: number } {
    const rows: WantedRow[] = [];
    let cursor = 0;
    for (;;) {
      const page = this.heard.find((message) => message.type === 'desire');
      if (page === undefined) return { rows, cursor };
      this.heard.splice(this.heard.indexOf(page), 1);
      rows.push(...page.rows);
      cursor = Math.max(cursor, page.to);
      this.say({ type: 'stored', rev: page.to });
    }
  }

  types(): readonly string[] {
    return this.heard.map(({ type }) => type);
  }
}

function property(seq: number, value: number, more: Partial<StateRow> = {}): StateRow {
  const reported = { value, at: clock.now(), quality: 'good' } as const;
  const row = { kind: 'property', seq, device: ID, property: 'setpoint', reported } as const;
  return { ...row, ...more } as StateRow;
}

function wantedDevice(seq: number, rev: number, doc: Device | null): StateRow {
  return { kind: 'resource', type: 'Device', id: ID, rev, doc, seq };
}

function deviceOn(node: string): Device {
  const { desired: _, ...spec } = BOILER_1.spec;
  return { ...BOILER_1, spec: { ...spec, node } };
}

const shown = (kind: Kind = 'Device', id: string = ID) =>
  store.view.get(kind, id) ?? assert.fail('it is not there');
const status = () => (shown() as Device).status;
const keys = (rows: readonly WantedRow[]) =>
  rows.map((row) => (row.kind === 'desired' ? row.property : `${row.type} ${row.doc ? '+' : '-'}`));

test('an edge is welcomed, told its devices with model and desired values, and shown as a node', async () => {
  await rig();
  const edge = new Edge().hello();
  assert.deepEqual(edge.heard[0], { type: 'welcome', seq: 0 });
  assert.deepEqual(keys(edge.storeAll().rows), ['DeviceModel +', 'Device +', 'pump', 'setpoint']);
  const node = shown('Node', 'gateway-1');
  assert.deepEqual(node.kind === 'Node' && node.status?.facts, FACTS);
  assert.equal(status()?.state, 'connecting');
  assert.ok((store.nodes.get('gateway-1')?.stored ?? 0) > 0);
});

test('nothing is acknowledged before the commit', () => {
  const edge = new Edge().hello();
  edge.session.received({ type: 'report', to: 4, rows: [property(4, 55)] });
  assert.deepEqual(edge.types(), ['welcome']);
  turn();
  assert.deepEqual(edge.heard.at(-1), { type: 'ack', seq: 4 });
  assert.equal(store.nodes.get('gateway-1')?.seq, 4);
});

test('an edge that comes back is told only what is new, and resumes where its epoch was', async () => {
  await rig();
  const first = new Edge().hello();
  const { cursor } = first.storeAll();
  first.report(7, property(7, 55));
  first.session.closed();
  turn();
  assert.equal(status()?.state, 'offline');
  assert.equal(status()?.twin['setpoint']?.reported?.quality, 'stale');
  await api(writes.patch(target, { spec: { desired: { pump: false } } }));
  const second = new Edge().hello('gateway-1', 'e1', cursor);
  assert.deepEqual(second.heard[0], { type: 'welcome', seq: 7 });
  assert.deepEqual(keys(second.storeAll().rows), ['pump']);
  const third = new Edge().hello('gateway-1', 'e2', cursor);
  assert.deepEqual(third.heard[0], { type: 'welcome', seq: 0 });
});

test('a newer connection fences the older, whose late messages change nothing', async () => {
  await rig();
  const older = new Edge().hello();
  const newer = new Edge().hello('gateway-1', 'e2');
  assert.equal(older.closedWith, 4001);
  assert.equal(older.heard.at(-1)?.type, 'refuse');
  older.report(9, property(9, 20));
  older.session.closed();
  turn();
  assert.equal(status()?.twin['setpoint']?.reported, undefined);
  assert.equal(store.nodes.get('gateway-1')?.state, 'online');
  assert.equal(newer.session.live(), true);
});

test('while a page is on its way only the latest of each desired value waits for the next', async () => {
  await rig();
  const edge = new Edge().hello();
  for (const setpoint of [60, 61, 62]) {
    await api(writes.patch(target, { spec: { desired: { setpoint } } }));
  }
  const [first] = edge.heard.filter(({ type }) => type === 'desire');
  assert.equal(edge.types().filter((type) => type === 'desire').length, 1);
  edge.heard.length = 0;
  edge.say({ type: 'stored', rev: first?.type === 'desire' ? first.to : 0 });
  const { rows } = edge.storeAll();
  assert.deepEqual(keys(rows), ['setpoint']);
  assert.equal(rows[0]?.kind === 'desired' && rows[0].value, 62);
});

test('a verdict reaches the API, and an edge that lost its last commits does not take it back', async () => {
  await rig();
  const edge = new Edge().hello();
  edge.storeAll();
  const rev = status()?.twin['setpoint']?.desired?.rev ?? 0;
  const stages = { accepted: T0, stored: T0 + 5, sent: T0 + 6, confirmed: T0 + 7 };
  const desired = { value: 55, rev, verdict: 'applied', stages } as const;
  edge.report(1, property(1, 55, { desired }));
  edge.report(
    2,
    property(2, 55, { desired: { ...desired, verdict: 'pending', stages: { accepted: T0 } } }),
  );
  assert.equal(status()?.twin['setpoint']?.desired?.verdict, 'applied');
  assert.equal(status()?.twin['setpoint']?.desired?.stages.confirmed, '2026-11-21T00:00:00.007Z');
});

test('a carried row does not replace a mirrored value unless it is newer', async () => {
  await rig();
  const edge = new Edge().hello();
  edge.report(1, property(1, 55));
  const old = { value: 40, at: T0 - 1000, quality: 'stale' } as const;
  edge.report(2, property(2, 0, { reported: old, carried: true }));
  assert.equal(status()?.twin['setpoint']?.reported?.value, 55);
  const newer = { ...old, at: clock.now() + 1 };
  edge.report(3, property(3, 0, { reported: newer, carried: true }));
  assert.equal(status()?.twin['setpoint']?.reported?.value, 40);
});

test('a cloud restored from an older copy adopts what the edge holds, whatever comes first', async () => {
  const edge = new Edge().hello('gateway-1', 'e9', (T0 + 60_000) * 2000);
  const rev = (T0 + 50_000) * 2000;
  const desired = {
    value: 71,
    rev: rev + 2,
    verdict: 'applied',
    stages: { accepted: T0 },
  } as const;
  edge.report(3, property(1, 71, { desired }), wantedDevice(2, rev, deviceOn('gateway-1')), {
    kind: 'resource',
    type: 'DeviceModel',
    id: 'default/boiler',
    rev,
    doc: BOILER,
    seq: 3,
  });
  assert.deepEqual((shown() as Device).spec.desired, { setpoint: 71 });
  assert.equal(status()?.twin['setpoint']?.desired?.verdict, 'applied');
  assert.equal(status()?.twin['setpoint']?.reported?.value, 71);
  // What is ordered now is newer than what was adopted, whatever the clock of this cloud says.
  const found = (await api(
    writes.patch(target, { spec: { desired: { setpoint: 60 } } }),
  )) as Device;
  assert.ok((found.status?.twin['setpoint']?.desired?.rev ?? 0) > rev + 2);
  assert.equal(
    edge.storeAll().rows.some((row) => row.kind === 'desired' && row.value === 60),
    true,
  );
});

test('a device moved to another node is buried at the old one and complete at the new one', async () => {
  await rig();
  const a = new Edge().hello('gateway-1');
  const b = new Edge().hello('gateway-2');
  a.storeAll();
  a.report(1, property(1, 55));
  await api(writes.patch(target, { spec: { node: 'gateway-2' } }));
  assert.deepEqual(keys(a.storeAll().rows), ['Device -']);
  assert.deepEqual(keys(b.storeAll().rows), ['DeviceModel +', 'Device +', 'pump', 'setpoint']);
  assert.equal(status()?.twin['setpoint']?.reported, undefined);
  const { rev } = store.objects.get('Device', ID) ?? assert.fail();
  a.report(2, wantedDevice(2, rev, null));
  assert.equal(store.objects.nodeOf(ID), 'gateway-2');
  a.report(3, property(3, 1));
  assert.equal(a.session.ignored().foreign, 1);
  assert.equal(status()?.twin['setpoint']?.reported, undefined);
  await api(writes.patch(target, { spec: { node: 'gateway-1' } }));
  assert.deepEqual(keys(b.storeAll().rows), ['Device -']);
  assert.deepEqual(keys(a.storeAll().rows), ['Device +', 'pump', 'setpoint']);
});

test('a deletion waits for a node that is away, and is forgotten once the node has stored it', async () => {
  await rig();
  const edge = new Edge().hello();
  const { cursor } = edge.storeAll();
  edge.session.closed();
  turn();
  await api(backend.remove(target, {}));
  await api(backend.remove(modelTarget, {}));
  const back = new Edge().hello('gateway-1', 'e1', cursor);
  assert.deepEqual(keys(back.storeAll().rows), ['Device -', 'DeviceModel -']);
  const left = store.stream
    .after('gateway-1', 0, 10)
    .filter(({ what, part }) => what === 'gone' && part === 'Device');
  assert.deepEqual(left, []);
});

test('an edge that brings a deleted device back is told of the deletion again', async () => {
  await rig();
  const edge = new Edge().hello();
  edge.storeAll();
  const { rev } = store.objects.get('Device', ID) ?? assert.fail();
  await api(backend.remove(target, {}));
  edge.storeAll();
  edge.report(5, wantedDevice(5, rev, deviceOn('gateway-1')));
  assert.equal(store.objects.has('Device', ID), false);
  assert.deepEqual(keys(edge.storeAll().rows), ['Device -']);
});

test('a device declared at an edge appears in the cloud, and its deletion there deletes it here', () => {
  const edge = new Edge().hello();
  const rev = T0 * 2000 + 1;
  edge.report(1, wantedDevice(1, rev, deviceOn('gateway-1')));
  assert.equal(shown().kind, 'Device');
  edge.report(2, wantedDevice(2, rev + 2, null));
  assert.equal(store.objects.has('Device', ID), false);
});

test('an edge cannot declare, change or delete the device of another node', async () => {
  await rig();
  const thief = new Edge().hello('gateway-2');
  const rev = (T0 + 1000) * 2000 + 1;
  thief.report(1, wantedDevice(1, rev, deviceOn('gateway-2')));
  thief.report(2, wantedDevice(2, rev, deviceOn('gateway-1')));
  thief.report(3, wantedDevice(3, rev, null));
  thief.report(4, property(4, 1));
  assert.equal(store.objects.nodeOf(ID), 'gateway-1');
  assert.equal(status()?.twin['setpoint']?.reported, undefined);
  assert.equal(thief.session.ignored().foreign, 3);
});

test('a model that other nodes use survives its deletion at one edge', async () => {
  await rig();
  const edge = new Edge().hello('gateway-2');
  const rev = (T0 + 1000) * 2000 + 1;
  edge.report(1, {
    kind: 'resource',
    type: 'DeviceModel',
    id: 'default/boiler',
    rev,
    doc: null,
    seq: 1,
  });
  const held = store.objects.get('DeviceModel', 'default/boiler');
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
  const edge = new Edge().hello('gateway-9');
  const pages: FromCloud[] = [];
  for (;;) {
    const page = edge.heard.find(({ type }) => type === 'desire');
    if (page?.type !== 'desire') break;
    pages.push(page);
    edge.heard.splice(edge.heard.indexOf(page), 1);
    edge.say({ type: 'stored', rev: page.to });
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
  const { rows } = new Edge().hello().storeAll();
  const order = rows.find((row) => row.kind === 'desired' && row.property === 'pump');
  assert.equal(order?.kind === 'desired' && order.ttl, 19_999);
});

test('an edge of another protocol version is sent away with what to update', () => {
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
  new Edge().hello().report(1, row);
  const { resourceVersion } = shown().metadata;
  new Edge().hello('gateway-1', 'e2').report(1, row);
  assert.equal(shown().metadata.resourceVersion, resourceVersion);
});

test('an edge whose rows could not be written is asked to come back later, and none is acknowledged', () => {
  const edge = new Edge().hello();
  store.commit.close();
  edge.report(1, property(1, 55));
  const refusal = edge.heard.at(-1);
  assert.ok(refusal?.type === 'refuse' && refusal.code === 'SYNC_CLOUD_UNABLE');
  assert.equal(refusal.retryAfter, 5000);
  assert.equal(edge.closedWith, 4003);
  assert.equal(edge.types().includes('ack'), false);
});

test('what an edge wanted of a device that another node then gets does not count', async () => {
  const edge = new Edge().hello('gateway-2');
  const stages = { accepted: T0 };
  const desired = { value: 90, rev: T0 * 2000 + 1, verdict: 'applied', stages } as const;
  edge.report(1, property(1, 90, { desired }));
  const { desired: _, ...spec } = BOILER_1.spec;
  await api(writes.create(target, { ...BOILER_1, spec } as unknown as Document));
  assert.equal((shown() as Device).spec.desired, undefined);
});

test('a cursor from a lost history of the cloud hides nothing that this history has given out', async () => {
  await rig();
  const edge = new Edge().hello('gateway-1', 'e1', store.line.last());
  assert.deepEqual(keys(edge.storeAll().rows), ['DeviceModel +', 'Device +', 'pump', 'setpoint']);
});

test('an edge that still has a device which was moved by a restored cloud lets go of it', async () => {
  await rig();
  const edge = new Edge().hello('gateway-2');
  const { rev } = store.objects.get('Device', ID) ?? assert.fail();
  await api(writes.patch(target, { spec: { description: 'newer' } }));
  edge.report(1, wantedDevice(1, rev, deviceOn('gateway-2')));
  assert.deepEqual(keys(edge.storeAll().rows), ['Device -']);
});
