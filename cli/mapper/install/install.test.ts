import { create } from 'create-limpet-mapper';
import { silentLog } from '@limpet/dmi/testing';
import { answerLines } from '@limpet/dmi/line';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { systemClock } from '../../../runtime/kernel/clock.ts';
import { until } from '../../../runtime/mapper/folder.fixture.ts';
import { readCatalog } from '../../../runtime/mapper/catalog.ts';
import { MapperHost } from '../../../runtime/mapper/host.ts';
import { runLimpet, temporaryFolder } from '../../testing/run-limpet.ts';
import { packArchive, unpackArchive } from '../tar.ts';
import { install, remove } from './install.ts';

type Fields = Record<string, unknown> & { limpet: Record<string, unknown> };

/** A new mapper's folder, and an edge's folder for mappers. */
function places(t: TestContext) {
  const root = temporaryFolder(t);
  const { folder } = create({ name: 'supply', folder: path.join(root, 'supply') });
  const mappers = path.join(root, 'mappers');
  mkdirSync(mappers);
  const change = (edit: (fields: Fields) => void): void => {
    const file = path.join(folder, 'package.json');
    const fields = JSON.parse(readFileSync(file, 'utf8')) as Fields;
    edit(fields);
    writeFileSync(file, JSON.stringify(fields));
  };
  return { root, folder, mappers, change };
}

async function packed(folder: string, out: string): Promise<string> {
  const { code, err } = await runLimpet(['mapper', 'pack', folder, '--out', out]);
  assert.equal(code, 0, err);
  return out;
}

test('packed, installed offline and upgraded while an edge runs it, a mapper reads a device', async (t) => {
  const { root, folder, mappers, change } = places(t);
  const one = await packed(folder, path.join(root, 'one.tgz'));
  change((fields) => {
    fields['version'] = '0.2.0';
    fields.limpet['permissions'] = { network: ['127.0.0.1'] };
  });
  const two = await packed(folder, path.join(root, 'two.tgz'));
  assert.deepEqual(await install(one, mappers), {
    protocol: 'supply',
    version: '0.1.0',
    folder: path.join(mappers, 'supply'),
  });
  const files = readdirSync(path.join(mappers, 'supply'));
  assert.deepEqual(files.toSorted(), ['README.md', 'example.yaml', 'mapper.mjs', 'package.json']);

  const host = await MapperHost.open({
    clock: systemClock,
    log: silentLog(),
    data: path.join(root, 'data'),
    table: {},
    terms: { mapperFolder: mappers },
  });
  t.after(() => host.stop());
  await host.mapper('supply');
  assert.equal(host.status()[0]?.version, '0.1.0');
  assert.equal((await install(two, mappers)).replaced, '0.1.0');
  await until(
    'the upgrade',
    () => host.status()[0]?.version === '0.2.0' && host.status()[0]?.state === 'ready',
  );

  const mapper = await host.mapper('supply');
  const context = {
    device: 'default/one',
    clock: systemClock,
    log: silentLog(),
    dial: () => assert.fail(),
  };
  const signal = AbortSignal.timeout(10_000);
  const address = `tcp://127.0.0.1:${await device(t)}`;
  const connection = await mapper.connect({ address }, context, signal);
  t.after(() => connection.close());
  assert.deepEqual(await connection.read([{ ask: 'VOLT?' }], signal), [{ ok: true, value: 4.5 }]);

  assert.equal((await install(one, mappers)).replaced, '0.2.0', 'a downgrade is allowed');
  assert.equal((await remove('supply', mappers)).version, '0.1.0');
  assert.deepEqual(readdirSync(mappers), []);
});

async function device(t: TestContext): Promise<number> {
  const server = createServer((socket) => answerLines(socket, {}, () => '4.5'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return (server.address() as { port: number }).port;
}

test('what cannot run here is refused, and what is there stays', async (t) => {
  const { root, folder, mappers, change } = places(t);
  const good = await packed(folder, path.join(root, 'good.tgz'));
  await install(good, mappers);
  const files = unpackArchive(readFileSync(good));
  const variant = (
    name: string,
    edit: (fields: Fields) => void,
    source?: string,
    manifest?: string,
  ): string => {
    const changed = files.map(({ name: file, bytes }) => {
      if (file === 'mapper.mjs' && source !== undefined)
        return { name: file, bytes: Buffer.from(source) };
      if (file !== 'package.json') return { name: file, bytes };
      if (manifest !== undefined) return { name: file, bytes: Buffer.from(manifest) };
      const fields = JSON.parse(bytes.toString()) as Fields;
      edit(fields);
      return { name: file, bytes: Buffer.from(JSON.stringify(fields)) };
    });
    const place = path.join(root, name);
    writeFileSync(place, packArchive(changed));
    return place;
  };
  const none = (): void => undefined;
  const cases: readonly [string, RegExp][] = [
    [
      variant('manifest.tgz', ({ limpet }) => void (limpet['protocol'] = 'No Such')),
      /limpet\.protocol/,
    ],
    [
      variant('node.tgz', (fields) => void (fields['engines'] = { node: '>=99' })),
      /needs Node >=99/,
    ],
    [variant('range.tgz', (fields) => void (fields['engines'] = { node: '22.x' })), /must be like/],
    [
      variant('yaml.tgz', none, undefined, 'version: 1.0.0\nlimpet: { protocol: supply }\n'),
      /is no JSON/,
    ],
    [variant('throws.tgz', none, 'throw new Error("not today")'), /not today/],
    [
      variant('shape.tgz', none, 'export default { protocol: "supply" }'),
      /"connect" must be a function/,
    ],
    [variant('reach.tgz', none, 'import "node:child_process"'), /may not use node:child_process/],
  ];
  for (const [file, why] of cases) {
    await assert.rejects(install(file, mappers), { code: 'INSTALL_REFUSED', message: why });
    assert.deepEqual(readdirSync(mappers), ['supply']);
  }
  change((fields) => void (fields.limpet['memory'] = '40Mi'));
  const large = await packed(folder, path.join(root, 'large.tgz'));
  const config = path.join(root, 'limpet.yaml');
  writeFileSync(
    config,
    'node: a\ndata: data\nmapperFolder: mappers\nmemory: { ceiling: 80Mi, core: 48Mi }\n',
  );
  await assert.rejects(install(large, config), /asks for 40Mi .* leaves 32Mi/);
  assert.equal(
    (await install(good, root)).replaced,
    '0.1.0',
    'the folder of limpet.yaml names it as well',
  );
  writeFileSync(config, 'node: a\ndata: data\nmapperFolder: mappers\ndisk: { ceiling: 200Mi }\n');
  assert.match((await install(good, config)).warning ?? '', /scratch of supply[^]*at least 208Mi/);
  await assert.rejects(remove('plug', config), /holds no mapper "plug"; there: supply/);
  writeFileSync(config, 'node: a\ndata: data\n');
  await assert.rejects(install(good, config), {
    code: 'CONFIG_INVALID',
    message: /add "mapperFolder/,
  });
  const missing = await runLimpet([
    'mapper',
    'install',
    '/nowhere.tgz',
    '--edge',
    mappers,
    '--json',
  ]);
  assert.equal(missing.code, 1);
  assert.match(missing.err, /FILE_UNREADABLE/);
  await assert.rejects(install(good, '.'), { code: 'EDGE_MISSING', message: /say --edge/ });
  // Of a folder with anything else in it no edge makes mappers.
  await assert.rejects(install(good, folder), { code: 'EDGE_MISSING', message: /nor any mapper/ });
});

test('a power cut between the two renames loses no mapper', async (t) => {
  const { root, folder, mappers } = places(t);
  const file = await packed(folder, path.join(root, 'one.tgz'));
  await install(file, mappers);
  renameSync(path.join(mappers, 'supply'), path.join(mappers, '.supply.old'));
  await assert.rejects(install(path.join(root, 'no.tgz'), mappers));
  const catalog = await readCatalog({ mapperFolder: mappers }, {});
  assert.deepEqual([...catalog.entries.keys()], ['supply'], 'the edge runs it meanwhile');
  await install(file, mappers);
  assert.deepEqual(readdirSync(mappers), ['supply']);
  renameSync(path.join(mappers, 'supply'), path.join(mappers, '.supply.old'));
  await remove('supply', mappers);
  assert.deepEqual(readdirSync(mappers), []);
});

test('of two at once one is told to wait, and what was killed on the way holds up nobody', async (t) => {
  const { root, folder, mappers } = places(t);
  const file = await packed(folder, path.join(root, 'one.tgz'));
  const both = await Promise.allSettled([install(file, mappers), install(file, mappers)]);
  const refused = both.filter(({ status }) => status === 'rejected') as PromiseRejectedResult[];
  assert.deepEqual(
    refused.map(({ reason }) => (reason as { code: string }).code),
    ['INSTALL_BUSY'],
  );
  const lock = JSON.stringify(path.join(import.meta.dirname, 'lock.ts'));
  const endless = `await alone(${JSON.stringify(mappers)}, () => new Promise(() => console.log('in')));`;
  const program = `import { alone } from ${lock}; ${endless}`;
  const flags = ['--conditions=source', '--input-type=module', '-e', program];
  const other = spawn(process.execPath, flags, { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => void other.kill('SIGKILL'));
  await once(other.stdout, 'data');
  await assert.rejects(remove('supply', mappers), { code: 'INSTALL_BUSY' });
  other.kill('SIGKILL');
  await once(other, 'exit');
  await install(file, mappers);
  assert.deepEqual(readdirSync(mappers), ['supply']);
});

test('what calls itself as a mapper of ours is installed only where limpet.yaml says so', async (t) => {
  const { root, folder, mappers, change } = places(t);
  const config = path.join(root, 'limpet.yaml');
  writeFileSync(config, 'node: a\ndata: data\nmapperFolder: mappers\n');
  const ours = readdirSync(path.join(import.meta.dirname, '../../../mappers'), {
    withFileTypes: true,
  });
  for (const { name } of ours.filter((each) => each.isDirectory())) {
    change(({ limpet }) => void (limpet['protocol'] = name));
    const { code, err } = await runLimpet([
      'mapper',
      'pack',
      folder,
      '--out',
      `${root}/${name}.tgz`,
    ]);
    assert.equal(code, 0, err);
    await assert.rejects(install(path.join(root, `${name}.tgz`), config), {
      code: 'INSTALL_REFUSED',
      message: /Limpet comes with .*mappers: \{/,
    });
  }
  assert.deepEqual(readdirSync(mappers), []);
});

test('native add-ons are refused when packing, with what to do instead', async (t) => {
  const { root, folder } = places(t);
  const library = path.join(folder, 'node_modules/native');
  mkdirSync(library, { recursive: true });
  writeFileSync(path.join(library, 'package.json'), '{"name":"native","main":"index.js"}');
  writeFileSync(path.join(library, 'index.js'), "module.exports = require('./build/native.node');");
  const source = path.join(folder, 'supply.ts');
  writeFileSync(source, `import 'native';\n${readFileSync(source, 'utf8')}`);
  const out = path.join(root, 'x.tgz');
  const { code, err } = await runLimpet(['mapper', 'pack', folder, '--out', out]);
  assert.equal(code, 1);
  assert.match(err, /native add-on.*context\.dial/s);
  assert.ok(!existsSync(out));
});
