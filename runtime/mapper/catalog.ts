/**
 * Which mappers this node has: those the bundle carries or that are installed beside it (ours), and those of a folder of
 * the operator's (not ours). Read as a whole; who follows it compares.
 */
import { suggestion } from '@limpet/dmi/manifest';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { countedNames } from './aside.ts';
import { type MapperManifest, type MapperOverride, readPackage, settle } from './manifest.ts';
import { type PackageFolder, readPackageFolder } from './package-folder.ts';

/** A mapper that the bundle carries: what its package.json says, and its module. */
interface CarriedMapper {
  readonly version: string;
  /** The field `limpet` of its package.json. */
  readonly limpet: object;
  readonly load: () => Promise<unknown>;
}

/** By protocol. */
export type MapperTable = Readonly<Record<string, CarriedMapper>>;

/** Of limpet.yaml. */
export interface MapperTerms {
  readonly mapperFolder?: string | undefined;
  /** By protocol; `folder` is absolute. */
  readonly mappers?: Readonly<Record<string, MapperOverride>> | undefined;
}

export interface CatalogEntry {
  readonly version: string;
  readonly manifest: MapperManifest;
  /** Its package; none where the bundle carries it. */
  readonly folder?: string;
  /** URL of its module, for a process to import; none where the bundle carries it. */
  readonly module?: string;
  /** Its module, in this process. */
  readonly load: () => Promise<unknown>;
  /** Not ours: its folder is watched. */
  readonly foreign: boolean;
}

/** One that cannot be used, and why. */
interface BrokenEntry {
  readonly name: string;
  readonly version: string;
  readonly fault: string;
  /** Where a change may mend it. */
  readonly folder?: string;
}

export interface Catalog {
  readonly entries: ReadonlyMap<string, CatalogEntry>;
  readonly broken: readonly BrokenEntry[];
  /** Protocols that limpet.yaml has terms for and that are none here, with what was meant where that can be guessed. */
  readonly absent: readonly { readonly protocol: string; readonly hint?: string }[];
}

interface Draft {
  readonly entries: Map<string, CatalogEntry>;
  readonly broken: BrokenEntry[];
  readonly terms: MapperTerms;
}

const OURS = /^mapper-[a-z][a-z0-9-]*$/;
const MAX_FOLDERS = 100;

/** Without a table the installed packages count. */
export async function readCatalog(
  terms: MapperTerms,
  table: MapperTable | undefined,
): Promise<Catalog> {
  const draft: Draft = { entries: new Map(), broken: [], terms };
  if (table === undefined) await addInstalled(draft, import.meta.dirname);
  else addCarried(draft, table);
  await addForeign(draft);
  const known = [...draft.entries.keys(), ...draft.broken.map(({ name }) => name)];
  const named = Object.keys(terms.mappers ?? {});
  const absent = named
    .filter((protocol) => !known.includes(protocol))
    .map((protocol) => {
      const hint = suggestion(protocol, known).trim();
      return { protocol, ...(hint !== '' && { hint }) };
    });
  return { ...draft, absent };
}

function addCarried({ entries, broken, terms }: Draft, table: MapperTable): void {
  for (const [protocol, { version, limpet, load }] of Object.entries(table)) {
    const read = readPackage(JSON.stringify({ version, limpet }), `mapper ${protocol}`);
    if (!read.ok) {
      const fault = read.faults.map(({ message }) => message).join('; ');
      broken.push({ name: protocol, version, fault });
      continue;
    }
    const manifest = settle(read.value, override(terms, protocol), 'inline');
    entries.set(protocol, { version, manifest, load, foreign: false });
  }
}

/** Looks where Node would look for a package, from `folder` upwards; the nearest copy counts. */
async function addInstalled(draft: Draft, folder: string): Promise<void> {
  for (let at = folder; ; at = path.dirname(at)) {
    const scope = path.join(at, 'node_modules', '@limpet');
    const names = await readdir(scope).catch(() => []);
    for (const name of names.filter((each) => OURS.test(each))) {
      const read = await readPackageFolder(path.join(scope, name));
      if (read.kind === 'wrong') addBroken(draft, read.name, read.fault, path.join(scope, name));
      if (read.kind !== 'good') continue;
      const { protocol } = read.value.package.manifest;
      if (draft.entries.has(protocol)) continue;
      const manifest = settle(read.value.package, override(draft.terms, protocol), 'inline');
      draft.entries.set(protocol, entryOf(read.value, manifest, false));
    }
    if (path.dirname(at) === at) return;
  }
}

/** First those that limpet.yaml names, which may take a name of ours; then the folder's, which may not. */
async function addForeign(draft: Draft): Promise<void> {
  const named = new Map<string, string>();
  for (const [protocol, { folder }] of Object.entries(draft.terms.mappers ?? {})) {
    if (folder === undefined) continue;
    named.set(path.resolve(folder), protocol);
    await addNamed(draft, protocol, folder);
  }
  const { mapperFolder } = draft.terms;
  if (mapperFolder === undefined) return;
  for (const folder of await subfolders(draft, mapperFolder)) {
    if (named.has(path.resolve(folder))) continue;
    const read = await readPackageFolder(folder);
    if (read.kind === 'wrong') addBroken(draft, read.name, read.fault, folder);
    if (read.kind === 'good') addFound(draft, folder, read.value);
  }
}

async function addNamed(draft: Draft, protocol: string, folder: string): Promise<void> {
  const read = await readPackageFolder(folder);
  const fault =
    read.kind === 'other'
      ? `limpet.yaml names ${folder} for it, which holds no mapper's package.json`
      : read.kind === 'wrong'
        ? read.fault
        : speaksOther(read.value, protocol);
  if (fault === undefined && read.kind === 'good') {
    draft.entries.set(protocol, foreignEntry(draft, read.value));
    return;
  }
  // The operator wanted this one: ours must not quietly do in its place.
  draft.entries.delete(protocol);
  draft.broken.push({ name: protocol, version: 'unknown', fault: fault ?? 'it is wrong', folder });
}

function speaksOther(
  { package: { manifest } }: PackageFolder,
  protocol: string,
): string | undefined {
  if (manifest.protocol === protocol) return undefined;
  return `limpet.yaml names its folder for "${protocol}"; its package.json says "${manifest.protocol}"`;
}

function addFound(draft: Draft, folder: string, found: PackageFolder): void {
  const { protocol } = found.package.manifest;
  const taken = draft.entries.get(protocol);
  if (taken === undefined) {
    draft.entries.set(protocol, foreignEntry(draft, found));
    return;
  }
  const whose = taken.foreign
    ? `the mapper in ${taken.folder}`
    : 'the mapper that comes with Limpet';
  const name = path.basename(folder);
  const fault = `${folder} calls itself "${protocol}", which is ${whose}: rename it, or say mappers: { ${protocol}: { folder: … } } in limpet.yaml if it shall take that place`;
  draft.broken.push({ name, version: found.package.version, fault, folder });
}

/** A package's own wish to run inside the core is no permission: only limpet.yaml's is. */
function foreignEntry(draft: Draft, found: PackageFolder): CatalogEntry {
  const { version, manifest } = found.package;
  const own = override(draft.terms, manifest.protocol);
  const apart = { version, manifest: { ...manifest, hosting: 'process' as const } };
  return entryOf(found, settle(apart, own, 'process'), true);
}

function entryOf(
  { folder, module, package: { version } }: PackageFolder,
  manifest: MapperManifest,
  foreign: boolean,
): CatalogEntry {
  return { version, manifest, folder, module, load: () => import(module), foreign };
}

function addBroken(draft: Draft, name: string, fault: string, folder: string): void {
  // A wrong package must not be told as one that works and has the same name.
  const told = draft.entries.has(name) ? path.basename(folder) : name;
  draft.broken.push({ name: told, version: 'unknown', fault, folder });
}

function override({ mappers = {} }: MapperTerms, protocol: string): MapperOverride | undefined {
  return Object.hasOwn(mappers, protocol) ? mappers[protocol] : undefined;
}

async function subfolders({ broken }: Draft, folder: string): Promise<string[]> {
  try {
    const names = countedNames(await readdir(folder));
    const some = names.slice(0, MAX_FOLDERS);
    if (some.length < names.length) {
      const fault = `${folder} holds ${names.length} entries; the first ${MAX_FOLDERS} are looked at`;
      broken.push({ name: path.basename(folder), version: 'unknown', fault });
    }
    return some.map((name) => path.join(folder, name));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const fault = `mapperFolder ${folder} cannot be read (${code}): check that it exists and who may read it`;
    broken.push({ name: path.basename(folder), version: 'unknown', fault });
    return [];
  }
}
