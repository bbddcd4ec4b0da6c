/** Readers of the node's API that stop reading, over real sockets. */
import { silentLog } from '@limpet/dmi/testing';
import type { Device, DeviceModel, NodeFacts } from '@limpet/dmi/manifest';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiClient, type FrontCounts } from '#protocol/api';
import { systemClock } from '../kernel/clock.ts';
import { TwinStore } from '../twin/store.ts';
import { LocalApi } from './local-api.ts';
import { LocalBackend } from './local-backend.ts';

const PROPERTIES = 5_000;
const MI = 2 ** 20;
/** Time goes on by hand, so that no reader is stalled before all have asked, however slow this machine is. */
function handClock() {
  let ms = 0;
  return {
    ...systemClock,
    monotonic: () => ms,
    /** Who waits looks again often. */
    sleep: (wait: number, signal?: AbortSignal) => systemClock.sleep(wait / 10, signal),
    advance: (by: number) => void (ms += by),
  };
}
/** Longer than a reader may read nothing. */
const STALLED_MS = 10_000;

const MODEL: DeviceModel = {
  apiVersion: 'limpet.dev/v1',
  kind: 'DeviceModel',
  metadata: { name: 'large', namespace: 'default' },
  spec: {
    protocol: 'modbus',
    properties: Array.from({ length: PROPERTIES }, (_, i) => ({
      name: `p${i}`,
      type: 'int',
      visitor: {},
    })),
  },
};
const DEVICE: Device = {
  apiVersion: 'limpet.dev/v1',
  kind: 'Device',
  metadata: { name: 'large', namespace: 'default' },
  spec: { model: 'large', node: 'n1', settings: {} },
};

async function edge(t: TestContext) {
  const folder = mkdtempSync(path.join(tmpdir(), 'limpet-unread-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const log = silentLog();
  const store = TwinStore.open({ path: ':memory:', clock: systemClock, log });
  t.after(() => store.close());
  store.applyManifest([MODEL, DEVICE], 'test');
  const value = { at: 1_000, quality: 'good' as const };
  const report = (n: number) =>
    store.report(
      'default/large',
      new Map(Array.from({ length: PROPERTIES }, (_, i) => [`p${i}`, { ...value, value: n }])),
    );
  report(1);
  const time = handClock();
  const backend = new LocalBackend({
    store,
    node: 'n1',
    facts: () => ({}) as NodeFacts,
    clock: systemClock,
  });
  const socketPath = path.join(folder, 's');
  let counts: FrontCounts | undefined;
  const metrics = (now: FrontCounts): string => ((counts = now), 'limpet 1\n');
  const api = await LocalApi.start({
    path: socketPath,
    backend,
    version: '0',
    clock: time,
    log,
    metrics,
  });
  t.after(() => api.close());
  const look = async (): Promise<FrontCounts> => {
    const client = connect(socketPath);
    client.end('GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');
    client.resume();
    await once(client, 'close');
    return counts as FrontCounts;
  };
  return { time, socketPath, report, look, client: new ApiClient({ socketPath }) };
}

/** Asks and then reads nothing. */
async function ask(t: TestContext, socketPath: string, url: string): Promise<Socket> {
  const socket = connect(socketPath);
  socket.on('error', () => undefined); // it is meant to be cut off
  t.after(() => socket.destroy());
  await once(socket, 'connect');
  socket.pause();
  socket.write(`GET ${url} HTTP/1.1\r\nhost: x\r\n\r\n`);
  return socket;
}

test('readers that ask for much and read nothing share one ceiling, and are cut off for those who read', async (t) => {
  const { time, socketPath, look, client } = await edge(t);
  const before = process.memoryUsage().rss;
  for (let each = 0; each < 40; each++) {
    await ask(t, socketPath, '/apis/limpet.dev/v1/namespaces/default/devices/large');
  }
  while ((await look()).refused === 0) await sleep(20); // some were turned away
  time.advance(STALLED_MS);
  const one = Buffer.byteLength(
    JSON.stringify(await settled(() => client.get({ kind: 'Device', name: 'large' }))),
  );
  assert.ok(one > 400_000, `${one} bytes a device`);
  const counts = await look();
  assert.ok(counts.cut > 0, 'some were cut off');
  assert.ok(counts.unreadBytes < 4 * MI + one, `${counts.unreadBytes} bytes unread`);
  assert.ok(process.memoryUsage().rss - before < 120 * MI);
});

test('watches that stop reading hold one event each, below the same ceiling', async (t) => {
  const { time, socketPath, report, look, client } = await edge(t);
  for (let each = 0; each < 30; each++) {
    await ask(t, socketPath, '/apis/limpet.dev/v1/devices?watch=1');
  }
  let most = 0;
  for (let round = 2; round < 30; round++) {
    report(round);
    await sleep(20);
    time.advance(500);
    most = Math.max(most, (await look()).unreadBytes);
  }
  assert.ok(most > 2 * MI, `the readers do not read: ${most}`);
  assert.ok(most < 6 * MI, `at most ${most} bytes unread`);
  const device = (await settled(() => client.get({ kind: 'Device', name: 'large' }))) as Device;
  assert.equal(device.status?.twin['p7']?.reported?.value, 29);
});

/** What is turned away is told to try again; within a second there is room. */
async function settled<T>(task: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await task();
    } catch (error) {
      if (attempt === 100) throw error;
      await sleep(100);
    }
  }
}
