/**
 * Promise: of five units behind one gateway address a dead one costs the others no more than its stated share, is
 * named with the reason and comes back by itself; a refused register spoils nothing but itself.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Device, DeviceModel } from '@limpet/dmi/manifest';
import { DEAD_SHARE } from '#runtime/device/ledger.ts';
import { Rig } from '../rig/rig.ts';
import { pause, until } from '../rig/until.ts';

const UNITS = 5;
const DEAD = 3;
const PERIOD_MS = 1_000;
const DEAD_MS = 20_000;
const SENSORS = 4;

const model: DeviceModel = {
  apiVersion: 'limpet.dev/v1',
  kind: 'DeviceModel',
  metadata: { name: 'line' },
  spec: {
    protocol: 'modbus',
    properties: Array.from({ length: SENSORS }, (_, i) => ({
      name: `sensor-${i}`,
      type: 'int' as const,
      every: `${PERIOD_MS}ms`,
      visitor: { register: 'input', address: i },
    })),
  },
};

interface Read {
  readonly unit: number;
  readonly at: number;
}

let rig: Rig;
let reads: Read[] = [];

before(async () => {
  rig = await Rig.create();
  rig.registers.onRead = (unit) => void reads.push({ unit, at: performance.now() });
  await rig.startCloud();
  await rig.startEdge();
  await rig.declare(model, UNITS);
  for (let unit = 1; unit <= UNITS; unit++) {
    for (let i = 0; i < SENSORS; i++) rig.registers.input(unit)[i] = unit * 10 + i;
    await until(() => good(unit));
  }
});
after(() => rig.close());

test(`a dead unit costs the others its share and no more, for ${DEAD_MS / 1000} s`, async (t) => {
  rig.registers.silent.add(DEAD);
  reads = [];
  await pause(DEAD_MS);
  const deadMs = portTimeOf(DEAD);
  const allowed = DEAD_SHARE.burstMs + DEAD_SHARE.share * DEAD_MS;
  const worst = Math.max(...others().map((unit) => longestGap(unit)));
  t.diagnostic(
    `the dead unit took ${Math.round(deadMs)} of ${Math.round(allowed)} ms; longest gap of the others ${Math.round(worst)} ms`,
  );
  assert.ok(deadMs > 0, 'it is tried again');
  assert.ok(deadMs <= allowed, `it took ${deadMs} ms, ${allowed} are allowed`);
  assert.ok(worst <= 2 * PERIOD_MS, `another unit was not read for ${worst} ms`);
  for (const unit of others()) assert.equal(await good(unit), undefined);

  const { status } = (await rig.api.get(target(DEAD))) as Device;
  assert.equal(status?.state, 'offline');
  assert.equal(status.reason?.code, 'MODBUS_TIMEOUT');
  const reported = status.twin['sensor-0']?.reported;
  assert.deepEqual([reported?.value, reported?.quality], [DEAD * 10, 'stale']);
  assert.equal(reported?.reason?.code, 'DEVICE_OFFLINE');
  const lost = rig.edge?.logged('device lost').map(({ device }) => device);
  assert.deepEqual(lost, [`default/device-${DEAD}`], 'told once, and of no other');
});

test('when it answers again its values are good by themselves', async (t) => {
  const start = performance.now();
  rig.registers.silent.clear();
  // Backoff doubles: it waits at most about as long again as it was away.
  await until(() => good(DEAD), 1.5 * DEAD_MS);
  t.diagnostic(`back after ${Math.round(performance.now() - start)} ms`);
});

test('a refused register spoils nothing but itself', async () => {
  rig.registers.refused.add('2/1');
  await until(async () => {
    const { reported } = (await twin(2))['sensor-1'] ?? {};
    const right = reported?.quality === 'bad' && reported.reason?.code === 'MODBUS_EXCEPTION_2';
    return right ? undefined : JSON.stringify(reported);
  });
  for (const i of [0, 2, 3]) rig.registers.input(2)[i] = 100 + i;
  await until(async () => {
    const now = await twin(2);
    for (const i of [0, 2, 3]) {
      const { reported } = now[`sensor-${i}`] ?? {};
      if (reported?.value !== 100 + i || reported.quality !== 'good') return JSON.stringify(now);
    }
    return undefined;
  });
  for (const unit of [1, 3, 4, 5]) assert.equal(await good(unit), undefined);
});

function others(): number[] {
  return [1, 2, 3, 4, 5].filter((unit) => unit !== DEAD);
}

/** From each request to the unit until the next request of any: what it kept the line for. */
function portTimeOf(unit: number): number {
  return reads.reduce((sum, read, index) => {
    const next = reads[index + 1];
    return read.unit === unit && next !== undefined ? sum + next.at - read.at : sum;
  }, 0);
}

function longestGap(unit: number): number {
  const times = reads.filter((read) => read.unit === unit).map(({ at }) => at);
  assert.ok(times.length > DEAD_MS / PERIOD_MS / 2, `unit ${unit} was read ${times.length} times`);
  return Math.max(...times.slice(1).map((at, index) => at - (times[index] ?? at)));
}

function target(unit: number): { kind: 'Device'; namespace: string; name: string } {
  return { kind: 'Device', namespace: 'default', name: `device-${unit}` };
}

async function twin(unit: number) {
  return ((await rig.api.get(target(unit))) as Device).status?.twin ?? {};
}

async function good(unit: number): Promise<string | undefined> {
  const now = await twin(unit);
  for (let i = 0; i < SENSORS; i++) {
    const { reported } = now[`sensor-${i}`] ?? {};
    if (reported?.value !== rig.registers.input(unit)[i] || reported?.quality !== 'good')
      return `unit ${unit} sensor-${i}: ${JSON.stringify(reported)}\n${rig.edge?.lastLines}`;
  }
  return undefined;
}
