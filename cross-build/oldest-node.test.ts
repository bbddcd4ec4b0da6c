import packageJson from '../package.json' with { type: 'json' };
import { build } from 'esbuild';
import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';

const root = path.resolve(import.meta.dirname, '..');
/** What `limpet` runs as it is written; tests run on the Node that develops it. */
const SOURCES = '{cli,runtime,cloud,dmi,mappers}/**/*.{ts,mjs}';

test('nothing in the sources needs a newer Node than the oldest that may run them', async () => {
  const oldest = `node${/\d+(\.\d+)*/.exec(packageJson.engines.node)?.[0]}`;
  const exclude = ['**/node_modules', '**/dist', '**/*.test.ts', '**/*.d.mts'];
  const files = globSync(SOURCES, { cwd: root, exclude }).toSorted();
  assert.ok(files.length > 500, `${files.length} files`);
  const as = async (target: string): Promise<readonly string[]> => {
    const { outputFiles } = await build({
      absWorkingDir: root,
      entryPoints: files,
      outdir: 'nowhere',
      write: false,
      target,
      // Of these it only knows which there are, not which Node has them.
      supported: { 'regexp-unicode-property-escapes': true },
    });
    return outputFiles.map(({ text }) => text);
  };
  const [newest, older] = [await as('esnext'), await as(oldest)];
  assert.equal(newest.length, files.length);
  assert.deepEqual(
    files.filter((_, at) => newest[at] !== older[at]),
    [],
  );
});
