/**
 * Promise: devices on an external MQTT broker, and on the edge's own bus, are twins like any others, their mapper in a
 * process of its own: orders are confirmed by the device, its last will takes it offline, a broker that is killed
 * and comes back has all of them back.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import type { MapperFacts, Node } from '@limpet/dmi/manifest';
import type { MqttClient } from 'mqtt';
import { Mosquitto } from '../peers/mqtt-devices-bench.ts';
import { Authority } from '../rig/authority.ts';
import { BusListener } from '../rig/bus-listener.ts';
import { NODE, Rig } from '../rig/rig.ts';
import { until } from '../rig/until.ts';

/** What the mapper's process may take with the few devices of this scenario, TLS loaded: MB as 1,000,000 bytes. */
const MAX_PRIVATE_MB = 18;

let rig: Rig;
let bus: BusListener;
let mosquitto: Mosquitto;
let end: () => Promise<void>;
let pump: MqttClient;
let secure: { readonly started: Mosquitto; readonly end: () => Promise<void> };

before(async () => {
  rig = await Rig.create();
  ({ started: mosquitto, end } = await Mosquitto.inFolder());
  secure = await startSecure();
  const manifests = path.join(rig.folder, 'manifests');
  mkdirSync(manifests);
  writeFileSync(path.join(manifests, 'pump.yaml'), manifest());
  pump = await startPump();
  await rig.configure({ cloud: undefined, manifests });
  await rig.startEdge();
  bus = await BusListener.connect(rig.busPort);
});
after(async () => {
  await pump?.endAsync(true);
  await bus?.close();
  await rig.close();
  await end();
  await secure?.end();
});

test('what the device says becomes its twin, and what it is ordered is confirmed by it', async () => {
  await until(() => state('pump', 'online'));
  await until(() => said('pump', 'rpm', 900));
  const result = 'limpet/default/pump/set/rpm/result';
  await bus.publish('limpet/default/pump/set/rpm', '1200');
  await until(() => (bus.last(result)?.['verdict'] === 'applied' ? undefined : 'no verdict'));
  assert.equal(said('pump', 'rpm', 1200), undefined);
});

test('a device on the bus of the edge itself is a device like any other', async () => {
  await bus.publish('shed/weather', '{"wind": 7}');
  await until(() => said('weather', 'wind', 7));
});

test('TLS and a password, both from files in the folder of the mapper', async () => {
  const device = await secure.started.client({
    protocol: 'mqtts',
    rejectUnauthorized: false,
    username: 'edge',
    password: 'geheim',
  });
  await device.publishAsync('vault', '12.5', { retain: true });
  await until(() => said('vault', 'level', 12.5));
  await device.endAsync(true);
  assert.doesNotMatch(rig.edge?.output ?? '', /geheim/);
});

test("the device's last will takes it offline, and it comes back with its next birth", async () => {
  // No word of good-bye: as when its supply fails.
  pump.stream.destroy();
  await until(() => state('pump', 'offline'));
  const reason = bus.last('limpet/default/pump/state')?.['reason'] as { code: string };
  assert.equal(reason.code, 'MQTT_DEVICE_OFFLINE');
  await pump.endAsync(true);
  pump = await startPump();
  await until(() => state('pump', 'online'), 60_000);
  // It begins with 900 again, and is told anew what is wanted of it.
  await until(() => said('pump', 'rpm', 1200));
});

test('a broker that is killed and comes back has its devices back', async () => {
  await mosquitto.kill();
  await until(() => state('pump', 'offline'));
  await mosquitto.again();
  pump = await startPump();
  await until(() => state('pump', 'online'), 60_000);
  await until(() => said('pump', 'rpm', 1200));
  await pump.publishAsync('pump/state', '{"rpm": 1201}', { retain: true });
  await until(() => said('pump', 'rpm', 1201));
});

test('the process of the mapper takes little', async (t) => {
  const mqtt = await mapperFacts();
  assert.equal(mqtt?.state, 'ready');
  assert.equal(mqtt?.hosting, 'process');
  const mb = (mqtt?.memory ?? Infinity) / 1e6;
  t.diagnostic(`private: ${mb.toFixed(1)} MB`);
  assert.ok(mb < MAX_PRIVATE_MB, `${mb} MB`);
});

/** A broker that wants TLS and a password; what the mapper needs for it lies in the mapper's folder. */
async function startSecure(): Promise<typeof secure> {
  const folder = path.join(rig.edgeData, 'mappers/mqtt');
  mkdirSync(folder, { recursive: true });
  const authority = new Authority(rig.folder, 'plant-ca');
  const { cert, key } = authority.issue('broker', 'IP:127.0.0.1', 2);
  copyFileSync(authority.cert, path.join(folder, 'ca.pem'));
  writeFileSync(path.join(folder, 'secret'), 'geheim\n');
  const passwords = path.join(rig.folder, 'passwords');
  spawnSync('mosquitto_passwd', ['-b', '-c', passwords, 'edge', 'geheim']);
  return Mosquitto.inFolder([
    `certfile ${cert}`,
    `keyfile ${key}`,
    `password_file ${passwords}`,
    'allow_anonymous false',
  ]);
}

/** A pump of another's making: it publishes its state, takes orders, and leaves a last will. */
async function startPump(): Promise<MqttClient> {
  const will = {
    topic: 'pump/lwt',
    payload: Buffer.from('offline'),
    retain: true,
    qos: 1,
  } as const;
  const client = await mosquitto.client({ will });
  client.on('error', () => undefined);
  client.on('message', (_, payload) => {
    client.publish('pump/state', `{"rpm": ${payload.toString()}}`, { retain: true });
  });
  await client.subscribeAsync('pump/set');
  await client.publishAsync('pump/state', '{"rpm": 900}', { retain: true });
  await client.publishAsync('pump/lwt', 'online', { retain: true });
  return client;
}

function said(device: string, property: string, value: number): string | undefined {
  const twin = bus.last(`limpet/default/${device}/twin/${property}`);
  if (twin?.['value'] === value && twin['quality'] === 'good') return undefined;
  return `${property} is ${JSON.stringify(twin)}\n${rig.edge?.lastLines}`;
}

function state(device: string, wanted: string): string | undefined {
  const found = bus.last(`limpet/default/${device}/state`);
  return found?.['state'] === wanted ? undefined : `${device}: ${JSON.stringify(found)}`;
}

async function mapperFacts(): Promise<MapperFacts | undefined> {
  const { items } = await rig.edgeApi.list('Node');
  const [node] = items as Node[];
  return node?.status?.facts?.mappers.find(({ protocol }) => protocol === 'mqtt');
}

function manifest(): string {
  const speed = 'topic: "{topic}/state", path: rpm, command: { topic: "{topic}/set" }';
  const outside = `broker: "mqtt://127.0.0.1:${mosquitto.port}"`;
  const own = `broker: "mqtt://127.0.0.1:${rig.busPort}"`;
  const tls = `broker: "mqtts://127.0.0.1:${secure.started.port}", tls: { ca: ca.pem }`;
  return [
    model('pump', `name: rpm, type: int, access: readWrite, visitor: { ${speed} }`),
    device('pump', `${outside}, topic: "{name}", availability: { topic: "{topic}/lwt" }`),
    model('weather', 'name: wind, type: float, visitor: { path: wind }'),
    device('weather', `${own}, topic: shed/weather`),
    model('vault', 'name: level, type: float, visitor: { retained: use }'),
    device('vault', `${tls}, topic: "{name}", username: edge, passwordFile: secret`),
  ].join('---\n');
}

function model(name: string, property: string): string {
  return `apiVersion: limpet.dev/v1
kind: DeviceModel
metadata: { name: ${name} }
spec: { protocol: mqtt, properties: [{ every: 100ms, ${property} }] }
`;
}

function device(name: string, settings: string): string {
  return `apiVersion: limpet.dev/v1
kind: Device
metadata: { name: ${name} }
spec: { model: ${name}, node: ${NODE}, settings: { ${settings} } }
`;
}
