/** What a mapper author gets from the registry: packed, installed into an empty project, compiled and run. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const here = import.meta.dirname;
const modules = join(here, '..', 'node_modules');
const typescript = fileURLToPath(import.meta.resolve('typescript/package.json'));
const tsc = join(dirname(typescript), 'bin', 'tsc');

const MAPPER = `
import { defineMapper, type Reading, Refused, Unreachable } from '@limpet/dmi';
import { duration, exact } from '@limpet/dmi/manifest';
import { fakeContext, runConformance } from '@limpet/dmi/testing';
import * as v from 'valibot';

const mapper = defineMapper({
  protocol: 'echo',
  settings: exact({ address: v.string() }),
  visitor: exact({ key: v.string() }),
  async connect({ address }, context, signal) {
    const wire = await context.dial(address, signal);
    const lost = new Unreachable('ECHO_LOST', 'gone');
    return {
      async read(visitors): Promise<Reading[]> {
        if (wire.destroyed) throw lost;
        return visitors.map(({ key }) => ({ ok: true, value: key }));
      },
      async write() { throw new Refused('ECHO_READ_ONLY', 'an echo cannot be written'); },
      async close() { wire.end(); },
    };
  },
});
const never = new AbortController().signal;
const connection = await mapper.connect({ address: 'a' }, fakeContext({ wire: () => {} }), never);
const [reading] = await connection.read([{ key: 'hello' }], never);
const item = { visitor: { key: 'x' }, property: { name: 'x', type: 'string', access: 'read' }, reads: '' } as const;
const simulator = { simulate: () => ({ accept: () => {}, get: () => '', set: () => {}, close: () => {} }) };
const results = [];
for await (const each of runConformance(mapper, { simulator, settings: { address: 'a' }, items: [item], faults: 1 })) results.push(each);
console.log(JSON.stringify({ reading, ms: duration('2s'), tried: results.length, first: results[0] }));
`;

test('packed and installed elsewhere, a mapper compiles against it and runs', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'limpet-pack-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  // Packed from a copy, so that the build leaves nothing in the sources.
  const copy = join(folder, 'dmi');
  await cp(here, copy, {
    recursive: true,
    filter: (source) => !/[\\/](dist|node_modules)$/.test(source),
  });
  await cp(join(here, '..', 'tsconfig.json'), join(folder, 'tsconfig.json'));
  await symlink(modules, join(folder, 'node_modules'));
  await run(process.execPath, [tsc, '-p', copy]);
  const packed = await run('npm', ['pack', '--json', '--pack-destination', folder], { cwd: copy });
  const [{ filename, files }] = JSON.parse(packed.stdout) as [
    { filename: string; files: { path: string }[] },
  ];
  const odd = files.filter(
    ({ path }) =>
      !/^(dist\/.*\.(js|d\.ts)|package\.json|README\.md|WRITING-A-MAPPER\.md)$/.test(path),
  );
  assert.deepEqual(odd, []);
  assert.ok(!files.some(({ path }) => /test\.|fixture/.test(path)));

  const project = await mkdtemp(join(tmpdir(), 'limpet-mapper-'));
  t.after(() => rm(project, { recursive: true, force: true }));
  await writeFile(join(project, 'package.json'), '{ "type": "module", "private": true }');
  await writeFile(join(project, 'mapper.ts'), MAPPER);
  // The dependencies come from folders: no registry is asked.
  const local = ['valibot', 'yaml', '@types/node', 'undici-types'].map((name) =>
    join(modules, name),
  );
  const quiet = ['--offline', '--ignore-scripts', '--no-audit', '--no-fund', '--install-links'];
  await run('npm', ['install', ...quiet, join(folder, filename), ...local], { cwd: project });
  const strict = ['--strict', '--module', 'nodenext', '--target', 'es2024', '--types', 'node'];
  await run(process.execPath, [tsc, ...strict, 'mapper.ts'], { cwd: project });
  const { stdout } = await run(process.execPath, ['mapper.js'], { cwd: project });
  const answer = JSON.parse(stdout) as Record<string, unknown>;
  assert.deepEqual(answer['reading'], { ok: true, value: 'hello' });
  assert.equal(answer['ms'], 2000);
  assert.deepEqual(answer['first'], {
    id: 'DMI-001',
    title: 'the protocol is named in lower-case letters, digits and "-"',
    result: 'pass',
  });
  assert.ok(Number(answer['tried']) > 20);
});
