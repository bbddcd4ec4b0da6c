import assert from 'node:assert/strict';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { type MapperTable, type MapperTerms, readCatalog } from './catalog.ts';
import { MapperFolder, source } from './folder.fixture.ts';
import { readPackageFolder } from './package-folder.ts';

const table: MapperTable = {
  modbus: {
    version: '0.1.0',
    limpet: { protocol: 'modbus' },
    load: () => Promise.reject(new Error('no')),
  },
};

async function read(folder: MapperFolder, mappers: MapperTerms['mappers'] = {}) {
  mkdirSync(folder.mappers, { recursive: true });
  return readCatalog({ mapperFolder: folder.mappers, mappers }, table);
}

test('a mapper of the folder cannot take the name of one that comes with Limpet by itself', async (t) => {
  const folder = new MapperFolder(t);
  folder.write('better', source(), { protocol: 'modbus' });
  const { entries, broken } = await read(folder);
  assert.equal(entries.get('modbus')?.foreign, false);
  assert.equal(broken[0]?.name, 'better');
  assert.match(
    broken[0]?.fault ?? '',
    /"modbus", which is the mapper that comes with Limpet: rename it, or say mappers/,
  );
});

test('limpet.yaml gives the name to a mapper of the operator’s own choice', async (t) => {
  const folder = new MapperFolder(t);
  folder.write('better', source(), { protocol: 'modbus', hosting: 'inline' });
  const chosen = path.join(folder.mappers, 'better');
  const { entries, broken } = await read(folder, { modbus: { folder: chosen, memory: 33e6 } });
  const entry = entries.get('modbus');
  assert.deepEqual([entry?.foreign, entry?.folder, broken.length], [true, chosen, 0]);
  assert.equal(entry?.manifest.memoryBytes, 33e6);
  // Its own wish to run inside the core is no permission; the operator's is.
  assert.equal(entry?.manifest.hosting, 'process');
  const inline = await read(folder, { modbus: { folder: chosen, hosting: 'inline' } });
  assert.equal(inline.entries.get('modbus')?.manifest.hosting, 'inline');
});

test('a chosen mapper that is not there is not quietly replaced by ours', async (t) => {
  const folder = new MapperFolder(t);
  const { entries, broken } = await read(folder, { modbus: { folder: '/nowhere' } });
  assert.equal(entries.size, 0);
  assert.match(broken[0]?.fault ?? '', /names \/nowhere for it/);
  folder.write('other', source());
  const wrong = await read(folder, { modbus: { folder: path.join(folder.mappers, 'other') } });
  assert.match(wrong.broken[0]?.fault ?? '', /for "modbus"; its package\.json says "other"/);
});

test('two mappers of one name: the first counts, the second is told', async (t) => {
  const folder = new MapperFolder(t);
  folder.write('a', source(), { protocol: 'knock' });
  folder.write('b', source(), { protocol: 'knock' });
  const { entries, broken } = await read(folder);
  assert.equal(entries.get('knock')?.folder, path.join(folder.mappers, 'a'));
  assert.match(
    broken[0]?.fault ?? '',
    /b calls itself "knock", which is the mapper in .*a: rename/,
  );
});

test('a wrong package is told by name with all its faults, and other folders are left alone', async (t) => {
  const folder = new MapperFolder(t);
  folder.write('wrong', source(), { memory: 'much', importance: -1 });
  folder.write('gone', source());
  rmSync(path.join(folder.mappers, 'gone/mapper.js'));
  mkdirSync(path.join(folder.mappers, 'docs'));
  mkdirSync(path.join(folder.mappers, 'tool'));
  writeFileSync(path.join(folder.mappers, 'tool/package.json'), '{"name":"tool"}');
  writeFileSync(path.join(folder.mappers, 'README.md'), '');
  const { entries, broken } = await read(folder);
  assert.deepEqual([...entries.keys()], ['modbus']);
  const faults = new Map(broken.map(({ name, fault }) => [name, fault]));
  assert.deepEqual([...faults.keys()], ['gone', 'wrong']);
  assert.match(
    faults.get('wrong') ?? '',
    /package\.json:1:\d+: limpet\.memory: .*\n.*limpet\.importance: /,
  );
  assert.match(faults.get('gone') ?? '', /"exports" or "main" must name a file of its own/);
});

test('a module outside of its package is refused', async (t) => {
  const folder = new MapperFolder(t);
  folder.write('knock', source());
  writeFileSync(path.join(folder.root, 'elsewhere.js'), '');
  const manifest = { version: '1.0.0', main: '../../elsewhere.js', limpet: { protocol: 'knock' } };
  writeFileSync(path.join(folder.mappers, 'knock/package.json'), JSON.stringify(manifest));
  assert.match((await read(folder)).broken[0]?.fault ?? '', /a file of its own/);
});

test('terms for a mapper that is not there, and a folder that is not, are told', async (t) => {
  const folder = new MapperFolder(t);
  const { absent } = await read(folder, { modbos: { importance: 3 }, zebra: { importance: 3 } });
  assert.deepEqual(absent, [
    { protocol: 'modbos', hint: 'Did you mean "modbus"?' },
    { protocol: 'zebra' },
  ]);
  const { broken } = await readCatalog({ mapperFolder: '/nowhere/mappers' }, table);
  assert.match(broken[0]?.fault ?? '', /mapperFolder \/nowhere\/mappers cannot be read \(ENOENT\)/);
});

test('without a table the installed packages count', async () => {
  const { entries, broken } = await readCatalog({}, undefined);
  assert.deepEqual(broken, []);
  const modbus = entries.get('modbus');
  assert.deepEqual([modbus?.foreign, modbus?.manifest.hosting], [false, 'inline']);
  assert.equal(modbus?.manifest.memoryBytes, 20 * 2 ** 20);
});

test('a package that is taken away while it is read is none, and no fault of the node', async (t) => {
  const folder = new MapperFolder(t);
  folder.write('brief', source());
  const [here, away] = ['brief', '.away'].map((name) => path.join(folder.mappers, name));
  const kinds = new Set<string>();
  let moving = true;
  const moved = (async () => {
    for (; moving; await turn()) {
      await rename(here as string, away as string);
      await turn();
      await rename(away as string, here as string);
    }
  })();
  for (let n = 0; n < 300; n++) kinds.add((await readPackageFolder(here as string)).kind);
  moving = false;
  await moved;
  assert.ok(kinds.has('other'), [...kinds].join());
});

test('a package.json that is not JSON is told so, also where it would pass as YAML', async (t) => {
  const folder = new MapperFolder(t);
  folder.write('knock', source());
  const file = path.join(folder.mappers, 'knock/package.json');
  writeFileSync(file, '{ "version": "1.0.0", "limpet": { "protocol": "knock", } }');
  const { broken } = await read(folder);
  assert.match(broken[0]?.fault ?? '', /knock\/package\.json is not JSON: .*double-quoted/);
});
