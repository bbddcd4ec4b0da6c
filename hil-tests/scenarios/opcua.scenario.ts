/**
 * Promise: an OPC UA server may be killed and started again: the edge comes back to it by itself, no value is told twice, those
 * that nobody heard lie in a gap, and a setpoint is written and read back. The mapper runs from the bundle, over a signed and
 * encrypted channel, and only once its server was trusted.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import type { Device } from '@limpet/dmi/manifest';
import type { SampleList } from '#protocol/api';
import { Child } from '../rig/child.ts';
import { freePort } from '../rig/free-port.ts';
import { STEP_MS } from '../rig/opcua-server.ts';
import { NODE, Rig } from '../rig/rig.ts';
import { pause, until } from '../rig/until.ts';

const target = { kind: 'Device', namespace: 'default', name: 'press' } as const;
const root = path.resolve(import.meta.dirname, '../..');
/** Between a change at the server and its report: sampling, publishing, a busy machine. */
const LATE_MS = 500;

let rig: Rig;
let port: number;
let server: Child | undefined;

before(async () => {
  rig = await Rig.create();
  port = await freePort();
  const manifests = path.join(rig.folder, 'manifests');
  mkdirSync(manifests);
  writeFileSync(path.join(manifests, 'press.yaml'), manifest());
  await rig.configure({ cloud: undefined, manifests });
  server = await serve();
  await rig.startEdge();
});
after(async () => {
  await server?.stop();
  await rig?.close();
});

test('a server that nobody trusts is not read; trusting it needs no restart', async () => {
  await state('offline');
  const { reason } = (await press()).status ?? {};
  assert.equal(reason?.code, 'OPCUA_UNTRUSTED');
  const [, thumbprint = ''] = /limpet opcua trust (\w+)/.exec(reason?.message ?? '') ?? [];
  await limpet('opcua', 'trust', thumbprint, '--config', path.join(rig.folder, 'limpet.yaml'));
  await state('online', 60_000);
});

test('a setpoint is written, and applied when it was read back', async () => {
  await limpet('set', 'press.setpoint', '60.1', '--wait', 'confirmed', '--edge', rig.edgeData);
  const { reported, desired } = (await press()).status?.twin['setpoint'] ?? {};
  assert.deepEqual([reported?.value, desired?.verdict], [60.1, 'applied']);
});

test('through a kill and a restart no value is lost unaccounted for, and none is told twice', async () => {
  await pause(4_000);
  await server?.kill();
  await state('offline');
  await pause(2_000);
  server = await serve();
  await state('online', 60_000);
  await pause(4_000);

  const { samples, gaps } = await past();
  const values = samples.map(({ value }) => Number(value));
  assert.ok(values.length > 10, `${values.length} samples`);
  const spans = gaps.map(({ from, to }) => [Date.parse(from), to ? Date.parse(to) : Date.now()]);
  assert.deepEqual(
    gaps.map(({ cause }) => cause),
    ['away'],
    JSON.stringify(gaps),
  );
  for (const [index, value] of values.entries()) {
    const before = values[index - 1] ?? value - 1;
    assert.ok(value > before, `${value} after ${before}: told twice`);
    for (let lost = before + 1; lost < value; lost++) {
      const at = momentOf(lost);
      const known = spans.some(([from = 0, to = 0]) => at >= from - LATE_MS && at <= to + LATE_MS);
      assert.ok(known, `${lost} at ${new Date(at).toISOString()}: ${JSON.stringify(gaps)}`);
    }
  }
});

test('after the restart the setpoint is asserted again, for the server has forgotten it', async () => {
  await until(async () => {
    const { reported } = (await press()).status?.twin['setpoint'] ?? {};
    return reported?.value === 60.1 ? undefined : `it is ${JSON.stringify(reported?.value)}`;
  });
});

test('the process keeps well within its budget', async (t) => {
  const mapper = (await promisify(execFile)('pgrep', ['-P', String(rig.edge?.pid), '-f', 'opcua']))
    .stdout;
  const status = readFileSync(`/proc/${mapper.trim().split('\n')[0]}/status`, 'utf8');
  const kib = Number(/RssAnon:\s+(\d+)/.exec(status)?.[1]);
  t.diagnostic(`RssAnon ${(kib / 1024).toFixed(1)} MiB`);
  assert.ok(kib * 1024 < 30_000_000, `${kib} KiB`);
});

async function serve(): Promise<Child> {
  const main = path.join(root, 'hil-tests/rig/opcua-server.ts');
  const folder = path.join(rig.folder, 'server');
  const child = new Child('opcua', [
    process.execPath,
    '--conditions=source',
    main,
    String(port),
    folder,
  ]);
  await child.ready(async () => child.output.includes('serving'), 60_000);
  return child;
}

async function press(): Promise<Device> {
  return (await rig.edgeApi.get(target)) as Device;
}

async function state(wanted: string, ms = 30_000): Promise<void> {
  await until(
    async () => {
      const { state: now, reason } = (await press()).status ?? {};
      return now === wanted ? undefined : `${now}: ${reason?.message}\n${rig.edge?.lastLines}`;
    },
    ms,
    100,
  );
}

/** Counts go round after a million; around now there is one moment for each. */
function momentOf(count: number): number {
  const span = 1_000_000 * STEP_MS;
  const begun = Math.floor(Date.now() / span) * span;
  return begun + count * STEP_MS;
}

async function past(): Promise<SampleList> {
  const list = await rig.edgeApi.samples(target, 'count');
  assert.ok(list.samples.length > 0);
  return list;
}

async function limpet(...args: string[]): Promise<string> {
  const command = ['cli/limpet.mjs', ...args];
  return (await promisify(execFile)(process.execPath, command, { cwd: root })).stdout;
}

function manifest(): string {
  return `
apiVersion: limpet.dev/v1
kind: DeviceModel
metadata: { name: press }
spec:
  protocol: opcua
  properties:
    - { name: count, type: int, every: 100ms, history: true, visitor: { node: ns=2;s=Count } }
    - { name: setpoint, type: float, access: readWrite, every: 1s, visitor: { node: ns=2;s=Setpoint } }
---
apiVersion: limpet.dev/v1
kind: Device
metadata: { name: press }
spec:
  model: press
  node: ${NODE}
  settings: { endpoint: 'opc.tcp://127.0.0.1:${port}', keepAlive: 1s, timeout: 3s }
`;
}
