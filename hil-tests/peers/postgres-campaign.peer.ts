/**
 * Promise: whatever of the service, the server and the way between them is killed or cut, what was acknowledged is there, and
 * everything goes on by itself. `LIMPET_ROUNDS` (default 4) says how often each of them.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import type { Device } from '@limpet/dmi/manifest';
import { ApiClient, ApiError } from '#protocol/api';
import { BOILER, BOILER_1 } from '#cloud/service/testing.ts';
import type { Child } from '../rig/child.ts';
import { freePort } from '../rig/free-port.ts';
import { PostgresServer } from '../rig/postgres.ts';
import { Proxy } from '../rig/proxy.ts';
import { seeded } from '../rig/random.ts';
import { Rig } from '../rig/rig.ts';
import { pause, until } from '../rig/until.ts';
import { PlayedEdge } from './played-edge.ts';

const ROUNDS = Number(process.env['LIMPET_ROUNDS'] ?? 4);
const target = { kind: 'Device', namespace: 'default', name: 'boiler-1' } as const;

const folder = mkdtempSync(path.join(tmpdir(), 'limpet-campaign-'));
let server: PostgresServer;
let proxy: Proxy;
let cloud: Child | undefined;
let api: ApiClient;
let port: number;
let store: readonly string[];

before(async () => {
  const pg = await freePort();
  // It waits for the disk, as one in earnest does.
  server = await PostgresServer.start({ port: pg, settings: {} });
  server.sql(`CREATE ROLE ann LOGIN PASSWORD 's3cret'; CREATE DATABASE fleet OWNER ann`);
  proxy = await Proxy.to(pg);
  const password = path.join(folder, 'password');
  writeFileSync(password, 's3cret\n', { mode: 0o600 });
  store = [
    '--store',
    `postgres://ann@127.0.0.1:${proxy.port}/fleet`,
    '--store-password-file',
    password,
  ];
  port = await freePort();
  api = new ApiClient({ url: `http://127.0.0.1:${port}` });
  cloud = await start();
  await api.create(BOILER);
  await api.create(BOILER_1);
});
after(async () => {
  await cloud?.stop();
  await proxy.close();
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function start(): Promise<Child> {
  const child = Rig.limpet('cloud', ['--listen', `127.0.0.1:${port}`, ...store]);
  await child.ready(async () => {
    await api.list('Node');
    return true;
  });
  return child;
}

/** A user who counts up, and goes on after every refusal. */
class Writer {
  wanted = 0;
  /** The highest that was answered. */
  answered = 0;
  refusals = 0;
  readonly #stop = new AbortController();

  async run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      try {
        const annotations = { wanted: String(++this.wanted) };
        await api.patch(target, { metadata: { annotations } });
        this.answered = this.wanted;
      } catch (error) {
        if (error instanceof ApiError)
          assert.ok(error.code >= 500 || error.code === 429, String(error));
        this.refusals++;
        await pause(20);
      }
    }
  }

  stop(): void {
    this.#stop.abort();
  }
}

const HARMS: Readonly<Record<string, () => Promise<void>>> = {
  'the service is killed': async () => {
    await cloud?.kill();
    cloud = await start();
  },
  'its connections are ended': async () => {
    server.sql(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'limpet cloud%'`,
    );
  },
  'the server is killed': async () => {
    await server.kill();
    await pause(300);
    await server.restart();
  },
  'the server is shut down and started': async () => {
    await server.shutDown();
    await server.restart();
  },
  'the wire is cut': async () => proxy.cut(),
  'service and server are killed': async () => {
    await Promise.all([cloud?.kill(), server.kill()]);
    await server.restart();
    cloud = await start();
  },
};

/** What is there now is no less than what was acknowledged before it was asked for. */
async function proven(writer: Writer, edge: PlayedEdge): Promise<string | undefined> {
  const { answered } = writer;
  const { acknowledged } = edge;
  let device: Device;
  try {
    device = (await api.get(target)) as Device;
  } catch (error) {
    return `not readable: ${String(error)}`;
  }
  const kept = Number(device.metadata.annotations?.['wanted'] ?? 0);
  const value = Number(device.status?.twin['temperature']?.reported?.value);
  assert.ok(kept >= answered, `answered ${answered}, kept ${kept}`);
  assert.ok(value >= acknowledged, `acknowledged ${acknowledged}, kept ${value}`);
  return undefined;
}

async function campaign(writer: Writer, edge: PlayedEdge): Promise<void> {
  const random = seeded(7);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [what, harm] of Object.entries(HARMS)) {
      await pause(random() * 250);
      await harm();
      const [answered, acknowledged] = [writer.answered, edge.acknowledged];
      await until(() => {
        if (writer.answered > answered && edge.acknowledged > acknowledged) return undefined;
        return `${what}: it does not go on\n${cloud?.lastLines}`;
      });
      await until(() => proven(writer, edge));
    }
  }
}

async function health(of: 'healthz' | 'readyz'): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${port}/${of}`);
  await response.body?.cancel();
  return response.status;
}

test('a server that went fails a write, and its return alone ends the ailment', async () => {
  await server.shutDown();
  await assert.rejects(api.patch(target, { metadata: { annotations: { wanted: '0' } } }), ApiError);
  const asked = { query: 'SELECT device FROM devices' };
  const reads = [() => api.get(target), () => api.list('Device'), () => api.query(asked)];
  for (const read of reads) await assert.rejects(read(), { reason: 'ServiceUnavailable' });
  assert.deepEqual([await health('healthz'), await health('readyz')], [503, 503]);
  await server.restart();
  // Sooner than the service writes by itself.
  const ready = async () => ((await health('readyz')) === 200 ? undefined : 'it is not ready');
  await until(ready, 6_000);
  assert.equal(await health('healthz'), 200);
});

test(`of ${ROUNDS} times each that something is killed or cut nothing acknowledged is lost`, async (t) => {
  const writer = new Writer();
  const edge = new PlayedEdge(`ws://127.0.0.1:${port}/hub`, 'gateway-1');
  const running = [writer.run(), edge.run()];
  try {
    await Promise.race([campaign(writer, edge), Promise.all(running)]);
  } finally {
    writer.stop();
    edge.stop();
  }
  await Promise.all(running);
  t.diagnostic(
    `${writer.answered} writes answered, ${writer.refusals} refused; ${edge.acknowledged} reports acknowledged over ${edge.sessions} connections`,
  );
});
