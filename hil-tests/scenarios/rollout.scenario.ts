/**
 * Promise: a rollout stops at a canary that refuses, also over a kill of the cloud; told to go on it tells every other device once;
 * and reverted, it leaves what was desired before, in the registers too.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Device, DeviceModel, Rollout } from '@limpet/dmi/manifest';
import type { Document } from '#protocol/api';
import { Rig } from '../rig/rig.ts';
import { until } from '../rig/until.ts';

const SETPOINT = 10;
const REFUSES = 2;
const ALL = [1, 2, 3, 4];

const model: DeviceModel = {
  apiVersion: 'limpet.dev/v1',
  kind: 'DeviceModel',
  metadata: { name: 'boiler' },
  spec: {
    protocol: 'modbus',
    properties: [
      {
        name: 'setpoint',
        type: 'int',
        access: 'readWrite',
        minimum: 20,
        maximum: 90,
        every: '200ms',
        visitor: { register: 'holding', address: SETPOINT },
      },
    ],
  },
};

const rollout: Rollout = {
  apiVersion: 'limpet.dev/v1',
  kind: 'Rollout',
  metadata: { name: 'warm', namespace: 'default' },
  spec: {
    query: "UPDATE devices SET desired.setpoint = 50 WHERE model = 'boiler'",
    canary: REFUSES,
    batch: 10,
    timeout: '20s',
  },
};
const target = { kind: 'Rollout', namespace: 'default', name: 'warm' } as const;
let rig: Rig;

before(async () => {
  rig = await Rig.create();
  rig.registers.locked.add(REFUSES);
  for (const unit of ALL) rig.registers.holding(unit)[SETPOINT] = 20;
  await rig.startCloud();
  await rig.startEdge();
  await rig.declare(model, ALL.length);
});
after(() => rig.close());

test('a canary refuses and stops it; it goes on; it is reverted', async (t) => {
  await until(async () => {
    const states = await Promise.all(ALL.map((unit) => stateOf(unit)));
    return states.every((state) => state === 'online') ? undefined : states.join();
  });
  await patch(
    { kind: 'Device', namespace: 'default', name: 'device-1' },
    { desired: { setpoint: 30 } },
  );
  await until(async () => (setpoint(1) === 30 ? undefined : `register ${setpoint(1)}`));

  const began = performance.now();
  await rig.api.create(rollout);
  await phase('Stopped');
  const stopped = Math.round(performance.now() - began);
  assert.deepEqual(await outcomes(), ['applied', 'rejected', 'pending', 'pending']);
  assert.deepEqual([setpoint(3), setpoint(4)], [20, 20], 'nobody beyond the canary was told');
  const [, second] = (await rig.api.outcomes(target)).items;
  assert.equal(second?.code, 'MODBUS_EXCEPTION_2');

  await rig.cloud?.kill();
  await rig.startCloud();
  await patch(target, { paused: false });
  await phase('Done');
  assert.deepEqual(await outcomes(), ['applied', 'rejected', 'applied', 'applied']);
  for (const unit of [1, 3, 4]) {
    const told = rig.registers.writes.filter((write) => write.unit === unit && write.value === 50);
    assert.equal(told.length, 1, `device-${unit} is told once`);
  }

  await patch(
    { kind: 'Device', namespace: 'default', name: 'device-4' },
    { desired: { setpoint: 44 } },
  );
  await patch(target, { revert: true });
  await phase('Reverted');
  assert.deepEqual(await outcomes(), ['reverted', 'reverted', 'reverted', 'skipped']);
  await until(async () => {
    const now = ALL.map((unit) => setpoint(unit)).join();
    return now === '30,20,50,44' ? undefined : `registers ${now}`;
  });
  const desired = await Promise.all(ALL.map(async (unit) => (await device(unit)).spec.desired));
  assert.deepEqual(desired, [{ setpoint: 30 }, undefined, undefined, { setpoint: 44 }]);
  t.diagnostic(`stopped ${stopped} ms after it was created`);
});

function setpoint(unit: number): number | undefined {
  return rig.registers.holding(unit)[SETPOINT];
}

async function device(unit: number): Promise<Device> {
  const place = { kind: 'Device', namespace: 'default', name: `device-${unit}` } as const;
  return (await rig.api.get(place)) as Device;
}

async function stateOf(unit: number): Promise<string | undefined> {
  return (await device(unit)).status?.state;
}

async function patch(place: Parameters<Rig['api']['patch']>[0], spec: Document): Promise<void> {
  await rig.api.patch(place, { spec });
}

function phase(wanted: string): Promise<void> {
  return until(async () => {
    const { status } = (await rig.api.get(target)) as Rollout;
    return status?.phase === wanted ? undefined : `${status?.phase}: ${JSON.stringify(status)}`;
  });
}

async function outcomes(): Promise<readonly string[]> {
  return (await rig.api.outcomes(target)).items.map(({ state }) => state);
}
