/** The past of a property over the local API: bounded pages, and clear answers where there is none. */
import { fakeClock, recordingLog } from '@limpet/dmi/testing';
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { Device, DeviceModel } from '@limpet/dmi/manifest';
import { ApiClient } from '#protocol/api';
import { HistoryDoor } from '../twin/history.ts';
import { unmetered } from '../twin/metered.ts';
import { TwinStore } from '../twin/store.ts';
import { LocalApi } from './local-api.ts';
import { LocalBackend } from './local-backend.ts';

const ID = 'default/meter';
const TARGET = { kind: 'Device', namespace: 'default', name: 'meter' } as const;
const DEVICE: Device = {
  apiVersion: 'limpet.dev/v1',
  kind: 'Device',
  metadata: { name: 'meter' },
  spec: { model: 'meter', node: 'n', settings: {} },
};

function model(history: boolean): DeviceModel {
  return {
    apiVersion: 'limpet.dev/v1',
    kind: 'DeviceModel',
    metadata: { name: 'meter' },
    spec: {
      protocol: 'modbus',
      properties: [
        { name: 'level', type: 'float', visitor: {}, ...(history && { history: true }) },
        { name: 'plain', type: 'float', visitor: {} },
      ],
    },
  };
}

async function edge(t: TestContext) {
  const data = mkdtempSync(join(tmpdir(), 'limpet-past-'));
  const [clock, log] = [fakeClock(), recordingLog()];
  const store = TwinStore.open({ path: ':memory:', clock, log });
  const file = join(data, 'samples.db');
  const history = new HistoryDoor({
    path: file,
    store,
    maxBytes: 16 * 2 ** 20,
    maxAgeMs: 86_400_000,
    low: () => false,
    metered: unmetered,
    clock,
    log,
  });
  const backend = new LocalBackend({
    node: 'n',
    store,
    facts: () => ({}) as never,
    clock,
    history,
  });
  const path = join(data, 'limpet.sock');
  const api = await LocalApi.start({ path, backend, version: '0', clock, log });
  t.after(async () => {
    await api.close();
    await history.close();
    store.close();
    rmSync(data, { recursive: true });
  });
  return { store, history, clock, file, client: new ApiClient({ socketPath: path }) };
}

test('the past comes in pages, with its gaps on the first one', async (t) => {
  const { store, history, clock, client } = await edge(t);
  store.applyManifest([model(true), DEVICE], 'test');
  await history.start();
  for (let value = 0; value < 1_200; value++) {
    await clock.advance(1_000);
    store.report(ID, new Map([['level', { value, at: clock.now(), quality: 'good' }]]));
  }
  store.report(ID, new Map([['level', { value: 1_199, at: clock.now(), quality: 'stale' }]]));
  await clock.advance(10_000);
  const first = await client.samples(TARGET, 'level', { since: '1h' });
  assert.equal(first.samples.length, 1_000);
  assert.deepEqual(first.samples[0], {
    at: '2026-01-01T00:00:01.000Z',
    value: 0,
    quality: 'good',
  });
  assert.deepEqual(first.gaps, [{ cause: 'away', from: '2026-01-01T00:20:00.000Z' }]);
  const next = first.next ?? assert.fail('there is more');
  const second = await client.samples(TARGET, 'level', { since: '1h', continue: next });
  assert.deepEqual([second.samples.length, second.gaps, second.next], [200, [], undefined]);
  const late = await client.samples(TARGET, 'level', { since: '15s' });
  assert.equal(late.samples.length, 6);
});

test('the past comes in buckets of time too, and between two times', async (t) => {
  const { store, history, clock, client } = await edge(t);
  store.applyManifest([model(true), DEVICE], 'test');
  await history.start();
  for (let value = 0; value < 300; value++) {
    await clock.advance(1_000);
    store.report(ID, new Map([['level', { value, at: clock.now(), quality: 'good' }]]));
  }
  await clock.advance(10_000);
  const from = '2026-01-01T00:01:00Z';
  const page = await client.samples(TARGET, 'level', { from, bucket: '1m', limit: '2' });
  assert.deepEqual(page.buckets, [
    {
      from: '2026-01-01T00:01:00.000Z',
      count: 60,
      heldMs: 60_000,
      min: 59,
      max: 118,
      mean: 88.5,
      last: 118,
    },
    {
      from: '2026-01-01T00:02:00.000Z',
      count: 60,
      heldMs: 60_000,
      min: 119,
      max: 178,
      mean: 148.5,
      last: 178,
    },
  ]);
  assert.equal(page.next, String(Date.parse('2026-01-01T00:03:00Z')));
  const to = '2026-01-01T00:01:02Z';
  const few = await client.samples(TARGET, 'level', { from, to });
  assert.deepEqual(
    few.samples.map(({ value }) => value),
    [59, 60, 61],
  );
  for (const wrong of [{ from: 'today' }, { from, since: '1h' }, { from, to: from }]) {
    await assert.rejects(client.samples(TARGET, 'level', wrong), /query parameter/);
  }
});

test('what has no past is told, with what to do', async (t) => {
  const { store, history, client } = await edge(t);
  store.applyManifest([model(true), DEVICE], 'test');
  await history.start();
  await assert.rejects(client.samples(TARGET, 'plain'), /"plain" is kept: add "history: true"/);
  await assert.rejects(client.samples(TARGET, 'levle'), /has no property "levle"/);
  await assert.rejects(client.samples({ ...TARGET, name: 'x' }, 'level'), /not found/);
  await assert.rejects(client.samples(TARGET, 'level', { since: 'soon' }), /expected a duration/);
  await assert.rejects(client.samples(TARGET, 'no/name'), /no name of a property|nothing at/);
});

test('no file is made until a model asks for history, and then at once', async (t) => {
  const { store, history, clock, client, file } = await edge(t);
  store.applyManifest([model(false), DEVICE], 'test');
  await history.start();
  assert.equal(existsSync(file), false);
  assert.deepEqual(history.rows(), []);
  assert.equal(history.shed(), 0);
  store.report(ID, new Map([['level', { value: 1, at: clock.now(), quality: 'good' }]]));
  store.applyManifest([model(true), DEVICE], 'test');
  for (let turn = 0; turn < 200 && history.rows().length === 0; turn++) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.equal(history.rows()[0]?.what, 'samples waiting');
  await clock.advance(10_000);
  const { samples } = await client.samples(TARGET, 'level');
  assert.deepEqual(
    samples.map(({ value }) => value),
    [1],
    'what was known when it began is its first sample',
  );
  assert.match(history.note(), /held.*bytes a sample/);
});
