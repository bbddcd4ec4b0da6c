/** `limpet rollout` against a real cloud whose node is away. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test, type TestContext } from 'node:test';
import { silentLog } from '@limpet/dmi/testing';
import type { Rollout, RolloutOutcome, RolloutPreview } from '@limpet/dmi/manifest';
import { type CloudService, startCloud } from '../../cloud/service/main.ts';
import { barLine } from '../render/rollouts.ts';
import { type Ran, runLimpet, temporaryFolder } from '../testing/run-limpet.ts';

const MANIFESTS = `apiVersion: limpet.dev/v1
kind: DeviceModel
metadata: { name: boiler }
spec:
  protocol: modbus
  properties:
    - { name: setpoint, type: float, access: readWrite, minimum: 20, maximum: 90,
        visitor: { register: holding, address: 10, type: int16, scale: 0.1 } }
${[1, 2, 3]
  .map(
    (at) => `---
apiVersion: limpet.dev/v1
kind: Device
metadata: { name: boiler-${at} }
spec: { model: boiler, node: edge-1, settings: { address: "tcp://127.0.0.1:1", unit: ${at} } }
`,
  )
  .join('')}`;
const UPDATE = "UPDATE devices SET desired.setpoint = 50 WHERE model = 'boiler'";

let cloud: CloudService;
const cleanUps: (() => void)[] = [];

before(async () => {
  const folder = temporaryFolder({
    after: (task: () => void) => void cleanUps.push(task),
  } as TestContext);
  cloud = await startCloud({ data: folder, listen: '127.0.0.1:0', log: silentLog() });
  const file = path.join(folder, 'all.yaml');
  writeFileSync(file, MANIFESTS);
  assert.equal((await limpet('apply', '-f', file)).code, 0);
});
after(async () => {
  await cloud.close();
  for (const cleanUp of cleanUps) cleanUp();
});

function limpet(...args: readonly string[]): Promise<Ran> {
  return runLimpet(args, { environment: { LIMPET_CLOUD: cloud.url } });
}

test('a dry run says what would be, and begins nothing', async () => {
  const said = await limpet('rollout', 'run', UPDATE, '--dry-run');
  assert.match(
    said.out,
    /It would be for 3 devices: default\/boiler-1, default\/boiler-2/,
    said.err,
  );
  assert.match(said.out, /3 × NODE_OFFLINE/);
  const json = await limpet('rollout', 'run', UPDATE.replace('50', '500'), '--dry-run', '--json');
  const preview = JSON.parse(json.out) as RolloutPreview;
  assert.equal(preview.devices, 3);
  assert.ok(preview.troubles.some(({ code }) => code === 'VALUE_ABOVE_MAXIMUM'));
  const none = await limpet('rollout', 'list', '-A');
  assert.deepEqual([none.code, none.out, none.err], [0, '', 'No rollouts.\n']);
});

test('one that nobody carries out stops, is shown with its devices, is undone and deleted', async () => {
  const ran = await limpet('rollout', 'run', UPDATE, '--name=warm', '--timeout=1s', '--wait');
  assert.equal(ran.code, 1, ran.err);
  assert.match(ran.out, /Canary, 3 devices: 2 pending, 1 sent/);
  assert.match(ran.out, /Stopped, 3 devices: 2 pending, 1 expired: 1 device of the canary failed/);
  const shown = await limpet('rollout', 'show', 'warm');
  assert.match(shown.out, /default\/boiler-1 +expired +canary +- +ROLLOUT_TIMEOUT/, shown.err);
  const only = await limpet('rollout', 'show', 'warm', '--state', 'expired', '--json');
  const found = JSON.parse(only.out) as Rollout & { devices: RolloutOutcome[] };
  assert.deepEqual(
    found.devices.map(({ device, before }) => [device, before]),
    [['default/boiler-1', {}]],
  );
  assert.match((await limpet('rollout', 'list')).out, /warm +Stopped +0\/3 +1 +canary/);
  const undone = await limpet('rollout', 'revert', 'warm', '--wait');
  assert.equal(undone.code, 0, undone.err);
  assert.match(undone.out, /Reverted, 3 devices: 2 pending, 1 reverted/);
  const late = await limpet('rollout', 'resume', 'warm');
  assert.deepEqual([late.code, /is Reverted: .* nothing to resume/.test(late.err)], [1, true]);
  assert.match((await limpet('rollout', 'delete', 'warm')).out, /rollout default\/warm deleted/);
  assert.equal((await limpet('rollout', 'show', 'warm')).code, 1);
});

test('a slip is refused with its place', async () => {
  const slip = await limpet('rollout', 'run', UPDATE.replace('model', 'modle'));
  assert.equal(slip.code, 1);
  assert.match(slip.err, /modle[^]*\n +\^{5}\n$/);
  assert.equal((await limpet('rollout', 'run', UPDATE, '--batch', 'many')).code, 2);
});

test('the bar fills by what has ended', () => {
  const counts = { total: 8, pending: 2, sent: 1, applied: 3, rejected: 1, expired: 0, skipped: 1 };
  const status = { phase: 'Running', counts: { ...counts, reverted: 0 }, batch: 1, started: '' };
  const rollout = { status } as unknown as Rollout;
  assert.equal(barLine(rollout, false, 16), '[█████▒▓▓··] 62%');
});
