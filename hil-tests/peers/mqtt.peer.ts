/** The bus against MQTT clients that are not ours and not JavaScript: mosquitto_pub and mosquitto_sub. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { before, test, type TestContext } from 'node:test';
import { Broker } from '#runtime/bus/broker.ts';
import { EventBus } from '#runtime/bus/event-bus.ts';
import { systemClock } from '#runtime/kernel/clock.ts';
import { createLog } from '#runtime/kernel/log.ts';
import { TwinStore } from '#runtime/twin/store.ts';
import type { Device, DeviceModel } from '@limpet/dmi/manifest';

const BOILER: DeviceModel = {
  apiVersion: 'limpet.dev/v1',
  kind: 'DeviceModel',
  metadata: { name: 'boiler', namespace: 'default' },
  spec: {
    protocol: 'modbus',
    properties: [
      { name: 'setpoint', type: 'float', access: 'readWrite', maximum: 90, visitor: {} },
    ],
  },
};
const BOILER_1: Device = {
  apiVersion: 'limpet.dev/v1',
  kind: 'Device',
  metadata: { name: 'boiler-1', namespace: 'default' },
  spec: { model: 'boiler', node: 'gateway-1', settings: {} },
};

before(() => {
  const found = spawnSync('mosquitto_pub', ['--help']);
  assert.equal(found.error, undefined, 'install the Debian package mosquitto-clients');
});

async function node(t: TestContext): Promise<{ store: TwinStore; args: string[] }> {
  const path = mkdtempSync(join(tmpdir(), 'limpet-peer-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  const log = createLog({ out: process.stderr, clock: systemClock, level: 'error' });
  const store = TwinStore.open({ path: join(path, 'twin.db'), clock: systemClock, log });
  t.after(() => store.close());
  store.applyManifest([BOILER, BOILER_1], 'test');
  const broker = await Broker.open({ listen: '127.0.0.1:0', clock: systemClock, log });
  t.after(() => broker.close());
  const options = { node: 'gateway-1', version: '0.1.0', twins: store, broker };
  new EventBus({ ...options, clock: systemClock, log }).start('none');
  const { host, port } = broker.address;
  return { store, args: ['-h', host, '-p', String(port)] };
}

/** Lines of mosquitto_sub: topic, space, payload. */
function listen(t: TestContext, args: readonly string[]): AsyncIterator<string> {
  const child: ChildProcess = spawn('mosquitto_sub', [...args, '-v'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill());
  assert.ok(child.stdout);
  return createInterface({ input: child.stdout })[Symbol.asyncIterator]();
}

async function publish(args: readonly string[]): Promise<number | null> {
  const child = spawn('mosquitto_pub', args, { stdio: 'ignore' });
  const [code] = (await once(child, 'exit')) as [number | null];
  return code;
}

async function said(lines: AsyncIterator<string>): Promise<{ topic: string; payload: unknown }> {
  const { value } = await lines.next();
  const line = String(value);
  const at = line.indexOf(' ');
  return { topic: line.slice(0, at), payload: JSON.parse(line.slice(at + 1)) };
}

const BOILER_TOPIC = 'limpet/default/boiler-1';

for (const qos of ['0', '1', '2']) {
  test(`mosquitto_sub hears twins at QoS ${qos}, retained and live`, async (t) => {
    const { store, args } = await node(t);
    const report = (value: number): void =>
      store.report('default/boiler-1', new Map([['setpoint', { value, at: 1, quality: 'good' }]]));
    report(55.3);
    const lines = listen(t, [...args, '-q', qos, '-t', 'limpet/+/+/twin/#']);
    const first = await said(lines);
    assert.equal(first.topic, `${BOILER_TOPIC}/twin/setpoint`);
    assert.deepEqual(first.payload, {
      value: 55.3,
      at: '1970-01-01T00:00:00.001Z',
      quality: 'good',
    });
    report(56);
    assert.equal(((await said(lines)).payload as { value: number }).value, 56);
  });

  test(`mosquitto_pub places an order at QoS ${qos} and mosquitto_sub hears the answer`, async (t) => {
    const { store, args } = await node(t);
    const lines = listen(t, [...args, '-t', 'limpet/+/+/set/+/result', '-t', 'limpet/node']);
    assert.equal((await said(lines)).topic, 'limpet/node');
    const topic = `${BOILER_TOPIC}/set/setpoint`;
    assert.equal(await publish([...args, '-q', qos, '-t', topic, '-m', '55']), 0);
    const answer = await said(lines);
    assert.equal(answer.topic, `${topic}/result`);
    const { rev, verdict } = answer.payload as { rev: number; verdict: string };
    assert.equal(verdict, 'pending');
    assert.equal(store.twin('default/boiler-1')?.properties.get('setpoint')?.desired?.rev, rev);
    await publish([...args, '-q', qos, '-t', topic, '-m', '99']);
    assert.match(JSON.stringify((await said(lines)).payload), /VALUE_ABOVE_MAXIMUM/);
  });
}

test('mosquitto_pub cannot speak as the node', async (t) => {
  const { args } = await node(t);
  const lines = listen(t, [...args, '-q', '1', '-t', 'limpet/node', '-t', 'end']);
  assert.equal((await said(lines)).topic, 'limpet/node');
  await publish([...args, '-q', '1', '-t', 'limpet/node', '-m', '{}']);
  await publish([...args, '-q', '1', '-t', 'end', '-m', '1']);
  assert.equal((await said(lines)).topic, 'end');
});
