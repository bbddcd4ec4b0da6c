/**
 * Promise: an edge whose clock is a year off at start, or jumps while it runs, still converges and still obeys;
 * an order that expires is never executed too late.
 *
 * The edge runs under libfaketime: its wall clock is wrong, its monotonic clock is not.
 */
import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { after, before, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import type { Device, DeviceModel } from '@limpet/dmi/manifest';
import { Rig } from '../rig/rig.ts';
import { pause, until } from '../rig/until.ts';

const model: DeviceModel = {
  apiVersion: 'limpet.dev/v1',
  kind: 'DeviceModel',
  metadata: { name: 'clock' },
  spec: {
    protocol: 'modbus',
    properties: [
      { name: 'sensor', type: 'int', every: '100ms', visitor: { register: 'input', address: 0 } },
      {
        name: 'setpoint',
        type: 'int',
        access: 'readWrite',
        every: '100ms',
        visitor: { register: 'holding', address: 10 },
      },
    ],
  },
};
const target = { kind: 'Device', namespace: 'default', name: 'device-1' } as const;
const folders = { x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' };
const folder = folders[process.arch as keyof typeof folders];
const LIBRARY = `/usr/lib/${folder}/faketime/libfaketimeMT.so.1`;

let rig: Rig;
let count = 0;

before(async () => {
  if (!existsSync(LIBRARY)) throw new Error('this scenario needs the Debian package faketime');
  rig = await Rig.create();
  await rig.startCloud();
  setClock('+0');
  await startEdge();
  await rig.declare(model, 1);
  await converges();
});
after(() => rig.close());

for (const offset of ['-365d', '+365d', '+0']) {
  test(`started with its clock at ${offset}, the edge converges and obeys`, async () => {
    await rig.edge?.kill();
    setClock(offset);
    await startEdge();
    await converges();
    const { status } = await device();
    const at = Date.parse(status?.twin['sensor']?.reported?.at ?? '');
    const days = Math.round((at - Date.now()) / 86_400_000);
    assert.ok(days === Number.parseInt(offset, 10), 'its clock is what the scenario says');
  });
}

for (const offset of ['-365d', '+365d', '+0']) {
  test(`jumping to ${offset} while it runs, the edge converges and obeys`, async () => {
    setClock(offset);
    await converges();
  });
}

for (const [offset, waitMs] of [
  ['-365d', 3_000],
  ['+365d', 1_000],
] as const) {
  test(`an order that waits for its device expires, though the clock jumps to ${offset}`, async () => {
    setClock('+0');
    rig.registers.silent.add(1);
    await until(async () => ((await device()).status?.state === 'offline' ? undefined : 'online'));
    await rig.api.patch(target, { spec: { desired: { setpoint: ++count } } }, { expiresMs: 2_000 });
    await until(async () => ((await desired())?.stages.stored ? undefined : 'not stored'));
    setClock(offset);
    await pause(waitMs);
    rig.registers.silent.clear();
    await until(async () => {
      const { status } = await device();
      return status?.state === 'online' && (await desired())?.verdict === 'expired'
        ? undefined
        : JSON.stringify(status);
    }, 30_000);
    assert.notEqual(rig.registers.holding(1)[10], count, 'it was not executed');
    await converges();
  });
}

test('restarted with the clock before an order that expires, the edge takes it as expired', async () => {
  setClock('+0');
  rig.registers.silent.add(1);
  await until(async () => ((await device()).status?.state === 'offline' ? undefined : 'online'));
  await rig.api.patch(target, { spec: { desired: { setpoint: ++count } } }, { expiresMs: 60_000 });
  await until(async () => ((await desired())?.stages.stored ? undefined : 'not stored'));
  await rig.edge?.kill();
  setClock('-365d');
  rig.registers.silent.clear();
  await startEdge();
  await until(async () => {
    const now = await desired();
    return now?.reason?.code === 'CLOCK_WENT_BACK' ? undefined : JSON.stringify(now);
  });
  assert.notEqual(rig.registers.holding(1)[10], count, 'it was not executed');
  await converges();
});

function setClock(offset: string): void {
  writeFileSync(path.join(rig.folder, 'clock'), `${offset}\n`);
}

async function startEdge(): Promise<void> {
  await rig.startEdge({
    LD_PRELOAD: LIBRARY,
    FAKETIME_TIMESTAMP_FILE: path.join(rig.folder, 'clock'),
    FAKETIME_NO_CACHE: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  });
}

/** A new order from the cloud, one from the edge, one from the cloud again; a register; all of it mirrored. */
async function converges(): Promise<void> {
  rig.registers.input(1)[0] = ++count;
  for (const api of [rig.api, rig.edgeApi, rig.api]) {
    const value = ++count;
    await until(() => rig.edgeApi.get(target).then(() => undefined, String));
    await api.patch(target, { spec: { desired: { setpoint: value } } });
    await until(() => mirrored(value));
  }
}

async function mirrored(value: number): Promise<string | undefined> {
  const { status } = await device();
  const { setpoint = {}, sensor = {} } = status?.twin ?? {};
  const seen = {
    wanted: [setpoint.desired?.value, setpoint.desired?.verdict],
    mirrored: [setpoint.reported?.value, sensor.reported?.value, sensor.reported?.quality],
    held: rig.registers.holding(1)[10],
  };
  const right = {
    wanted: [value, 'applied'],
    mirrored: [value, rig.registers.input(1)[0], 'good'],
    held: value,
  };
  if (isDeepStrictEqual(seen, right)) return undefined;
  return `${JSON.stringify({ seen, right })}\n${rig.edge?.lastLines}`;
}

async function device(): Promise<Device> {
  return (await rig.api.get(target)) as Device;
}

async function desired() {
  return (await device()).status?.twin['setpoint']?.desired;
}
