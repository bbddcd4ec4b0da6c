/**
 * Promise: a cloud restored from an older copy, and an edge whose database is lost or damaged, get back from each
 * other what they lack; meanwhile no register goes back to an older value.
 */
import assert from 'node:assert/strict';
import {
  closeSync,
  copyFileSync,
  mkdirSync,
  openSync,
  rmSync,
  statSync,
  utimesSync,
} from 'node:fs';
import { readdirSync, writeFileSync, writeSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import type { Device, DeviceModel } from '@limpet/dmi/manifest';
import { ApiError } from '#protocol/api';
import Database from 'better-sqlite3';
import { Rig } from '../rig/rig.ts';
import { pause, until } from '../rig/until.ts';

const ADDRESS = 10;
const model: DeviceModel = {
  apiVersion: 'limpet.dev/v1',
  kind: 'DeviceModel',
  metadata: { name: 'restore' },
  spec: {
    protocol: 'modbus',
    properties: [
      {
        name: 'setpoint',
        type: 'int',
        access: 'readWrite',
        every: '100ms',
        visitor: { register: 'holding', address: ADDRESS },
      },
    ],
  },
};
/** Declared by the manifests folder, with the setpoint it was once installed with. */
const LOCAL_UNIT = 9;
const local = 'device-9';
let rig: Rig;

before(async () => {
  rig = await Rig.create();
  const manifests = path.join(rig.folder, 'manifests');
  mkdirSync(manifests);
  const own = { ...model, metadata: { name: 'local' } };
  const device = rig.device(own, LOCAL_UNIT);
  const wanted = { ...device, spec: { ...device.spec, desired: { setpoint: 1 } } };
  for (const doc of [own, wanted]) {
    const file = path.join(manifests, `${doc.kind}.json`);
    writeFileSync(file, JSON.stringify(doc));
    const lastWeek = Date.now() / 1000 - 7 * 86_400;
    utimesSync(file, lastWeek, lastWeek);
  }
  await rig.configure({ manifests });
  await rig.startCloud();
  await rig.startEdge();
});
after(() => rig.close());

test('a cloud restored from an older copy learns from the edge what it forgot', async () => {
  await rig.declare(model, 3);
  for (const unit of [1, 2, 3, LOCAL_UNIT]) await order(unit, 10);
  const copy = path.join(rig.folder, 'copy.db');
  await backup(copy);

  await order(1, 20);
  await order(2, 20);
  await order(1, 30);
  await order(LOCAL_UNIT, 30);
  await rig.api.create(rig.device(model, 4));
  await order(4, 40);
  await rig.api.delete(target(3));
  await until(() => rig.edgeApi.get(target(3)).then(() => 'still there', gone));

  await restore(copy);
  for (const [unit, value] of [
    [1, 30],
    [2, 20],
    [4, 40],
    [LOCAL_UNIT, 30],
  ] as const) {
    await until(() => confirmed(unit, value));
  }
  await until(() => rig.api.get(target(3)).then(() => 'the deleted device came back', gone));
  await order(1, 50);
  await order(4, 50);
  neverBack();
});

for (const [how, loss, said] of [
  ['is deleted', deleteStore, undefined],
  ['is damaged in the middle', damageStore, 'twin store was damaged, begun anew'],
] as const) {
  test(`an edge whose database ${how} gets it back and writes nothing older`, async () => {
    const base = how === 'is deleted' ? 100 : 200;
    for (const unit of [1, 2, LOCAL_UNIT]) await order(unit, base);
    await rig.edge?.stop();
    // One order is placed while the edge has no memory at all.
    await place(2, base + 1);
    loss();
    const writes = rig.registers.writes.length;
    await rig.startEdge();
    await until(() => confirmed(2, base + 1));
    await until(() => confirmed(1, base));
    await until(() => confirmed(LOCAL_UNIT, base));
    await until(() => (rig.edge?.logged('manifests applied').length ? undefined : 'not applied'));
    await pause(500);
    neverBack();
    const since = rig.registers.writes.slice(writes).map(({ unit, value }) => ({ unit, value }));
    assert.deepEqual(since, [{ unit: 2, value: base + 1 }], 'what is so already is not written');
    if (said !== undefined) {
      const [event] = rig.edge?.logged(said) ?? [];
      assert.equal(event?.['level'], 'error', 'the edge says that its store was damaged');
      const aside = readdirSync(rig.edgeData).find((name) => name.includes('.corrupt-'));
      assert.ok(aside && String(event['aside']).endsWith(aside), 'and where it put the file');
    }
    await order(LOCAL_UNIT, base + 2);
  });
}

test('without its cloud, an edge that lost its database goes by its files after ten seconds', async () => {
  await rig.edge?.stop();
  await rig.cloud?.kill();
  deleteStore();
  const before = rig.registers.writes.length;
  const start = performance.now();
  await rig.startEdge();
  await until(() => (rig.registers.holding(LOCAL_UNIT)[ADDRESS] === 1 ? undefined : 'not yet'));
  const waited = performance.now() - start;
  assert.ok(waited > 9_000 && waited < 15_000, `it waited ${Math.round(waited)} ms`);
  assert.equal(rig.registers.writes.length, before + 1);
  assert.equal(
    rig.edge?.logged('manifests applied without the cloud: it was not heard in time').length,
    1,
  );
  rig.registers.writes.length = 0;
  // The cloud is back, and knows better; the edge tries again with a backoff that grew meanwhile.
  await rig.startCloud();
  await until(() => confirmed(LOCAL_UNIT, 202), 120_000);
  await until(() => confirmed(2, 201));
});

function target(unit: number): { kind: 'Device'; namespace: string; name: string } {
  return {
    kind: 'Device',
    namespace: 'default',
    name: unit === LOCAL_UNIT ? local : `device-${unit}`,
  };
}

async function place(unit: number, value: number): Promise<void> {
  await rig.api.patch(target(unit), { spec: { desired: { setpoint: value } } });
}

async function order(unit: number, value: number): Promise<void> {
  await until(() => rig.api.get(target(unit)).then(() => undefined, String));
  await place(unit, value);
  await until(() => confirmed(unit, value));
}

/** The cloud says so, and the register is so. */
async function confirmed(unit: number, value: number): Promise<string | undefined> {
  const device = (await rig.api.get(target(unit)).catch(String)) as Device | string;
  if (typeof device === 'string') return device;
  const { desired, reported } = device.status?.twin['setpoint'] ?? {};
  const held = rig.registers.holding(unit)[ADDRESS];
  const seen = [desired?.value, desired?.verdict, reported?.value, reported?.quality, held];
  if (isDeepStrictEqual(seen, [value, 'applied', value, 'good', value])) return undefined;
  return `unit ${unit}: expected ${value}, register ${held}, twin ${JSON.stringify({ desired, reported })}\n${rig.edge?.lastLines}`;
}

function gone(error: unknown): string | undefined {
  return error instanceof ApiError && error.code === 404 ? undefined : String(error);
}

/** As the cloud's README says, while it runs. */
async function backup(copy: string): Promise<void> {
  const db = new Database(path.join(rig.cloudData, 'cloud.db'), { readonly: true });
  await db.backup(copy);
  db.close();
}

async function restore(copy: string): Promise<void> {
  await rig.cloud?.stop();
  const file = path.join(rig.cloudData, 'cloud.db');
  for (const end of ['', '-wal', '-shm']) rmSync(file + end, { force: true });
  copyFileSync(copy, file);
  await rig.startCloud();
}

function deleteStore(): void {
  for (const name of readdirSync(rig.edgeData)) {
    if (name.startsWith('twins.db')) rmSync(path.join(rig.edgeData, name));
  }
}

/** The middle third of the file is overwritten; its head stays a database's. */
function damageStore(): void {
  const file = path.join(rig.edgeData, 'twins.db');
  const { size } = statSync(file);
  const fd = openSync(file, 'r+');
  writeSync(fd, Buffer.alloc(Math.floor(size / 3), 0xa5), 0, undefined, Math.floor(size / 3));
  closeSync(fd);
}

/** Orders here only ever count up: so must what is written. */
function neverBack(): void {
  const last = new Map<number, number>();
  for (const { unit, value } of rig.registers.writes) {
    assert.ok(value >= (last.get(unit) ?? 0), `unit ${unit}: ${value} after ${last.get(unit)}`);
    last.set(unit, value);
  }
}
