import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { formatFaults } from '@limpet/dmi/manifest';
import { readConfig } from './config.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'limpet-config-'));
after(() => rmSync(folder, { recursive: true }));

function read(text: string) {
  const file = path.join(folder, 'limpet.yaml');
  writeFileSync(file, text);
  return readConfig(file);
}

test('paths are taken from the folder of the file, and the bus listens on loopback', () => {
  const answer = read('node: gateway-1\ndata: state\nmanifests: /etc/limpet\n');
  assert.deepEqual(answer, {
    ok: true,
    config: {
      node: 'gateway-1',
      data: path.join(folder, 'state'),
      cloud: undefined,
      ca: undefined,
      tokenFile: undefined,
      bus: '127.0.0.1:1883',
      manifests: '/etc/limpet',
      memory: {},
      disk: {
        ceiling: 268_435_456,
        twins: 67_108_864,
        samples: 67_108_864,
        samplesAgeMs: 2_592_000_000,
        wearPerDay: 2_147_483_648,
      },
      mapperFolder: undefined,
      mappers: {},
    },
  });
});

test('mappers are found and held to what this node says of them', () => {
  const given = 'mapperFolder: mappers\nmappers: { acme: { folder: ../acme, memory: 30M } }\n';
  const answer = read(`node: a\ndata: d\n${given}`);
  assert.ok(answer.ok);
  assert.equal(answer.config.mapperFolder, path.join(folder, 'mappers'));
  assert.equal(answer.config.mappers['acme']?.folder, path.resolve(folder, '../acme'));
  assert.equal(answer.config.mappers['acme']?.memory, 30e6);
  const wrong = read(
    'node: a\ndata: d\nmappers: { Acme: {}, acme: { memry: 1Mi, hosting: out } }\n',
  );
  const told = formatFaults(wrong.ok ? [] : wrong.faults);
  assert.match(told, /limpet\.yaml:3:\d+: mappers\.Acme: .*name of a protocol/);
  assert.match(told, /mappers\.acme\.memry: .*Did you mean "memory"/);
  assert.match(told, /mappers\.acme\.hosting: .*inline, process/);
});

test('the bus is off by one word, and what is neither that nor an object is said to be so', () => {
  for (const bus of ['off', '{ listen: off }']) {
    const answer = read(`node: a\ndata: d\nbus: ${bus}\n`);
    assert.equal(answer.ok && answer.config.bus, undefined);
    assert.ok(answer.ok);
  }
  const wrong = read(
    "node: a\ndata: d\nbus: 1883\nmappers: { x: { permissions: { network: ['a:*'] } } }\n",
  );
  const told = formatFaults(wrong.ok ? [] : wrong.faults);
  assert.match(told, /"bus" must be off, or an object like \{ listen/);
  assert.match(told, /network.*"a:\*" is none \(a host without a port/);
});

test('memory is given as sizes, and what no core can start with is refused', () => {
  const both = read('node: a\ndata: d\nmemory: { ceiling: 96Mi, core: 48M }\n');
  assert.deepEqual(both.ok && both.config.memory, { ceiling: 96 * 2 ** 20, core: 48e6 });
  const small = read('node: a\ndata: d\nmemory: { ceiling: 30, core: lots }\n');
  assert.ok(!small.ok);
  const told = formatFaults(small.faults);
  assert.match(told, /limpet\.yaml:3:\d+: memory\.ceiling: .*at least 12Mi/);
  assert.match(told, /memory\.core: .*a size like 26Mi/);
});

test('an IPv6 listener and a bus that is off are understood', () => {
  const six = read('node: a\ndata: d\nbus: { listen: "[::1]:1884" }\n');
  assert.deepEqual(six.ok && six.config.bus, '[::1]:1884');
  const off = read('node: a\ndata: d\nbus: { listen: "off" }\n');
  assert.equal(off.ok && off.config.bus, undefined);
});

test('all faults are told at once, each with its place and the nearest known field', () => {
  const answer = read('node: Gateway_1\ndate: state\ncloud: http://x\n');
  assert.equal(answer.ok, false);
  const told = formatFaults(answer.ok ? [] : answer.faults);
  assert.match(told, /limpet\.yaml:1:\d+: node: "node" must be a node name/);
  assert.match(told, /limpet\.yaml:2:\d+: date: .*data/);
  assert.match(told, /limpet\.yaml:3:\d+: cloud: "cloud" must be an address/);
  assert.match(told, /"data" is missing/);
});

test('a file that is not there is a fault that says what to do', () => {
  const answer = readConfig(path.join(folder, 'absent.yaml'));
  assert.match(formatFaults(answer.ok ? [] : answer.faults), /ENOENT.*--config/);
});

test('the disk is shared as the file says, in sizes as Kubernetes writes them', () => {
  const answer = read(
    'node: a\ndata: d\ndisk: { ceiling: 1Gi, samples: 500M, samplesAge: 7d, wearPerDay: 4Gi }\n',
  );
  assert.deepEqual(answer.ok && answer.config.disk, {
    ceiling: 2 ** 30,
    twins: 67_108_864,
    samples: 500e6,
    samplesAgeMs: 604_800_000,
    wearPerDay: 2 ** 32,
  });
});

test('a size that is none, one too small and an age that is none are told by field', () => {
  const answer = read(
    'node: a\ndata: d\ndisk: { ceiling: big, twins: 1Mi, samplesAge: 5, wear: 1Gi }\n',
  );
  const told = formatFaults(answer.ok ? [] : answer.faults);
  assert.match(told, /disk\.ceiling: .*must be a size like 26Mi/);
  assert.match(told, /disk\.twins: .*at least 16Mi/);
  assert.match(told, /disk\.samplesAge: .*a duration of at least 1m/);
  assert.match(told, /disk\.wear: .*wearPerDay/);
});
