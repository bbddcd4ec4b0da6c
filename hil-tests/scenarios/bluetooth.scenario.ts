/**
 * Promise: a sensor that only advertises and a device with GATT reach the twins through the bundle's Bluetooth mapper; a
 * write is read back; a lost link and an adapter that was pulled out come back by themselves; the mapper's process stays
 * small. On BlueZ's virtual controllers, with bleno's devices.
 */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { type Device, type DeviceModel } from '@limpet/dmi/manifest';
import { processMemory, processTree } from '../bench/process-memory.ts';
import { Air, type Line, type Peripheral } from '../peers/bluetooth-bench.ts';
import { NODE, Rig } from '../rig/rig.ts';
import { pause, until } from '../rig/until.ts';

/** Private memory of the mapper's process, in MB of 1,000,000 bytes; Node 24 takes 3 more than 22. */
const MAX_PRIVATE_MB = Number.parseInt(process.versions.node, 10) > 22 ? 15 : 12;
const SENSORS = 20;

const model = (name: string, properties: DeviceModel['spec']['properties']): DeviceModel => ({
  apiVersion: 'limpet.dev/v1',
  kind: 'DeviceModel',
  metadata: { name },
  spec: { protocol: 'bluetooth', properties },
});
const SENSOR = model('sensor', [
  {
    name: 'temperature',
    type: 'float',
    every: '100ms',
    visitor: { from: 'service', uuid: 'fcd2', object: 2 },
  },
]);
const BOILER = model('boiler', [
  {
    name: 'temperature',
    type: 'float',
    every: '100ms',
    visitor: { service: '181a', characteristic: '2a6e', via: 'notify', type: 'int16', scale: 0.01 },
  },
  {
    name: 'setpoint',
    type: 'float',
    access: 'readWrite',
    every: '500ms',
    visitor: {
      service: '181a',
      characteristic: '12345678-1234-5678-1234-56789abc0001',
      type: 'int16',
      scale: 0.1,
    },
  },
]);

let air: Air;
let rig: Rig;
let line: Line;
let adapter: string;
let boiler: Peripheral;
let tank: Peripheral;

before(async () => {
  air = await Air.start();
  [boiler, tank] = await Promise.all([air.peripheral('boiler'), air.peripheral('tank')]);
  rig = await Rig.create();
  mkdirSync(path.join(rig.folder, 'dev'));
  adapter = path.join(rig.folder, 'dev/radio');
  await plugIn();
  await rig.configure({
    mappers: `{ bluetooth: { permissions: { serial: ["${adapter}"], bluetooth: [hci63], addons: true } } }`,
  });
  await rig.startCloud();
  await rig.startEdge();
  await rig.api.create(SENSOR);
  await rig.api.create(BOILER);
  tank.say('advertise 0716d2fc4002c409');
  await tank.tells('advertising');
  await rig.api.create(device('boiler', 'boiler', boiler.address));
  await rig.api.create(device('tank', 'sensor', tank.address));
});
after(async () => {
  await rig.close();
  line.close();
  await air.stop();
});

/** A controller on the line that the mapper knows. */
async function plugIn(): Promise<void> {
  line = await air.line();
  symlinkSync(line.path, adapter);
}

function device(name: string, model: string, address: string): Device {
  const settings = { address, adapter: `uart:${adapter}`, silence: '3s' };
  return {
    apiVersion: 'limpet.dev/v1',
    kind: 'Device',
    metadata: { name },
    spec: { model, node: NODE, settings },
  };
}

async function twin(name: string): Promise<Device['status']> {
  const found = await rig.api.get({ kind: 'Device', name });
  return (found as Device).status;
}

async function reports(name: string, property: string, value: unknown): Promise<void> {
  await until(async () => {
    const status = await twin(name);
    const reported = status?.twin[property]?.reported;
    const right = reported?.value === value && reported?.quality === 'good';
    return right && status?.state === 'online'
      ? undefined
      : `${name} ${property}: ${JSON.stringify(status)}: ${rig.edge?.lastLines}`;
  }, 30_000);
}

test('what is advertised and what is notified reaches the cloud', async () => {
  await reports('tank', 'temperature', 25);
  await reports('boiler', 'temperature', 21.5);
  await reports('boiler', 'setpoint', 21.5);
  tank.say('advertise 0716d2fc4002ca09');
  boiler.say('notify 6708');
  await reports('tank', 'temperature', 25.06);
  await reports('boiler', 'temperature', 21.51);
});

test('a desired value is written and confirmed by reading it back', async () => {
  await rig.api.patch(
    { kind: 'Device', name: 'boiler' },
    { spec: { desired: { setpoint: 45.5 } } },
  );
  await until(async () => {
    const { desired } = (await twin('boiler'))?.twin['setpoint'] ?? {};
    return desired?.verdict === 'applied' ? undefined : JSON.stringify(desired);
  });
  assert.equal(await boiler.tells('written'), 'written c701');
  await reports('boiler', 'setpoint', 45.5);
});

test('a link that is lost comes back', async () => {
  boiler.forget();
  line.tap.drop(0x08);
  await boiler.tells('unlinked');
  line.tap.harm = (packet) => packet;
  await boiler.tells('subscribed', 30_000);
  boiler.say('notify 6808');
  await reports('boiler', 'temperature', 21.52);
});

test('an adapter that was pulled out is opened again, and its devices come back', async () => {
  line.close();
  rmSync(adapter);
  await until(async () => {
    const states = await Promise.all(
      ['boiler', 'tank'].map(async (name) => (await twin(name))?.state),
    );
    return states.every((state) => state !== 'online') ? undefined : states.join();
  });
  boiler.forget();
  await plugIn();
  await boiler.tells('subscribed', 30_000);
  boiler.say('notify 6908');
  await reports('boiler', 'temperature', 21.53);
  await reports('tank', 'temperature', 25.06);
});

test('adapters of the kernel are opened where they are declared, and only there', async () => {
  const at = (name: string): Device => {
    const { spec, ...rest } = device(name, 'sensor', 'c4:7c:8d:6a:12:34');
    return { ...rest, spec: { ...spec, settings: { ...spec.settings, adapter: name } } };
  };
  // No machine has so many: the one is looked for and not found, the other not even looked for.
  for (const name of ['hci63', 'hci62']) await rig.api.create(at(name));
  for (const [name, code] of [
    ['hci63', /^BLE_(UNSUPPORTED|ADAPTER_DOWN)$/],
    ['hci62', /^BLE_PERMISSION$/],
  ] as const) {
    await until(async () => {
      const { reason } = (await twin(name)) ?? {};
      return code.test(reason?.code ?? '') ? undefined : `${name}: ${JSON.stringify(reason)}`;
    });
    await rig.api.delete({ kind: 'Device', name });
  }
});

test('with many sensors among foreign advertisers its process stays small', async (t) => {
  const addressOf = (n: number): string =>
    `c0:00:00:00:${(n >> 8).toString(16).padStart(2, '0')}:${(n & 255).toString(16).padStart(2, '0')}`;
  for (let n = 0; n < SENSORS; n++)
    await rig.api.create(device(`sensor-${n}`, 'sensor', addressOf(n)));
  let foreign = SENSORS;
  let value = 0;
  const air = setInterval(() => {
    value = (value + 1) % 100;
    for (let n = 0; n < SENSORS; n++)
      line.tap.advertise(
        addressOf(n),
        `0201060716d2fc4002${(0x10 + value).toString(16).padStart(2, '0')}09`,
      );
    for (let n = 0; n < 200; n++) {
      foreign = SENSORS + ((foreign + 1) % 5_000);
      line.tap.advertise(addressOf(foreign), '02010611094c6f6e67206e616d65206f66206f74686572');
    }
    boiler.say('notify 6608');
  }, 1_000);
  let most = 0;
  try {
    await until(async () => {
      const { items } = await rig.api.list('Device');
      const away = (items as Device[]).filter(({ status }) => status?.state !== 'online').length;
      return away === 0 ? undefined : `${away} of ${items.length} are away`;
    }, 40_000);
    const pid = mapperPid();
    for (let second = 0; second < 15; second++) {
      await pause(1_000);
      most = Math.max(most, (processMemory(pid).private * 1024) / 1e6);
    }
  } finally {
    clearInterval(air);
  }
  t.diagnostic(`private: ${most.toFixed(1)} MB`);
  assert.ok(most <= MAX_PRIVATE_MB, `${most} MB private`);
});

function mapperPid(): number {
  const found = processTree(rig.edge?.pid ?? 0).find((pid) =>
    readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('--protocol=bluetooth'),
  );
  assert.ok(found !== undefined, 'the mapper runs in no process of the edge');
  return found;
}
