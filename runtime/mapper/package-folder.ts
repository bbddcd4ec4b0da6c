/** One mapper's package on disk: its manifest, and the file that Node would load. */
import { formatFaults } from '@limpet/dmi/manifest';
import { readFile, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { type MapperPackage, readPackage } from './manifest.ts';

export interface PackageFolder {
  /** Without links. */
  readonly folder: string;
  readonly package: MapperPackage;
  /** URL of its module. */
  readonly module: string;
}

/** `name`: what can be said of its name although it is wrong. */
export type ReadFolder =
  | { readonly kind: 'good'; readonly value: PackageFolder }
  | { readonly kind: 'wrong'; readonly name: string; readonly fault: string }
  /** No package of a mapper: nothing to say about it. */
  | { readonly kind: 'other' };

const MAX_BYTES = 262_144;

export async function readPackageFolder(given: string): Promise<ReadFolder> {
  const file = path.join(given, 'package.json');
  let [source, folder] = ['', ''];
  try {
    if ((await stat(file)).size > MAX_BYTES) {
      return wrong(given, `${file} is larger than ${MAX_BYTES} bytes`);
    }
    source = await readFile(file, 'utf8');
    folder = await realpath(given);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // Half a folder, or none: another look follows when it changes.
    if (code === 'ENOENT' || code === 'ENOTDIR') return { kind: 'other' };
    return wrong(given, `${file} cannot be read (${code}): check who may read it`);
  }
  let fields: Fields;
  try {
    fields = plainFields(source);
  } catch (error) {
    return wrong(given, `${file} is not JSON: ${(error as SyntaxError).message}`);
  }
  if (fields['limpet'] === undefined) return { kind: 'other' };
  const read = readPackage(source, file);
  if (!read.ok) return wrong(given, formatFaults(read.faults), fields);
  const entry = await entryOf(folder, fields);
  if (entry === undefined) {
    const fault = `${file}: "exports" or "main" must name a file of its own that is there, such as "./mapper.js"`;
    return wrong(given, fault, fields);
  }
  if (/[*\n]/.test(folder)) return wrong(given, `the path ${folder} must not contain "*"`, fields);
  return {
    kind: 'good',
    value: { folder, package: read.value, module: pathToFileURL(entry).href },
  };
}

type Fields = Readonly<Record<string, unknown>>;

function wrong(folder: string, fault: string, fields: Fields = {}): ReadFolder {
  const { protocol } = (fields['limpet'] ?? {}) as { protocol?: unknown };
  const named = typeof protocol === 'string' && /^[a-z][a-z0-9-]{0,31}$/.test(protocol);
  return { kind: 'wrong', name: named ? protocol : path.basename(folder), fault };
}

/** @throws SyntaxError: Node takes nothing else than JSON, though much of it would pass as YAML */
function plainFields(source: string): Fields {
  const parsed: unknown = JSON.parse(source);
  return typeof parsed === 'object' && parsed !== null ? (parsed as Fields) : {};
}

async function entryOf(folder: string, fields: Fields): Promise<string | undefined> {
  const named = exported(fields['exports']) ?? fields['main'] ?? 'index.js';
  if (typeof named !== 'string') return undefined;
  const entry = path.resolve(folder, named);
  try {
    const real = await realpath(entry);
    const own = real.startsWith(`${folder}${path.sep}`) && (await stat(real)).isFile();
    return own ? entry : undefined;
  } catch {
    return undefined;
  }
}

/** As Node reads `exports`: the first condition that holds. */
function exported(exports: unknown): unknown {
  if (typeof exports !== 'object' || exports === null) return exports;
  const fields = exports as Fields;
  if (Object.hasOwn(fields, '.')) return exported(fields['.']);
  const sources = process.execArgv.includes('--conditions=source');
  const holding = ['node', 'import', 'default', ...(sources ? ['source'] : [])];
  const first = Object.keys(fields).find((condition) => holding.includes(condition));
  return first === undefined ? undefined : exported(fields[first]);
}
