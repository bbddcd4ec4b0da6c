/**
 * Promise: of the past nothing is unaccounted for. Every value that a device ever gave is a sample on the edge or
 * lies in a gap that says why, through kills without mercy, a silent device and a clean stop.
 *
 * The register counts how often it was read, so each value is given once, at a time that is known here.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import type { SampleList } from '#protocol/api';
import { NODE, Rig } from '../rig/rig.ts';
import { pause, until } from '../rig/until.ts';

const target = { kind: 'Device', namespace: 'default', name: 'meter' } as const;
/** Between the device's answer and the edge's reading of its clock. */
const WIRE_MS = 100;

let rig: Rig;
/** What the device gave, and when. */
const given: { readonly value: number; readonly at: number }[] = [];

before(async () => {
  rig = await Rig.create();
  rig.registers.onRead = (unit, address) => {
    if (address !== 0 || rig.registers.silent.has(unit)) return;
    const value = given.length + 1;
    rig.registers.input(unit)[0] = value;
    given.push({ value, at: Date.now() });
  };
  const manifests = path.join(rig.folder, 'manifests');
  mkdirSync(manifests);
  writeFileSync(path.join(manifests, 'meter.yaml'), manifest());
  await rig.configure({ cloud: undefined, manifests });
});
after(() => rig.close());

test('every value is a sample or lies in a gap, through kills, a silent device and a stop', async () => {
  // Long enough for one flush; then the power goes, and soon once more.
  await life(12_000);
  await rig.edge?.kill();
  await life(2_500);
  await rig.edge?.kill();
  await life(1_500);
  rig.registers.silent.add(1);
  await pause(2_000);
  rig.registers.silent.clear();
  const more = given.length + 10;
  await until(() => (given.length > more ? undefined : 'the device is not read again'), 15_000);
  await rig.edge?.stop();
  await life(1_000);

  const { samples, gaps } = await past();
  const kept = new Set(samples.map(({ value }) => value));
  assert.equal(kept.size, samples.length, 'nothing twice');
  const spans = gaps.map(({ from, to }) => [Date.parse(from), to ? Date.parse(to) : Date.now()]);
  const unaccounted = given.filter(({ value, at }) => {
    if (kept.has(value)) return false;
    return !spans.some(([from = 0, to = 0]) => at >= from - WIRE_MS && at <= to + WIRE_MS);
  });
  // The last ones may still be on their way to the answer.
  assert.deepEqual(
    unaccounted.filter(({ at }) => at < Date.now() - 2_000),
    [],
  );
  assert.ok(kept.size > given.length / 2, `${kept.size} of ${given.length} kept`);
  assert.deepEqual(
    gaps.map(({ cause, to }) => [cause, to !== undefined]),
    [
      ['down', true],
      ['away', true],
      ['down', true],
    ],
    'the life between the kills was too short to write anything: one gap',
  );
  assert.equal(statSync(path.join(rig.edgeData, 'samples.db')).mode & 0o077, 0);
});

test('the command shows it, plotted and as JSON', async () => {
  const shown = await limpet('--since', '2m');
  assert.match(shown, /^default\/meter\.count: \d+ samples, 3 gaps in 2m$/m);
  assert.match(shown, /┤.*[▁─▔░]/);
  assert.match(shown, /gap \(away\) of \d/);
  const lines = (await limpet('--json'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.equal(lines.filter(({ gap }) => gap !== undefined).length, 3);
  assert.ok(lines.some(({ value, quality }) => value === 3 && quality === 'good'));
});

async function limpet(...options: string[]): Promise<string> {
  const args = ['cli/limpet.mjs', 'samples', 'meter.count', '--edge', rig.edgeData, ...options];
  const cwd = path.resolve(import.meta.dirname, '../..');
  return (await promisify(execFile)(process.execPath, args, { cwd })).stdout;
}

/** Starts the edge, and waits until it has read the device for so long. */
async function life(ms: number): Promise<void> {
  const before = given.length;
  await rig.startEdge();
  await until(() => (given.length > before ? undefined : rig.edge?.lastLines), 15_000);
  await pause(ms);
}

async function past(): Promise<Pick<SampleList, 'samples' | 'gaps'>> {
  const first = await rig.edgeApi.samples(target, 'count');
  assert.equal(first.next, undefined);
  return first;
}

function manifest(): string {
  return `apiVersion: limpet.dev/v1
kind: DeviceModel
metadata: { name: meter }
spec:
  protocol: modbus
  properties:
    - { name: count, type: int, every: 100ms, history: true, visitor: { register: input, address: 0 } }
---
apiVersion: limpet.dev/v1
kind: Device
metadata: { name: meter }
spec:
  node: ${NODE}
  model: meter
  settings: { address: "tcp://127.0.0.1:${rig.devicePort}", unit: 1, timeout: 500ms }
`;
}
