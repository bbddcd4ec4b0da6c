/** `limpet call` against an edge and through its cloud, with a mapper in a process of its own. */
import { recordingLog, silentLog } from '@limpet/dmi/testing';
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { startCloud } from '../../cloud/service/main.ts';
import { readConfig } from '../../runtime/config.ts';
import { type Edge, startEdge } from '../../runtime/main.ts';
import { MapperFolder, until } from '../../runtime/mapper/folder.fixture.ts';
import { runLimpet } from '../testing/run-limpet.ts';

const MAPPER = `
  import { defineMapper, Refused } from '@limpet/dmi';
  const any = { '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value }) } };
  export default defineMapper({
    protocol: 'pump', settings: any, visitor: any,
    serves: ({ key }) => (key === 'none' ? 'no such method' : undefined),
    connect: async () => ({
      read: async (visitors) => visitors.map(() => ({ ok: true, value: 21.5 })),
      write: async (visitor, value) => value,
      call: async ({ key }, input) => {
        if (key === 'lock') throw new Refused('PUMP_LOCKED', 'it is locked: turn the key');
        if (key === 'hang') await new Promise(() => undefined);
        return input.map((each) => (typeof each === 'bigint' ? each + 1n : each));
      },
      close: async () => undefined,
    }),
  });
`;
const ARGUMENTS = `[{ name: speed, type: int, unit: /min }, { name: label, type: string }]`;
const MANIFEST = `apiVersion: limpet.dev/v1
kind: DeviceModel
metadata: { name: pump }
spec:
  protocol: pump
  properties: [{ name: temperature, type: float, visitor: {} }]
  methods:
    - { name: start, visitor: { key: start }, input: ${ARGUMENTS}, output: ${ARGUMENTS} }
    - { name: lock, visitor: { key: lock } }
    - { name: hang, visitor: { key: hang } }
---
apiVersion: limpet.dev/v1
kind: Device
metadata: { name: pump-1 }
spec: { model: pump, node: gateway-1, settings: {} }
`;
const FAR = `apiVersion: limpet.dev/v1
kind: Device
metadata: { name: far-1 }
spec: { model: pump, node: gateway-9, settings: {} }
`;

async function house(t: TestContext): Promise<{ edge: Edge; cloud: string; data: string }> {
  const folder = new MapperFolder(t);
  folder.write('pump', MAPPER);
  const manifests = path.join(folder.root, 'manifests');
  mkdirSync(manifests);
  writeFileSync(path.join(manifests, 'pump.yaml'), MANIFEST);
  const { url } = await serve(t, path.join(folder.root, 'cloud'));
  const file = path.join(folder.root, 'limpet.yaml');
  const lines = [
    'node: gateway-1',
    `data: ${folder.data}`,
    `manifests: ${manifests}`,
    `mapperFolder: ${folder.mappers}`,
    `cloud: ${url.replace('http', 'ws')}/hub`,
    'bus: { listen: off }',
  ];
  writeFileSync(file, lines.join('\n'));
  const read = readConfig(file);
  assert.ok(read.ok);
  const log = recordingLog();
  const edge = await startEdge({ config: read.config, log });
  t.after(() => edge.close());
  const said = (message: string) => log.lines.some((line) => line.message === message);
  await until('the device is online', () => said('device online'));
  await until('the cloud is there', () => said('cloud link up'));
  return { edge, cloud: url, data: folder.data };
}

type Place = readonly string[];

async function serve(t: TestContext, data: string) {
  const cloud = await startCloud({ data, listen: '127.0.0.1:0', log: silentLog() });
  t.after(() => cloud.close());
  return cloud;
}

test('a method is called at the edge and through the cloud, and says where it stopped', async (t) => {
  const { edge, cloud, data } = await house(t);
  const via = (place: Place, ...words: readonly string[]) =>
    runLimpet(['call', ...words, ...place]);
  const start = ['pump-1', 'start', 'speed=9007199254740993', 'label=a b'];
  const fails = async (place: Place, words: readonly string[], code: string): Promise<string> => {
    const ran = await via([...place, '--json'], ...words);
    assert.equal(ran.code, 1, ran.out);
    const { error } = JSON.parse(ran.err) as { error: { code: string; message: string } };
    assert.equal(error.code, code, error.message);
    return error.message;
  };
  const [local, far] = [
    ['--edge', data],
    ['--cloud', cloud],
  ] as const;
  const listed = await via(local, 'pump-1');
  assert.equal(
    listed.out,
    'start(speed:int /min, label:string) → speed:int /min, label:string\nlock()\nhang()\n',
  );
  for (const place of [local, far]) {
    const ran = await via(place, ...start);
    assert.equal(ran.out, 'speed = 9007199254740994 /min\nlabel = a b\n', ran.err);
    const locked = await fails(place, ['pump-1', 'lock'], 'PUMP_LOCKED');
    assert.equal(locked, 'stopped at the device: it is locked: turn the key.');
    const late = await fails(place, ['pump-1', 'hang', '--timeout', '300ms'], 'CALL_TIMEOUT');
    assert.match(late, /^stopped at the device: .*It may have been carried out/);
  }
  const slip = await fails(local, ['pump-1', 'strt'], 'METHOD_UNKNOWN');
  assert.match(slip, /^stopped at the edge: .*Did you mean "start"\?/);
  const less = await fails(far, ['pump-1', 'start', 'speed=1'], 'ARGUMENT_MISSING');
  assert.match(less, /^stopped at the cloud: .*"label"/);
  const manifest = path.join(data, 'far.yaml');
  writeFileSync(manifest, FAR);
  const applied = await runLimpet(['apply', '-f', manifest, ...far]);
  assert.equal(applied.code, 0, applied.err);
  const never = await fails(far, ['far-1', 'lock'], 'NODE_OFFLINE');
  assert.match(never, /"gateway-9" is not connected; it was never seen here/);
  await edge.close();
  const gone = await fails(far, ['pump-1', 'lock'], 'NODE_OFFLINE');
  assert.match(gone, /"gateway-1" is not connected; it was last seen/);
});
