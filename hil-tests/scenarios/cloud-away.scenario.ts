/**
 * Promise: while the cloud is away the devices do not notice, and when it is back the mirrors say
 * what the registers hold now, at one row per property however often they changed.
 *
 * `LIMPET_AWAY_S` (default 60) sets for how long, in seconds.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Device, DeviceModel } from '@limpet/dmi/manifest';
import { Rig } from '../rig/rig.ts';
import { pause, until } from '../rig/until.ts';

const AWAY_S = Number(process.env['LIMPET_AWAY_S'] ?? 60);
const SENSORS = 20;

const model: DeviceModel = {
  apiVersion: 'limpet.dev/v1',
  kind: 'DeviceModel',
  metadata: { name: 'away' },
  spec: {
    protocol: 'modbus',
    properties: Array.from({ length: SENSORS }, (_, i) => ({
      name: `sensor-${i}`,
      type: 'int' as const,
      every: '100ms',
      visitor: { register: 'input', address: i },
    })),
  },
};

const target = { kind: 'Device', namespace: 'default', name: 'device-1' } as const;
let rig: Rig;

before(async () => {
  rig = await Rig.create();
  await rig.startCloud();
  await rig.startEdge();
  await rig.declare(model, 1);
});
after(() => rig.close());

test(`the cloud is away for ${AWAY_S} s while registers change`, async (t) => {
  const registers = rig.registers.input(1);
  await until(mirrored);
  await rig.cloud?.kill();

  let changes = 0;
  const end = performance.now() + AWAY_S * 1000;
  while (performance.now() < end) {
    for (let i = 0; i < SENSORS; i++) registers[i] = (changes + i) % 65_536;
    changes++;
    await pause(100);
  }
  const local = (await rig.edgeApi.get(target)) as Device;
  assert.equal(local.status?.state, 'online', 'the device did not notice');
  await until(() => sameAs(() => rig.edgeApi.get(target)));

  await rig.startCloud();
  const back = performance.now();
  // The edge tries again with a backoff of up to five minutes.
  await until(mirrored, 320_000);
  t.diagnostic(
    `${changes} changes of ${SENSORS} registers while away; mirrors right ${Math.round(performance.now() - back)} ms after the cloud answered`,
  );
});

function mirrored(): Promise<string | undefined> {
  return sameAs(() => rig.api.get(target));
}

async function sameAs(get: () => Promise<unknown>): Promise<string | undefined> {
  const device = (await get()) as Device;
  const registers = rig.registers.input(1);
  for (let i = 0; i < SENSORS; i++) {
    const reported = device.status?.twin[`sensor-${i}`]?.reported;
    if (reported?.value !== registers[i] || reported?.quality !== 'good')
      return `sensor-${i}: register ${registers[i]}, twin ${JSON.stringify(reported)}`;
  }
  return undefined;
}
