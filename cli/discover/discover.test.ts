/** `limpet discover` as people run it: devices found over real sockets, manifests that `limpet apply` takes unchanged. */
import { silentLog } from '@limpet/dmi/testing';
import { parseManifests } from '@limpet/dmi/manifest';
import { ModbusSimulator } from '@limpet/mapper-modbus/simulator';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { startCloud } from '../../cloud/service/main.ts';
import { systemClock } from '../../runtime/kernel/clock.ts';
import { MapperFolder } from '../../runtime/mapper/folder.fixture.ts';
import { runLimpet, temporaryFolder } from '../testing/run-limpet.ts';

async function meters(t: TestContext): Promise<string> {
  const simulator = new ModbusSimulator(systemClock);
  for (const unit of [1, 4]) simulator.unit(unit).identity = ['Limpets', 'PM-5300', 'V1.2'];
  const server = createServer((socket) => simulator.serve(socket, 'tcp'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return `tcp://127.0.0.1:${(server.address() as { port: number }).port}`;
}

test('meters are found, and apply takes what was written as it is', async (t) => {
  const folder = temporaryFolder(t);
  const [where, file] = [await meters(t), path.join(folder, 'meters.yaml')];
  const look = ['discover', 'modbus', where, '--set', 'units=1-4', 'timeout=100ms'];
  const ran = await runLimpet([...look, '-o', file, '--node', 'gateway-1']);
  assert.equal(ran.code, 0, ran.err);
  assert.match(ran.out, /^pm-5300-1 {2}unit 1, Limpets PM-5300 V1\.2\npm-5300-4 {2}unit 4, /);
  assert.match(ran.out, /2 devices with 0 properties\. Next: limpet apply -f /);
  const cloud = await startCloud({
    data: path.join(folder, 'cloud'),
    listen: '127.0.0.1:0',
    log: silentLog(),
  });
  t.after(() => cloud.close());
  const applied = await runLimpet(['apply', '-f', file, '--cloud', cloud.url]);
  assert.equal(
    applied.out,
    'model default/pm-5300-1 created\ndevice default/pm-5300-1 created\ndevice default/pm-5300-4 created\n',
    applied.err,
  );
  const again = await runLimpet([...look, '-o', file]);
  assert.equal(again.code, 1);
  assert.match(again.err, /meters\.yaml is there already/);
});

const BIG = `
  import { defineMapper, Unreachable } from '@limpet/dmi';
  const check = (value) => typeof value.node === 'string' || typeof value.url === 'string'
    ? { value } : { issues: [{ message: 'expected a node', path: ['node'] }] };
  const schema = { '~standard': { version: 1, vendor: 'test', validate: check } };
  export default defineMapper({
    protocol: 'big', settings: schema, visitor: schema,
    serves: () => undefined,
    connect: async () => { throw new Error('not here'); },
    async *discover({ where, settings }, { log, folder }, signal) {
      const property = (name, more) =>
        ({ name, type: 'float', path: ['Objects', 'Boiler'], visitor: { node: name }, ...more });
      yield {
        name: 'Press Nº 1', about: 'a press\\nof ' + where,
        settings: { url: where, ...settings, ...(folder && { folder }) },
        model: {
          properties: [
            property('Öl temp.', { unit: 'Cel' }),
            property('setpoint', { access: 'readWrite' }),
            property('setpoint', { path: ['Objects', 'Spare'] }),
            property('bad', { type: 'complex' }),
            property('odd', { visitor: { register: 1 } }),
            ...Array.from({ length: 30 }, (_, n) => property('n' + n, { path: ['Objects', 'Row'] })),
          ],
          methods: [{ name: 'start', input: [{ name: 'speed', type: 'int' }], visitor: { node: 'm' } }],
        },
      };
      yield { name: 'nothing' };
      log.warn('half of it is asleep');
      if (settings.then === 'lose') throw new Unreachable('BIG_LOST', 'the press went away');
      if (settings.then === 'hang') await new Promise((resolve) => setTimeout(resolve, 60_000));
    },
  });
`;

function big(t: TestContext): readonly string[] {
  const folder = new MapperFolder(t);
  folder.write('big', BIG);
  return ['discover', 'big', 'big://press', '--folder', path.join(folder.mappers, 'big')];
}

test('a tree is shown and cut, names are made fit, and what the mapper does not take is left out', async (t) => {
  const ran = await runLimpet([...big(t), '-o', '-', '--node', 'gateway-1']);
  assert.equal(ran.code, 0, ran.err);
  assert.match(ran.err, /^press-no-1 {2}a press of big:\/\/press$/m);
  for (const line of [
    '├─ start  method (speed int)',
    '└─ Objects',
    '   ├─ Boiler',
    '   │  ├─ Ol_temp_  float   read   Cel',
    '   │  └─ setpoint  float   write',
    '   ├─ Spare',
    '   │  └─ setpoint-2  float   read',
    '      └─ … 18 more',
    '… 18 of 34 are not shown (--all shows them)',
  ]) {
    assert.ok(ran.err.includes(`${line}\n`), `${line}\n---\n${ran.err}`);
  }
  assert.match(ran.err, /press-no-1: "bad" is left out: "type" must be one of/);
  assert.match(ran.err, /press-no-1: "odd" is left out: .*expected a node/);
  assert.match(ran.err, /left out: it has no name, or does not say what it is/);
  assert.match(ran.err, /half of it is asleep/);
  const { resources, faults } = parseManifests(ran.out, 'big.yaml');
  assert.deepEqual(faults, []);
  const [model, device] = resources.map(({ resource }) => resource);
  assert.ok(model?.kind === 'DeviceModel' && device?.kind === 'Device');
  assert.deepEqual([model.spec.properties.length, model.spec.methods?.length], [33, 1]);
  const { node, settings } = device.spec;
  assert.deepEqual([node, settings], ['gateway-1', { url: 'big://press' }]);
  assert.match(ran.out, /^# Found by limpet discover big, \d{4}-\d\d-\d\d\.\n/);
});

test('a search that ends early keeps what was found, and says why it ended', async (t) => {
  const look = big(t);
  const file = path.join(temporaryFolder(t), 'big.yaml');
  const lost = await runLimpet([...look, '--set', 'then=lose', '--json', '-o', file]);
  assert.equal(lost.code, 1);
  const { error } = JSON.parse(lost.err.trim().split('\n').at(-1) ?? '') as {
    error: { code: string };
  };
  assert.equal(error.code, 'BIG_LOST');
  const [found, written] = lost.out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.deepEqual([found?.['name'], written?.['devices']], ['press-no-1', 1]);
  assert.match(readFileSync(file, 'utf8'), /kind: Device\n/);
  const since = performance.now();
  const late = await runLimpet([...look, '--set', 'then=hang', '--timeout', '1s', '--name', 'big']);
  assert.equal(late.code, 0, late.err);
  assert.ok(performance.now() - since < 30_000, 'it does not wait for a mapper that is deaf');
  assert.match(late.out, /^big {2}a press/);
  assert.match(late.err, /limpet: stopped \(looking\); what was found until then counts\./);
});

test("an edge's configuration names the mapper, the node, and the folder of certificates", async (t) => {
  const folder = new MapperFolder(t);
  folder.write('big', BIG);
  const config = path.join(folder.root, 'limpet.yaml');
  writeFileSync(config, `node: gateway-7\ndata: ${folder.data}\nmapperFolder: ${folder.mappers}\n`);
  const ran = await runLimpet(['discover', 'big', 'big://press', '--config', config, '-o', '-']);
  assert.equal(ran.code, 0, ran.err);
  const { resources } = parseManifests(ran.out, 'big.yaml');
  const device = resources[1]?.resource;
  assert.ok(device?.kind === 'Device');
  assert.equal(device.spec.node, 'gateway-7');
  assert.equal(device.spec.settings['folder'], path.join(folder.data, 'mappers/big'));
});

test('a protocol that nobody speaks here, and wrong words, are said at once', async (t) => {
  const folder = temporaryFolder(t);
  const config = path.join(folder, 'limpet.yaml');
  writeFileSync(config, 'node: 5');
  const cases: readonly [readonly string[], number, RegExp][] = [
    [['modbuss'], 1, /there is no mapper "modbuss" here; .*Did you mean "modbus"\?/],
    [['modbus', '--folder', folder], 1, /MAPPER_BROKEN|holds no mapper/],
    [['modbus'], 1, /say where to look/],
    [['modbus', 'tcp://a', '--set', 'units'], 2, /is not NAME=VALUE/],
    [['modbus', 'tcp://a', '--timeout', '2h'], 2, /--timeout must be/],
    [['modbus', 'tcp://a', '--json', '-o', '-'], 2, /both want standard output/],
    [['modbus', 'tcp://a', '--config', config], 78, /node/],
  ];
  const ran = await Promise.all(cases.map(([words]) => runLimpet(['discover', ...words])));
  for (const [at, [words, code, message]] of cases.entries()) {
    assert.equal(ran[at]?.code, code, `${words.join(' ')}: ${ran[at]?.err}`);
    assert.match(ran[at]?.err ?? '', message);
  }
});
