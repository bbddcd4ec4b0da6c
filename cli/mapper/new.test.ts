import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { test } from 'node:test';
import { runLimpet, temporaryFolder } from '../testing/run-limpet.ts';

const environment = { PATH: process.env['PATH'], HOME: process.env['HOME'] };

for (const kind of ['line', 'http', 'bytes'] as const) {
  test(`a new ${kind} mapper is at most 60 lines, compiles and is tested, without npm`, async (t) => {
    const folder = path.join(temporaryFolder(t), 'supply');
    const ran = await runLimpet([
      'mapper',
      'new',
      'supply',
      `--${kind}`,
      '--dir',
      folder,
      '--json',
    ]);
    assert.equal(ran.code, 0, ran.err);
    const { files } = JSON.parse(ran.out) as { files: string[] };
    for (const file of [
      'supply.ts',
      'supply.test.ts',
      'subject.ts',
      'example.yaml',
      'package.json',
      'README.md',
    ]) {
      assert.ok(files.includes(file), file);
    }
    const source = readFileSync(path.join(folder, 'supply.ts'), 'utf8');
    assert.ok(source.split('\n').length <= 60);
    assert.doesNotMatch(
      files.map((file) => readFileSync(path.join(folder, file), 'utf8')).join(),
      /template-/,
    );
    // The conditions of this checkout are not those of whoever made the folder.
    const options = { cwd: folder, env: environment, encoding: 'utf8' } as const;
    execFileSync(path.join(folder, 'node_modules/.bin/tsc'), options);
    // The templates' own tests try every promise; here it is enough that the folder can.
    const some = ['--test', '--test-reporter=tap', '--test-name-pattern=DMI-(101|201|204)'];
    const tested = spawnSync(process.execPath, some, options);
    assert.equal(tested.status, 0, tested.stdout);
    assert.match(tested.stdout, /# fail 0/);
    assert.match(tested.stdout, /ok \d+ - DMI-204[^#]*\n/);
  });
}

test('a name that a mapper of ours has is possible, and comes with a warning', async (t) => {
  const folder = temporaryFolder(t);
  const ran = await runLimpet(['mapper', 'new', 'modbus', '--dir', path.join(folder, 'own')]);
  assert.equal(ran.code, 0, ran.err);
  assert.match(ran.err, /a mapper "modbus" comes with Limpet: .*mappers: \{ modbus: \{ folder/);
});

test('who mistypes a setting of a new mapper is told which there are', async (t) => {
  for (const kind of ['line', 'http']) {
    const folder = path.join(temporaryFolder(t), kind);
    await runLimpet(['mapper', 'new', 'supply', `--${kind}`, '--dir', folder]);
    const ran = await runLimpet(['mapper', 'dev', folder, '--set', 'adress=tcp://127.0.0.1:9']);
    assert.equal(ran.code, 1);
    assert.match(ran.err, /unknown field "adress"; known are address, timeoutMs/);
  }
});

test('nothing is written over, and a wrong name is said to be wrong', async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(path.join(folder, 'mine'), '');
  const full = await runLimpet(['mapper', 'new', 'supply', '--dir', folder]);
  assert.equal(full.code, 2);
  assert.match(full.err, /is not empty/);
  const taken = await runLimpet(['mapper', 'new', 'subject', '--dir', path.join(folder, 'x')]);
  assert.match(taken.err, /subject.ts is another file/);
  const wrong = await runLimpet(['mapper', 'new', 'My Supply', '--dir', path.join(folder, 'x')]);
  assert.equal(wrong.code, 2);
  assert.match(wrong.err, /lower-case letters/);
  assert.ok(!existsSync(path.join(folder, 'x')));
  const both = await runLimpet(['mapper', 'new', 'a', '--line', '--http']);
  assert.equal(both.code, 2);
});

test('npm create limpet-mapper writes the same from the same templates', (t) => {
  const folder = temporaryFolder(t);
  const bin = path.join(import.meta.dirname, '../../dmi/create/bin.mjs');
  const options = { cwd: folder, env: environment, encoding: 'utf8' } as const;
  const said = execFileSync(process.execPath, [bin, 'plug', '--http'], options);
  assert.match(said, /npm install/);
  const text = readFileSync(path.join(folder, 'limpet-mapper-plug/package.json'), 'utf8');
  const { dependencies, limpet } = JSON.parse(text) as Record<string, Record<string, unknown>>;
  assert.equal(dependencies?.['@limpet/dmi'], '^0.1.0');
  assert.deepEqual(limpet, {
    protocol: 'plug',
    memory: '24Mi',
    permissions: { network: ['*:80'] },
  });
  const twice = spawnSync(process.execPath, [bin, 'plug'], options);
  assert.equal(twice.status, 2);
  assert.match(twice.stderr, /is not empty/);
  assert.equal(spawnSync(process.execPath, [bin, 'a', '--wrong'], options).status, 2);
});
