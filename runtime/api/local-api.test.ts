import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test, type TestContext } from 'node:test';
import type { Device, DeviceModel, Node, NodeFacts } from '@limpet/dmi/manifest';
import { ApiClient, ApiError } from '#protocol/api';
import { systemClock } from '../kernel/clock.ts';
import { TwinStore } from '../twin/store.ts';
import { LocalApi } from './local-api.ts';
import { LocalBackend } from './local-backend.ts';

const silent = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  with: () => silent,
};
const MODEL: DeviceModel = {
  apiVersion: 'limpet.dev/v1',
  kind: 'DeviceModel',
  metadata: { name: 'boiler', namespace: 'default' },
  spec: {
    protocol: 'modbus',
    properties: [
      { name: 'temperature', type: 'float', visitor: {} },
      {
        name: 'setpoint',
        type: 'float',
        access: 'readWrite',
        minimum: 20,
        maximum: 90,
        visitor: {},
      },
      { name: 'pump', type: 'bool', access: 'readWrite', visitor: {} },
    ],
  },
};
const BOILER: Device = {
  apiVersion: 'limpet.dev/v1',
  kind: 'Device',
  metadata: { name: 'boiler-1', namespace: 'default', labels: { hall: 'north' } },
  spec: { model: 'boiler', node: 'gateway-1', settings: {}, desired: { setpoint: 55 } },
};
const ID = 'default/boiler-1';
const TARGET = { kind: 'Device', namespace: 'default', name: 'boiler-1' } as const;

test('the node, its devices and its models are shown with what is reported and desired', async (t) => {
  const { client, store } = await edge(t);
  store.condition(ID, { state: 'online', lastSeen: 1_000 });
  store.report(ID, new Map([['temperature', { value: 71.5, at: 2_000, quality: 'good' }]]));
  const device = (await client.get(TARGET)) as Device;
  assert.deepEqual(device.spec.desired, { setpoint: 55 });
  assert.equal(device.status?.state, 'online');
  assert.equal(device.status?.lastSeen, '1970-01-01T00:00:01.000Z');
  const reported = { value: 71.5, at: '1970-01-01T00:00:02.000Z', quality: 'good' };
  assert.deepEqual(device.status?.twin['temperature'], { reported });
  assert.equal(device.status?.twin['setpoint']?.desired?.verdict, 'pending');
  const { items } = await client.list('Node');
  const [node] = items as Node[];
  assert.equal(node?.metadata.name, 'gateway-1');
  assert.deepEqual(node.status?.facts, FACTS);
  assert.equal((await client.list('DeviceModel')).items[0]?.metadata.name, 'boiler');
  assert.equal((await client.list('Device', { labelSelector: 'hall=south' })).items.length, 0);
  assert.equal(
    (await client.list('Device', { fieldSelector: 'spec.node=gateway-1' })).items.length,
    1,
  );
});

test('a patched desired value is an order in the store, with its expiry', async (t) => {
  const { client, store } = await edge(t);
  const patch = { spec: { desired: { setpoint: 60 } } };
  const patched = (await client.patch(TARGET, patch, { expiresMs: 30_000 })) as Device;
  const desired = store.twin(ID)?.properties.get('setpoint')?.desired;
  assert.equal(desired?.value, 60);
  assert.ok(desired.expires !== undefined);
  assert.equal(patched.status?.twin['setpoint']?.desired?.rev, desired.rev);
  assert.match(patched.status?.twin['setpoint']?.desired?.stages.stored ?? '', /^20/);
  await client.patch(TARGET, { spec: { desired: { setpoint: null } } });
  assert.equal(((await client.get(TARGET)) as Device).spec.desired, undefined);
});

test('a patch with faults names each of them and places no order', async (t) => {
  const { client, store } = await edge(t);
  const patch = {
    spec: {
      settings: { unit: 3 },
      desired: { pump: true, setpoint: 99, temperature: 1, pomp: true },
    },
  };
  const error = await client.patch(TARGET, patch).catch((thrown: unknown) => thrown);
  assert.ok(error instanceof ApiError);
  assert.equal(error.code, 422);
  assert.deepEqual(
    error.details.causes?.map(({ field, reason }) => [field, reason]),
    [
      ['spec.settings', 'FieldValueForbidden'],
      ['spec.desired.setpoint', 'VALUE_ABOVE_MAXIMUM'],
      ['spec.desired.temperature', 'PROPERTY_READ_ONLY'],
      ['spec.desired.pomp', 'PROPERTY_UNKNOWN'],
    ],
  );
  assert.equal(store.twin(ID)?.properties.get('pump'), undefined);
});

test('what is declared elsewhere cannot be written here', async (t) => {
  const { client } = await edge(t);
  const readOnly = {
    code: 405,
    reason: 'MethodNotAllowed',
    message: /manifests folder or its cloud/,
  };
  const other = { ...BOILER, metadata: { ...BOILER.metadata, name: 'boiler-2' } };
  await assert.rejects(client.create(other), readOnly);
  const moved = { ...BOILER, spec: { ...BOILER.spec, node: 'other' } };
  await assert.rejects(client.replace(TARGET, moved), {
    code: 422,
    message: /spec.node: only spec.desired can be set here; .*manifests folder or its cloud/,
  });
  await assert.rejects(client.delete(TARGET), readOnly);
  const model = { kind: 'DeviceModel', namespace: 'default', name: 'boiler' } as const;
  await assert.rejects(client.patch(model, { spec: {} }), readOnly);
});

test('a patch based on a version from before the last order conflicts; one before the last reading does not', async (t) => {
  const { client, store } = await edge(t);
  const { metadata } = await client.get(TARGET);
  const { resourceVersion = '' } = metadata;
  store.report(ID, new Map([['temperature', { value: 1, at: 2_000, quality: 'good' }]]));
  const patch = (value: number) => ({
    metadata: { resourceVersion },
    spec: { desired: { setpoint: value } },
  });
  await client.patch(TARGET, patch(61));
  await assert.rejects(client.patch(TARGET, patch(62)), { reason: 'Conflict' });
});

test('a watch tells of readings, orders and removal, and resumes from any version it gave', async (t) => {
  const { client, store } = await edge(t);
  const seen: string[] = [];
  let version = '';
  for await (const event of client.watch('Device')) {
    seen.push(event.type);
    version = event.object.metadata.resourceVersion ?? '';
    if (event.type === 'BOOKMARK') store.condition(ID, { state: 'offline' });
    if (event.type === 'MODIFIED') break;
  }
  store.report(ID, new Map([['temperature', { value: 2, at: 3_000, quality: 'good' }]]));
  for await (const event of client.watch('Device', { resourceVersion: version })) {
    seen.push(event.type);
    if (event.type === 'MODIFIED') store.applyManifest([], 'test');
    if (event.type !== 'DELETED') continue;
    assert.equal((event.object as Device).metadata.labels?.['hall'], 'north');
    break;
  }
  assert.deepEqual(
    seen.filter((type) => type !== 'BOOKMARK'),
    ['ADDED', 'MODIFIED', 'MODIFIED', 'DELETED'],
  );
  const stale = client.watch('Device', { resourceVersion: '7' });
  await assert.rejects(stale.next(), { code: 410, reason: 'Expired' });
});

test('a capture goes on while its device, which has yet to notice, is without its wire', async (t) => {
  const { store } = await edge(t);
  store.condition(ID, { state: 'online' });
  const page = { events: [], dropped: { events: 0, bytes: 0 }, wires: 0, more: false };
  const options = { store, node: 'gateway-1', facts: () => FACTS, clock: systemClock };
  const backend = new LocalBackend({ ...options, capture: () => Promise.resolve(page) });
  t.after(() => backend.close());
  assert.equal(await backend.capture(TARGET, 'c', new AbortController().signal), page);
});

test('only the owner may open the socket, and it goes with the edge', async (t) => {
  const { path, api } = await edge(t);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  await api.close();
  assert.throws(() => statSync(path), { code: 'ENOENT' });
});

test('the socket of a killed edge is replaced', async (t) => {
  const folder = tempFolder(t);
  const path = join(folder, 'limpet.sock');
  const script = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
  await once(spawn(process.execPath, ['-e', script]), 'exit');
  assert.ok(statSync(path).isSocket());
  const { client } = await edge(t, folder);
  assert.equal(await client.healthy(), true);
});

test('the socket of a running edge, and a file that is no socket, are left alone', async (t) => {
  const folder = tempFolder(t);
  const path = join(folder, 'limpet.sock');
  const other = createServer().listen(path);
  await once(other, 'listening');
  await assert.rejects(edge(t, folder), { code: 'EDGE_RUNNING' });
  other.close();
  await once(other, 'close');
  writeFileSync(path, 'x');
  await assert.rejects(edge(t, folder), { code: 'SOCKET_PATH_TAKEN' });
  const deep = { path: join(folder, 'x'.repeat(120)) };
  await assert.rejects(edge(t, folder, deep.path), { code: 'SOCKET_PATH_TOO_LONG' });
});

const FACTS: NodeFacts = {
  architecture: 'arm64',
  board: 'test',
  os: 'linux',
  versions: { limpet: '0.1.0', node: '24' },
  mappers: [],
  addresses: [],
  uptime: 1,
  memory: { total: 1, available: 1, private: 1, rss: 1 },
};

test('an edge answers queries over its own twins, and says what is wrong with one and where', async (t) => {
  const { backend, store } = await edge(t);
  store.condition(ID, { state: 'online', lastSeen: 1_000 });
  store.report(ID, new Map([['temperature', { value: 71.5, at: 2_000, quality: 'good' }]]));
  const query = `SELECT device, temperature, quality(temperature), drift(setpoint), node.arch FROM devices
    WHERE labels.hall = 'north' AND temperature BETWEEN 70 AND 80`;
  const answer = await backend.query({ query });
  assert.equal(answer.kind, 'QueryResult');
  const rows = answer.kind === 'QueryResult' ? answer.rows : [];
  assert.deepEqual(rows, [[ID, 71.5, 'good', true, FACTS.architecture]]);
  await assert.rejects(backend.query({ query: 'SELECT temprature FROM devices' }), (error) => {
    const [cause] = error instanceof ApiError ? (error.details.causes ?? []) : [];
    assert.deepEqual(
      [cause?.reason, cause?.offset, cause?.suggestion],
      ['QUERY_NAME', 7, 'temperature'],
    );
    return true;
  });
});

async function edge(t: TestContext, folder = tempFolder(t), path = join(folder, 'limpet.sock')) {
  const clock = systemClock;
  const store = TwinStore.open({ path: join(folder, 'twin.db'), clock, log: silent });
  t.after(() => store.close());
  store.applyManifest([MODEL, BOILER], 'test');
  const backend = new LocalBackend({ store, node: 'gateway-1', facts: () => FACTS, clock });
  const api = await LocalApi.start({ path, backend, version: '0.1.0', clock, log: silent }).catch(
    (error: unknown) => {
      store.close();
      throw error;
    },
  );
  t.after(() => api.close());
  return { store, backend, api, path, client: new ApiClient({ socketPath: path }) };
}

function tempFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'limpet-api-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
