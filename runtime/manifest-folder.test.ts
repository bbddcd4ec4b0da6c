import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import type { Log } from '@limpet/dmi';
import { systemClock } from './kernel/clock.ts';
import { ManifestFolder } from './manifest-folder.ts';
import { TwinStore } from './twin/store.ts';

const model = `apiVersion: limpet.dev/v1
kind: DeviceModel
metadata: { name: boiler }
spec:
  protocol: modbus
  properties:
    - { name: setpoint, type: int, access: readWrite, visitor: { register: holding, address: 1 } }
`;
const device = (name: string, desired: number, node = 'n1') => `apiVersion: limpet.dev/v1
kind: Device
metadata: { name: ${name} }
spec: { model: boiler, node: ${node}, settings: {}, desired: { setpoint: ${desired} } }
`;

const quiet = (): void => undefined;
const log: Log = { debug: quiet, info: quiet, warn: quiet, error: quiet, with: () => log };

let folder: string;
let store: TwinStore;

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'limpet-manifests-'));
  store = TwinStore.open({ path: ':memory:', clock: systemClock, log });
});
afterEach(() => {
  store.close();
  rmSync(folder, { recursive: true });
});

function write(name: string, text: string): string {
  const file = path.join(folder, name);
  writeFileSync(file, text);
  return file;
}

function read() {
  return new ManifestFolder({ folder, node: 'n1', target: store, clock: systemClock, log }).apply();
}

const desired = (id: string) => store.twin(id)?.properties.get('setpoint')?.desired;

test('a file that is wrong stops neither the others nor the devices that it used to declare', () => {
  write('model.yaml', model);
  write('a.yaml', device('a', 1));
  write('b.yaml', device('b', 2));
  assert.deepEqual(read(), []);

  write('b.yaml', 'apiVersion: limpet.dev/v1\nkind: Device\nmetadata: { name: b }\nspek: {}\n');
  write('c.yaml', device('c', 3));
  const faults = read();
  assert.ok(faults.some(({ file, line }) => file?.endsWith('b.yaml') && line === 4));
  assert.deepEqual(store.devices().toSorted(), ['default/a', 'default/b', 'default/c']);
});

test('a file that is gone takes its device away', () => {
  write('model.yaml', model);
  const file = write('a.yaml', device('a', 1));
  read();
  unlinkSync(file);
  assert.deepEqual(read(), []);
  assert.deepEqual(store.devices(), []);
});

test('a device of another node, and one declared twice, are refused with their place', () => {
  write('a.yaml', device('a', 1, 'n2'));
  write('b.yaml', device('b', 1));
  write('c.yaml', `---\n${device('b', 2)}`);
  const faults = read();
  assert.deepEqual(faults.map(({ code }) => code).toSorted(), [
    'DEVICE_OF_OTHER_NODE',
    'RESOURCE_DUPLICATE',
  ]);
  assert.deepEqual(store.devices(), ['default/b']);
});

test('after the loss of the store an old file does not overrule what the cloud ordered since', () => {
  write('model.yaml', model);
  const file = write('a.yaml', device('a', 55));
  const yesterday = Date.now() / 1000 - 86_400;
  utimesSync(file, yesterday, yesterday);
  read();
  assert.equal(desired('default/a')?.value, 55);

  const anHourAgo = (Date.now() - 3_600_000) * 2000;
  const row = { device: 'default/a', property: 'setpoint', accepted: Date.now() - 3_600_000 };
  store.mergeWanted([{ kind: 'desired', ...row, value: 60, rev: anHourAgo }], anHourAgo);
  assert.equal(desired('default/a')?.value, 60);
});

test('a file that changes later is a new order', () => {
  write('model.yaml', model);
  write('a.yaml', device('a', 55));
  read();
  const first = desired('default/a')?.rev ?? 0;
  write('a.yaml', device('a', 56));
  read();
  assert.equal(desired('default/a')?.value, 56);
  assert.ok((desired('default/a')?.rev ?? 0) > first);
});
