/** The verbs against a real cloud, each as a process of its own. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import path from 'node:path';
import { after, before, test, type TestContext } from 'node:test';
import { silentLog } from '@limpet/dmi/testing';
import { type CloudService, startCloud } from '../cloud/service/main.ts';
import { type Ran, runLimpet, temporaryFolder } from './testing/run-limpet.ts';

const MODEL = `apiVersion: limpet.dev/v1
kind: DeviceModel
metadata: { name: boiler }
spec:
  protocol: modbus
  properties:
    - { name: setpoint, type: float, access: readWrite, unit: Cel, minimum: 20, maximum: 90,
        visitor: { register: holding, address: 10, type: int16, scale: 0.1 } }
`;

let cloud: CloudService;
const cleanUps: (() => void)[] = [];

before(async () => {
  const data = temporaryFolder({
    after: (task: () => void) => void cleanUps.push(task),
  } as TestContext);
  cloud = await startCloud({ data, listen: '127.0.0.1:0', log: silentLog() });
});
after(async () => {
  await cloud.close();
  for (const cleanUp of cleanUps) cleanUp();
});

test('what is applied again is unchanged, and only a difference is configured', async (t) => {
  const file = path.join(temporaryFolder(t), 'all.yaml');
  writeFileSync(file, `${device('first', 55)}---\n${MODEL}`);
  const first = await limpet('apply', '-f', file);
  assert.equal(
    first.out,
    'model default/boiler created\ndevice default/first created\n',
    first.err,
  );
  const again = await limpet('apply', '-f', file);
  assert.equal(again.out, 'model default/boiler unchanged\ndevice default/first unchanged\n');
  writeFileSync(file, device('first', 60));
  const dry = await limpet('apply', '-f', file, '--dry-run');
  assert.equal(dry.out, 'device default/first configured (dry run)\n');
  const third = await limpet('apply', '-f', file, '--json');
  const place = { kind: 'Device', namespace: 'default', name: 'first' };
  assert.deepEqual(JSON.parse(third.out), { ...place, result: 'configured' });
});

test('all faults of all files come at once with their places, and do not stop the others', async (t) => {
  const folder = temporaryFolder(t);
  mkdirSync(path.join(folder, 'below'));
  writeFileSync(path.join(folder, 'a.yaml'), `${MODEL}---\n${device('good', 50)}`);
  writeFileSync(path.join(folder, 'b.yml'), device('hot', 95));
  writeFileSync(path.join(folder, 'below/c.json'), device('odd', 50).replace('node:', 'nod:'));
  writeFileSync(path.join(folder, 'd.yaml'), device('lost', 50).replace('tcp:', 'tpc:'));
  writeFileSync(path.join(folder, 'notes.txt'), 'no manifest');
  const { code, out, err } = await limpet('apply', '-f', folder);
  assert.equal(code, 1);
  assert.match(out, /^device default\/good created$/m);
  assert.match(err, /b\.yml:8:\d+: spec\.desired\.setpoint: .*at most 90/);
  assert.match(err, /c\.json:\d+:\d+: spec\.nod: .*"node"/);
  assert.match(err, /d\.yaml:7:\d+: spec\.settings\.address: /);
  assert.match(err, /3 refused/);
  assert.match(err, /the others were applied/);
  const dry = await limpet('apply', '-f', folder, '--dry-run');
  assert.match(dry.err, /3 refused, see above; nothing was changed, for this was a dry run/);
  const json = await limpet('apply', '-f', path.join(folder, 'b.yml'), '--json');
  const { error } = JSON.parse(json.err) as { error: { code: string; faults: { line: number }[] } };
  assert.equal(error.code, 'MANIFEST_INVALID');
  assert.equal(error.faults[0]?.line, 8);
});

test('manifests that would do nothing are told: an empty file, a device whose model is nowhere', async (t) => {
  const folder = temporaryFolder(t);
  const [empty, alone, wrong] = ['empty.yaml', 'alone.yaml', 'wrong.yaml'].map((name) =>
    path.join(folder, name),
  ) as [string, string, string];
  writeFileSync(empty, '# nothing yet\n');
  const none = await limpet('apply', '-f', empty);
  assert.equal(none.code, 1);
  assert.match(none.err, /empty\.yaml: no manifest in it; each begins with "apiVersion/);
  writeFileSync(alone, device('alone', 50).replace('model: boiler', 'model: bioler'));
  const lonely = await limpet('apply', '-f', alone, '--dry-run');
  assert.equal(lonely.code, 0);
  assert.match(lonely.err, /no model "bioler" in namespace "default" yet: device "alone"/);
  writeFileSync(wrong, device('wrong', 50).replace('kind: Device', 'kind: Devcie'));
  assert.match((await limpet('apply', '-f', wrong)).err, /1 refused, .*; nothing was applied/);
});

test('a cloud with TLS that is asked without it, and the other way round, are told apart', async (t) => {
  // As a server with TLS does that hears no greeting.
  const server = createServer((socket) => socket.once('data', () => socket.resetAndDestroy()));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const plain = `http://127.0.0.1:${port}`;
  const cut = await runLimpet(['get', 'devices', '--cloud', plain]);
  assert.match(cut.err, /hung up \(ECONNRESET\): .*, if that cloud has TLS, ask it as https:/);
  const url = cloud.url.replace('http:', 'https:');
  const { code, err } = await runLimpet(['get', 'devices', '--cloud', url]);
  assert.equal(code, 1);
  assert.match(err, /https:\S+ does not speak TLS: check the port, or ask it as http:/);
});

test('a value is set, refused with its reason, or waited for in vain', async (t) => {
  const file = path.join(temporaryFolder(t), 'all.yaml');
  writeFileSync(file, `${MODEL}---\n${device('third', 50)}`);
  await limpet('apply', '-f', file);
  const set = await limpet('set', 'third.setpoint', '61', '--json');
  assert.equal(set.code, 0, set.err);
  const [stage, result] = set.out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.equal(stage.stage, 'accepted');
  assert.equal(result.value, 61);
  const cases = [
    [['third.setpint', '61'], 'PROPERTY_UNKNOWN', /Did you mean "setpoint"/],
    [['third.setpoint', '99'], 'VALUE_ABOVE_MAXIMUM', /at most 90 Cel/],
    [['third.setpoint', 'warm'], 'VALUE_TYPE', /finite number/],
    [['nobody.setpoint', '61'], 'NotFound', /nobody/],
    // Its node never connected.
    [
      ['third.setpoint', '62', '--wait', 'stored', '--timeout', '300ms'],
      'TIMEOUT',
      /not stored within 300ms/,
    ],
  ] as const;
  for (const [args, code, message] of cases) {
    const ran = await limpet('set', ...args, '--json');
    assert.equal(ran.code, 1, ran.out);
    const { error } = JSON.parse(ran.err) as { error: { code: string; message: string } };
    assert.equal(error.code, code);
    assert.match(error.message, message);
  }
});

test('resources are shown as table, YAML and JSON, by name and by label', async (t) => {
  const file = path.join(temporaryFolder(t), 'all.yaml');
  writeFileSync(file, `${MODEL}---\n${device('shown', 50)}`);
  await limpet('apply', '-f', file);
  const table = await limpet('get', 'devices', '-l', 'unit=shown');
  assert.match(table.out, /^NAME +STATE +MODEL .*\nshown +\w+ +boiler +gateway-1 .*\n$/);
  const twin = await limpet('get', 'device', 'default/shown');
  assert.match(twin.out, /^setpoint +- +Cel +- +- +50 +pending/m);
  const yaml = await limpet('get', 'device', 'shown', '-o', 'yaml');
  assert.match(yaml.out, /^kind: Device$/m);
  const list = await limpet('get', 'models', '--json');
  assert.equal(JSON.parse(list.out).items[0].kind, 'DeviceModel');
  assert.match((await limpet('get', 'nodes')).err, /No nodes/);
  const gone = await limpet('get', 'device', 'nope');
  assert.equal(gone.code, 1);
  assert.match(gone.err, /"nope".*not found/);
  const deleted = await limpet('delete', 'device', 'shown');
  assert.equal(deleted.out, 'device default/shown deleted\n');
});

test('what nodes tell of themselves is asked for, or refused with the way out', async () => {
  const cases: readonly (readonly [readonly string[], code: number, said: RegExp])[] = [
    [['budget'], 0, /^No nodes\.$/m],
    [['budget', 'nope'], 1, /"nope" not found/],
    [['get', 'mapper', 'acme'], 1, /no mapper for protocol "acme" \(there are: none\)/],
    [['get', 'mappers', '-l', 'hall=north'], 2, /mappers have no labels/],
    [['get', 'mappers', '-w'], 2, /get nodes -w/],
    [['samples', 'boiler-1.level'], 1, /not found/],
    [
      ['budget', '--edge', '/nope/limpet.yaml'],
      78,
      /--edge \/nope\/limpet\.yaml cannot be read \(ENOENT\)/,
    ],
  ];
  const ran = await Promise.all(cases.map(([args]) => limpet(...args)));
  for (const [index, [args, code, said]] of cases.entries()) {
    assert.match(ran[index]?.err ?? '', said, args.join(' '));
    assert.equal(ran[index]?.code, code, args.join(' '));
  }
});

function limpet(...args: string[]): Promise<Ran> {
  return runLimpet(args, { environment: { LIMPET_CLOUD: cloud.url } });
}

function device(name: string, setpoint: number): string {
  return `apiVersion: limpet.dev/v1
kind: Device
metadata: { name: ${name}, labels: { unit: ${name} } }
spec:
  model: boiler
  node: gateway-1
  settings: { address: "tcp://127.0.0.1:5020", unit: 1 }
  desired: { setpoint: ${setpoint} }
`;
}
