/**
 * Promise: an edge with a folder of manifests and no cloud is whole: twins and orders on MQTT, the local API, a
 * restart that keeps what it knew, files that act when they change and stop nothing when they are wrong.
 */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import type { Device } from '@limpet/dmi/manifest';
import { BusListener } from '../rig/bus-listener.ts';
import { NODE, Rig } from '../rig/rig.ts';
import { until } from '../rig/until.ts';

const MODEL = `
apiVersion: limpet.dev/v1
kind: DeviceModel
metadata: { name: boiler }
spec:
  protocol: modbus
  properties:
    - { name: level, type: int, unit: mm, every: 100ms, visitor: { register: input, address: 0 } }
    - { name: setpoint, type: float, access: readWrite, minimum: 20, maximum: 90, every: 100ms,
        visitor: { register: holding, address: 10, type: int16, scale: 0.1 } }
`;
const TWIN = 'limpet/default/boiler-1/twin';
const SET = 'limpet/default/boiler-1/set/setpoint';
const target = { kind: 'Device', namespace: 'default', name: 'boiler-1' } as const;

let rig: Rig;
let bus: BusListener;

before(async () => {
  rig = await Rig.create();
  mkdirSync(path.join(rig.folder, 'manifests'));
  file('model.yaml', MODEL);
  file('boiler-1.yaml', boiler('boiler-1', 1, 55));
  rig.registers.input(1)[0] = 1200;
  await rig.configure({ cloud: undefined, manifests: path.join(rig.folder, 'manifests') });
  await rig.startEdge();
  bus = await BusListener.connect(rig.busPort);
});
after(async () => {
  await bus?.close();
  await rig.close();
});

test('the manifests become twins on the bus, and their orders registers', async () => {
  await until(() => said('setpoint', 55));
  assert.equal(rig.registers.holding(1)[10], 550);
  await until(() => said('level', 1200));
  assert.equal(bus.last(`${TWIN}/level`)?.['unit'], 'mm');
  assert.equal(bus.last('limpet/node')?.['cloud'], 'none');
  assert.equal(bus.last('limpet/default/boiler-1/state')?.['state'], 'online');
  rig.registers.input(1)[0] = 1300;
  await until(() => said('level', 1300));
});

test('an order on the bus is answered at each stage', async () => {
  const before = bus.all(`${SET}/result`).length;
  await bus.publish(SET, '{"value": 60.5, "expires": "30s"}');
  await until(() => said('setpoint', 60.5));
  assert.equal(rig.registers.holding(1)[10], 605);
  await until(() => (results(before).at(-1)?.['verdict'] === 'applied' ? undefined : 'no verdict'));
  const reached = results(before).map(({ stages }) => Object.keys(stages as object).join());
  assert.deepEqual(reached, [
    'accepted,stored',
    'accepted,stored,sent',
    'accepted,stored,sent,confirmed',
  ]);
  assert.equal(new Set(results(before).map(({ rev }) => rev)).size, 1);
});

test('an order that cannot be is refused on the bus, with the reason', async () => {
  for (const [payload, code] of [
    ['91', 'VALUE_ABOVE_MAXIMUM'],
    ['"warm"', 'VALUE_TYPE'],
    ['warm', 'ORDER_UNREADABLE'],
  ] as const) {
    const before = bus.all(`${SET}/result`).length;
    await bus.publish(SET, payload);
    await until(() => (results(before).length > 0 ? undefined : `no answer to ${payload}`));
    const error = results(before)[0]?.['error'] as { code: string } | undefined;
    assert.equal(error?.code, code);
  }
  assert.equal(rig.registers.holding(1)[10], 605);
});

test('the local API gets and sets', async () => {
  await rig.edgeApi.patch(target, { spec: { desired: { setpoint: 62 } } });
  await until(() => said('setpoint', 62));
  const { status } = (await rig.edgeApi.get(target)) as Device;
  assert.equal(status?.twin['setpoint']?.desired?.verdict, 'applied');
  await assert.rejects(rig.edgeApi.patch(target, { spec: { desired: { setpoint: 19 } } }), /20/);
});

test('a restart keeps the twins, writes nothing, and says what it has not read yet', async () => {
  await rig.edge?.kill();
  rig.registers.silent.add(1);
  const writes = rig.registers.writes.length;
  await rig.startEdge();
  const { status } = (await rig.edgeApi.get(target)) as Device;
  const { reported, desired } = status?.twin['setpoint'] ?? {};
  assert.deepEqual([reported?.value, reported?.quality], [62, 'stale']);
  assert.deepEqual([desired?.value, desired?.verdict], [62, 'applied']);
  rig.registers.silent.clear();
  await until(() => said('level', 1300), 15_000);
  await until(() => said('setpoint', 62), 15_000);
  assert.equal(rig.registers.writes.length, writes, 'a start is no reason to write');
});

test('a file that changes acts; one that is wrong is told with its place and stops nothing', async () => {
  file('boiler-1.yaml', boiler('boiler-1', 1, 70));
  await until(() => said('setpoint', 70));
  file('boiler-2.yaml', boiler('boiler-2', 2, 30).replace('settings:', 'setings:'));
  await until(() => (rig.edge?.logged('manifest refused').length ? undefined : 'not told'));
  const faults = rig.edge
    ?.logged('manifest refused')
    .map(({ fault }) => String(fault))
    .join('\n');
  assert.match(faults ?? '', /boiler-2\.yaml:7:3: .*"setings".*Did you mean "settings"/);
  rig.registers.input(1)[0] = 1400;
  await until(() => said('level', 1400));
  file('boiler-2.yaml', boiler('boiler-2', 2, 30));
  await until(() => (rig.registers.holding(2)[10] === 300 ? undefined : rig.edge?.lastLines));
});

function boiler(name: string, unit: number, setpoint: number): string {
  const address = `tcp://127.0.0.1:${rig.devicePort}`;
  return `apiVersion: limpet.dev/v1
kind: Device
metadata: { name: ${name} }
spec:
  node: ${NODE}
  model: boiler
  settings: { address: "${address}", unit: ${unit}, timeout: 500ms }
  desired: { setpoint: ${setpoint} }
`;
}

function file(name: string, text: string): void {
  writeFileSync(path.join(rig.folder, 'manifests', name), text);
}

/** The twin on the bus says this, good. */
function said(property: string, value: number): string | undefined {
  const last = bus.last(`${TWIN}/${property}`);
  const right = last?.['value'] === value && last['quality'] === 'good';
  return right ? undefined : `${property}: ${JSON.stringify(last)}\n${rig.edge?.lastLines}`;
}

/** What was answered on the result topic since it had said so much. */
function results(since: number): readonly Readonly<Record<string, unknown>>[] {
  return bus.all(`${SET}/result`).slice(since);
}
