/** For the tests of this folder: a mapper as the bundle has it, and what of its libraries went along. */
import { type Mapper } from '@limpet/dmi';
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type TestContext } from 'node:test';
import { pathToFileURL } from 'node:url';
import { build, type Plugin } from 'esbuild';

interface BundledMapper {
  readonly mapper: Mapper<unknown, unknown>;
  /** Files of which more than a stub is in it. */
  readonly carried: readonly string[];
  /** What the mapper makes of settings or a visitor, as a manifest has them. */
  readonly parse: (part: 'settings' | 'visitor', value: unknown) => Promise<unknown>;
}

const STUB_BYTES = 300;

export async function bundledMapper(
  t: TestContext,
  protocol: string,
  plugin: Plugin,
): Promise<BundledMapper> {
  const outdir = mkdtempSync(path.join(tmpdir(), `limpet-${protocol}-`));
  t.after(() => rmSync(outdir, { recursive: true, force: true }));
  const { metafile } = await build({
    absWorkingDir: path.resolve(import.meta.dirname, '..'),
    entryPoints: { mapper: `mappers/${protocol}/mapper.ts` },
    outdir,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    conditions: ['source'],
    metafile: true,
    alias: { debug: './cross-build/no-debug.cjs', 'readable-stream': 'node:stream' },
    plugins: [plugin],
    banner: {
      js: "const require=process.getBuiltinModule('module').createRequire(import.meta.url);",
    },
  });
  const inputs = Object.values(metafile.outputs).flatMap((each) => Object.entries(each.inputs));
  const { default: mapper } = (await import(
    pathToFileURL(path.join(outdir, 'mapper.mjs')).href
  )) as { default: Mapper<unknown, unknown> };
  return {
    mapper,
    carried: inputs.flatMap(([file, { bytesInOutput }]) =>
      bytesInOutput > STUB_BYTES ? file : [],
    ),
    async parse(part, value) {
      const result = await mapper[part]['~standard'].validate(value);
      return result.issues === undefined ? result.value : assert.fail('refused');
    },
  };
}
