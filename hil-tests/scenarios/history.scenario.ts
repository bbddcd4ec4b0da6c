/**
 * Promise: the cloud's past of a property is what its edge recorded, also of the time in which the cloud was away and in
 * which the edge was killed; of a property that no edge records it is what reached the cloud, with that time as a gap.
 *
 * `LIMPET_AWAY_S` (default 30) sets how long the cloud is away, in seconds.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import path from 'node:path';
import process from 'node:process';
import { after, before, test } from 'node:test';
import { isDeepStrictEqual, promisify } from 'node:util';
import type { ApiClient, SampleList } from '#protocol/api';
import type { DeviceModel } from '@limpet/dmi/manifest';
import { Rig } from '../rig/rig.ts';
import { pause, until } from '../rig/until.ts';

const AWAY_S = Number(process.env['LIMPET_AWAY_S'] ?? 30);

const model: DeviceModel = {
  apiVersion: 'limpet.dev/v1',
  kind: 'DeviceModel',
  metadata: { name: 'meter' },
  spec: {
    protocol: 'modbus',
    properties: [
      {
        name: 'count',
        type: 'int',
        every: '100ms',
        history: true,
        visitor: { register: 'input', address: 0 },
      },
      { name: 'plain', type: 'int', every: '100ms', visitor: { register: 'input', address: 1 } },
    ],
  },
};
const target = { kind: 'Device', namespace: 'default', name: 'device-1' } as const;
let rig: Rig;

before(async () => {
  rig = await Rig.create();
  let count = 0;
  rig.registers.onRead = (unit, address) => {
    if (address > 1) return;
    rig.registers.input(unit)[0] = ++count % 65_536;
    rig.registers.input(unit)[1] = count % 65_536;
  };
  await rig.startCloud();
  await rig.startEdge();
  await rig.declare(model, 1);
});
after(() => rig.close());

test(`after ${AWAY_S} s without a cloud the two have the same past`, async (t) => {
  // Until the edge has told what it recorded, the cloud has the changes of its mirror.
  await pause(12_000);
  await rig.cloud?.kill();
  await pause(AWAY_S * 500);
  await rig.edge?.kill();
  await rig.startEdge();
  await pause(AWAY_S * 500);
  await rig.startCloud();
  const back = performance.now();
  await until(() => same(), 320_000);
  const { samples, gaps } = await past(rig.api, 'count');
  t.diagnostic(
    `${samples.length} samples and ${gaps.length} gaps, the same ${Math.round(performance.now() - back)} ms after the cloud answered`,
  );
  assert.ok(gaps.some(({ cause }) => cause === 'down'));
  assert.ok(samples.length > AWAY_S * 5, `${samples.length} samples`);
});

test('what no edge records is what reached the cloud, with the time away as a gap', async () => {
  const { samples, gaps } = await past(rig.api, 'plain');
  assert.ok(samples.length > 10);
  const away = gaps.filter(({ cause }) => cause === 'unseen');
  const long = away.map(
    ({ from, to }) => Date.parse(to ?? new Date().toISOString()) - Date.parse(from),
  );
  assert.ok(Math.max(...long) > AWAY_S * 900, JSON.stringify(gaps));
});

test('the command asks the cloud by itself', async () => {
  const args = [
    'cli/limpet.mjs',
    'samples',
    'device-1.count',
    '--cloud',
    `http://127.0.0.1:${rig.cloudPort}`,
  ];
  const cwd = path.resolve(import.meta.dirname, '../..');
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd });
  assert.match(stdout, /^default\/device-1\.count: \d+ samples, \d+ gaps? in 1h$/m);
  assert.match(stdout, /gap \(down\)/);
});

/** The edge's, up to what it had on its disk when the cloud was asked. */
async function same(): Promise<string | undefined> {
  const [cloud, edge] = [await past(rig.api, 'count'), await past(rig.edgeApi, 'count')];
  const last = cloud.samples.at(-1)?.at ?? '';
  const own = edge.samples.filter(({ at }) => at <= last);
  if (own.length !== cloud.samples.length || own.length < AWAY_S) {
    return `${cloud.samples.length} in the cloud, ${own.length} at the edge`;
  }
  const gaps = JSON.stringify([cloud.gaps, edge.gaps]);
  if (!isDeepStrictEqual(cloud.gaps, edge.gaps)) return `not the same gaps: ${gaps}`;
  return isDeepStrictEqual(cloud.samples, own) ? undefined : 'not the same samples';
}

type Past = Pick<SampleList, 'samples' | 'gaps'>;

async function past(api: ApiClient, property: string): Promise<Past> {
  const first = await api.samples(target, property);
  const samples = [...first.samples];
  let { next } = first;
  while (next !== undefined) {
    const page = await api.samples(target, property, { since: '1h', continue: next });
    samples.push(...page.samples);
    next = page.next;
  }
  return { samples, gaps: first.gaps };
}
