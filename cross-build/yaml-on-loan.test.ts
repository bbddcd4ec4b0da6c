import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { bundleYaml, yamlOnLoan } from './yaml-on-loan.ts';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');

const PROGRAM = `
import { isMap, LineCounter, parseAllDocuments } from 'yaml';
import { setTimeout } from 'node:timers/promises';
const heap = () => { for (let i = 0; i < 4; i++) gc(); return process.memoryUsage().heapUsed; };
const parse = (text) => {
  const lineCounter = new LineCounter();
  const [document] = parseAllDocuments(text, { lineCounter });
  return { value: document.toJS(), map: isMap(document.contents), lines: lineCounter.lineStarts.length };
};
const before = heap();
const first = parse('a: 1\\nb: [2]\\n');
const during = heap();
await setTimeout(50);
const after = heap();
const second = parse('- x\\n');
console.log(JSON.stringify({ first, second, kept: (after - before) / (during - before) }));
`;

test('the parser does what it does elsewhere, as often as it is asked, and leaves memory when it is done', async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'limpet-yaml-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await bundleYaml(root, folder);
  await writeFile(path.join(folder, 'program.ts'), PROGRAM);
  await build({
    entryPoints: [path.join(folder, 'program.ts')],
    outfile: path.join(folder, 'program.mjs'),
    bundle: true,
    format: 'esm',
    platform: 'node',
    plugins: [yamlOnLoan()],
    banner: {
      js: "const limpetRequire=process.getBuiltinModule('module').createRequire(import.meta.url);",
    },
    logLevel: 'warning',
  });
  const flags = ['--expose-gc', '--no-compilation-cache'];
  const { stdout } = await promisify(execFile)(process.execPath, [
    ...flags,
    path.join(folder, 'program.mjs'),
  ]);
  const { first, second, kept } = JSON.parse(stdout) as Record<string, unknown>;
  assert.deepEqual(first, { value: { a: 1, b: [2] }, map: true, lines: 3 });
  assert.deepEqual(second, { value: ['x'], map: false, lines: 2 });
  assert.ok(Number(kept) < 0.3, `of the parser's memory ${String(kept)} is kept`);
});
