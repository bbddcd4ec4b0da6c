/** `limpet mapper new`: writes a mapper, and makes its folder work without asking a registry. */
import { create, CreateError } from 'create-limpet-mapper';
import { execFile } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';
import { CliError } from '../cli-error.ts';
import { processOutput } from '../output.ts';
import type { NewOptions } from '../verbs/mapper.ts';
import { OURS } from './install/edge.ts';
import { type ArchiveFile, packArchive } from './tar.ts';

const root = path.join(import.meta.dirname, '../..');
const ARCHIVE = 'vendor/limpet-dmi.tgz';
/** What the folder needs beside the DMI, from this checkout. */
const LINKED = ['valibot', 'yaml', 'typescript', '@types/node', 'undici-types'];

export async function runNew(name: string, options: NewOptions): Promise<number> {
  const output = processOutput(options.json === true);
  const kind = options.http ? 'http' : options.bytes ? 'bytes' : 'line';
  // A checkout carries a DMI that no registry has.
  const checkout = existsSync(path.join(root, 'dmi/index.ts'));
  const { folder, files } = written({
    name,
    kind,
    ...(options.dir !== undefined && { folder: options.dir }),
    ...(checkout && { dmi: `file:${ARCHIVE}` }),
  });
  if (checkout) await furnish(folder);
  if (OURS.includes(name)) {
    output.note(
      `limpet: a mapper "${name}" comes with Limpet: an edge takes this one in its place only where limpet.yaml says mappers: { ${name}: { folder: … } }. Another name spares that.`,
    );
  }
  if (output.json) output.printJson({ folder, files });
  else {
    const way = path.relative(process.cwd(), folder) || '.';
    output.print(`${way}: ${files.join(', ')}`);
    output.print(`Next: cd ${way} && ${checkout ? '' : 'npm install && '}npx limpet mapper dev`);
  }
  return 0;
}

function written(mapper: Parameters<typeof create>[0]): ReturnType<typeof create> {
  try {
    return create(mapper);
  } catch (error) {
    if (error instanceof CreateError) throw new CliError(2, 'USAGE', error.message);
    throw error;
  }
}

/** Puts the DMI, compiled, and links to what this checkout has, where npm would put them; `npm install` replaces them. */
async function furnish(folder: string): Promise<void> {
  const modules = path.join(folder, 'node_modules');
  const files = await compiledDmi();
  mkdirSync(path.join(folder, path.dirname(ARCHIVE)), { recursive: true });
  writeFileSync(path.join(folder, ARCHIVE), packArchive(files));
  for (const { name, bytes } of files) {
    const file = path.join(modules, '@limpet/dmi', name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, bytes);
  }
  for (const name of LINKED) link(path.join(root, 'node_modules', name), path.join(modules, name));
  link(path.join(root, 'cli/limpet.mjs'), path.join(modules, '.bin/limpet'));
  link(path.join(root, 'node_modules/.bin/tsc'), path.join(modules, '.bin/tsc'));
}

function link(target: string, place: string): void {
  if (!existsSync(target)) return;
  mkdirSync(path.dirname(place), { recursive: true });
  symlinkSync(target, place);
}

/** The files that npm would publish. */
async function compiledDmi(): Promise<readonly ArchiveFile[]> {
  const tsc = path.join(root, 'node_modules/.bin/tsc');
  const out = mkdtempSync(path.join(tmpdir(), 'limpet-dmi-'));
  try {
    await promisify(execFile)(tsc, ['-p', path.join(root, 'dmi'), '--outDir', out]);
    const names = readdirSync(out, { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.(js|d\.ts)$/.test(name))
      .toSorted();
    const compiled = names.map((name) => ({
      name: `dist/${name.split(path.sep).join('/')}`,
      bytes: readFileSync(path.join(out, name)),
    }));
    const texts = readdirSync(path.join(root, 'dmi')).filter((name) =>
      /\.md$|^package\.json$/.test(name),
    );
    const plain = texts.map((name) => ({
      name,
      bytes: readFileSync(path.join(root, 'dmi', name)),
    }));
    return [...plain, ...compiled];
  } catch (error) {
    throw new CliError(
      1,
      'NEW_INCOMPLETE',
      `@limpet/dmi could not be compiled: ${(error as Error).message}`,
    );
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}
