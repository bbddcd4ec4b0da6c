import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatFaults } from '@limpet/dmi/manifest';
import { readPackage, settle } from './manifest.ts';

function read(limpet: unknown, more: object = {}) {
  return readPackage(
    JSON.stringify({ version: '1.2.3', limpet, ...more }, null, 2),
    'package.json',
  );
}

function faults(limpet: unknown, more: object = {}): string {
  const answer = read(limpet, more);
  assert.equal(answer.ok, false);
  return answer.ok ? '' : formatFaults(answer.faults);
}

function good(limpet: unknown) {
  const answer = read(limpet);
  assert.ok(answer.ok, answer.ok ? '' : formatFaults(answer.faults));
  return answer.value;
}

test('nothing declared is nothing allowed, in a process where the mapper is not ours', () => {
  assert.deepEqual(settle(good({ protocol: 'knock' }), undefined, 'process'), {
    protocol: 'knock',
    hosting: 'process',
    memoryBytes: 24 * 2 ** 20,
    diskBytes: 16 * 2 ** 20,
    importance: 50,
    permissions: {
      serial: false,
      network: false,
      bluetooth: false,
      files: { read: [], write: [] },
      addons: false,
    },
  });
});

test('what a manifest declares counts, and what limpet.yaml says counts more', () => {
  const declared = good({
    protocol: 'knock',
    hosting: 'inline',
    memory: '14Mi',
    disk: '1M',
    importance: 80,
    permissions: {
      serial: ['/dev/ttyUSB0'],
      network: ['10.0.0.0/8', '*:502'],
      bluetooth: ['hci0'],
      files: { read: ['/etc/knock'] },
      addons: true,
    },
  });
  const plain = settle(declared, undefined, 'process');
  assert.equal(plain.hosting, 'inline');
  assert.equal(plain.memoryBytes, 14 * 2 ** 20);
  assert.equal(plain.diskBytes, 1_000_000);
  assert.deepEqual(plain.permissions.files, { read: ['/etc/knock'], write: [] });
  const changed = settle(
    declared,
    { hosting: 'process', importance: 0, permissions: { network: ['plc.local'] } },
    'process',
  );
  assert.equal(changed.hosting, 'process');
  assert.equal(changed.importance, 0);
  assert.equal(changed.memoryBytes, 14 * 2 ** 20);
  // A whole new list: nothing of the mapper's own wishes is left.
  assert.deepEqual(changed.permissions.serial, false);
  assert.deepEqual(changed.permissions.network, ['plc.local']);
  assert.equal(changed.permissions.addons, false);
});

test('a wrong manifest is told whole: field, kind of value, what was expected, where', () => {
  const told = faults({
    protocol: 'Knock!',
    hosting: 'proces',
    memory: '26MB',
    disk: true,
    importance: 101,
    memry: '1Mi',
    permissions: {
      serial: ['ttyUSB0'],
      network: 'all',
      bluetooth: ['usb0'],
      files: { read: ['/etc/*'], write: ['/'] },
      adons: true,
    },
  });
  for (const part of [
    /package\.json:4:\d+: limpet\.protocol: "protocol" must be the name of a protocol.*found text/,
    /limpet\.hosting: .*one of inline, process.*Did you mean "process"/,
    /limpet\.memory: "memory" must be a size like 26Mi.*found text/,
    /limpet\.disk: "disk" must be a size.*found true or false/,
    /limpet\.importance: .*from 0 to 100; found a number/,
    /limpet\.memry: .*Did you mean "memory"/,
    /limpet\.permissions\.serial\[0\]: .*absolute path/,
    /limpet\.permissions\.network: .*true, false or a list of hosts and networks; found text/,
    /limpet\.permissions\.bluetooth\[0\]: .*hci0/,
    /limpet\.permissions\.files\.read\[0\]: .*without "\*"/,
    /limpet\.permissions\.files\.write\[0\]/,
    /limpet\.permissions\.adons: .*Did you mean "addons"/,
  ]) {
    assert.match(told, part);
  }
});

test('what is no manifest at all is told as well', () => {
  assert.match(faults(undefined), /"limpet" is missing/);
  assert.match(
    faults({ protocol: 'a' }, { version: 1 }),
    /"version" must be a version like 1\.2\.3/,
  );
  assert.match(faults({ protocol: 'a', memory: '4Mi' }), /at least 12Mi/);
  const notJson = readPackage('[1]', 'p.json');
  assert.equal(notJson.ok, false);
  const many = Array.from({ length: 65 }, () => '*:1');
  assert.match(faults({ protocol: 'a', permissions: { network: many } }), /at most 64/);
});
