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

const LIMITS = { bytes: 2 ** 20, lexemes: 60_000 };
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

function read(limits = LIMITS) {
  const options = { folder, node: 'n1', target: store, clock: systemClock, log };
  return new ManifestFolder({ ...options, limits }).apply();
}

test('a folder filled by mistake is read up to its limits, and takes no memory beyond them', () => {
  write('00-model.yaml', model);
  for (let each = 0; each < 10_100; each++) write(`${each}.note`, '');
  const before = process.memoryUsage().heapUsed;
  const [fault] = read();
  assert.equal(fault?.code, 'MANIFESTS_TOO_MANY');
  assert.match(fault?.message ?? '', /more than 10000 entries/);
  assert.ok(process.memoryUsage().heapUsed - before < 16 * 2 ** 20);
});

test('all files together have a limit: what is beyond it is told and nothing is removed', () => {
  write('a.yaml', model);
  write('b.yaml', device('b', 1));
  read();
  write('c.yaml', `# ${'x'.repeat(3_000)}\n${device('c', 1)}`);
  const faults = read({ ...LIMITS, bytes: 1_000 });
  assert.deepEqual(
    faults.map(({ code }) => code),
    ['MANIFESTS_TOO_LARGE'],
  );
  assert.match(faults[0]?.message ?? '', /memory\.core/);
  assert.ok(store.device('default/b') !== undefined);
});

test('a document too long for the memory of the node is refused unparsed, and as JSON it goes', () => {
  const properties = Array.from({ length: 2_000 }, (_, index) => {
    return { name: `p${index}`, type: 'int', visitor: { register: 'holding', address: index } };
  });
  const head = { apiVersion: 'limpet.dev/v1', kind: 'DeviceModel', metadata: { name: 'large' } };
  const doc = { ...head, spec: { protocol: 'modbus', properties } };
  const text = JSON.stringify(doc, undefined, 1);
  // Without its outer brackets it is YAML's flow style and no JSON.
  write('large.yaml', text.replace('"apiVersion"', 'apiVersion'));
  const [fault] = read({ ...LIMITS, lexemes: 20_000 });
  assert.match(fault?.message ?? '', /too long for YAML .*write it as JSON/);
  write('large.yaml', text);
  assert.deepEqual(read({ ...LIMITS, lexemes: 20_000 }), []);
  assert.equal(store.model('default/large')?.spec.properties.length, 2_000);
});

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
