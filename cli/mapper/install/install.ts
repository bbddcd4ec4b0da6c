/**
 * Puts a packed mapper into an edge's folder, offline and whole or not at all: unpacked beside, tried as the edge runs it,
 * then renamed. An edge that runs notices, and starts the new version beside the old.
 */
import { formatFaults } from '@limpet/dmi/manifest';
import { mkdir, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { asideName, plainName } from '../../../runtime/mapper/aside.ts';
import { type MapperPackage, readPackage } from '../../../runtime/mapper/manifest.ts';
import { engineFits } from '../../bootstrap.mjs';
import { CliError } from '../../cli-error.ts';
import { type ArchiveFile, LIMITS, unpackArchive } from '../tar.ts';
import {
  diskWarning,
  type Edge,
  findEdge,
  type Installed,
  installedIn,
  memoryFault,
  placeFault,
} from './edge.ts';
import { alone } from './lock.ts';
import { tryFolder } from './trial.ts';

export interface InstallResult {
  readonly protocol: string;
  readonly version: string;
  readonly folder: string;
  /** The version that it took the place of. */
  readonly replaced?: string;
  /** What will be amiss later, and what to do about it. */
  readonly warning?: string;
}

/** @throws CliError INSTALL_REFUSED, INSTALL_BUSY, ARCHIVE_INVALID, EDGE_MISSING, CONFIG_INVALID */
export async function install(file: string, where: string): Promise<InstallResult> {
  const edge = await findEdge(where);
  const files = unpackArchive(await archiveOf(file));
  const wanted = checkedPackage(files, file);
  return alone(edge.mappers, () => put(wanted, files, edge));
}

async function put(
  wanted: MapperPackage,
  files: readonly ArchiveFile[],
  edge: Edge,
): Promise<InstallResult> {
  const { protocol } = wanted.manifest;
  const all = await installedIn(edge.mappers);
  const before = all.find((each) => each.protocol === protocol);
  const others = all.filter((each) => each !== before);
  const fault = memoryFault(wanted, others, edge);
  if (fault !== undefined) throw new CliError(1, 'INSTALL_REFUSED', fault);
  const { folder, next, old } = places(edge.mappers, before?.folder ?? protocol);
  const misplaced = placeFault(protocol, folder, edge);
  if (misplaced !== undefined) throw refused(misplaced);
  await recover(folder, old);
  try {
    await unpackInto(next, files);
    await tryFolder(protocol, next);
    if (existsSync(folder)) await rename(folder, old);
    await rename(next, folder);
    await sync(edge.mappers);
  } finally {
    await rm(next, { recursive: true, force: true });
    await recover(folder, old);
  }
  const replaced = before === undefined ? {} : { replaced: before.version };
  const warning = diskWarning(wanted, others, edge);
  return {
    protocol,
    version: wanted.version,
    folder,
    ...replaced,
    ...(warning !== undefined && { warning }),
  };
}

/** Takes a mapper away by its protocol, also a broken one. @throws CliError MAPPER_MISSING, INSTALL_BUSY */
export async function remove(protocol: string, where: string): Promise<Installed> {
  const { mappers } = await findEdge(where);
  return alone(mappers, () => take(protocol, mappers));
}

async function take(protocol: string, mappers: string): Promise<Installed> {
  const all = await installedIn(mappers);
  const found = all.find((each) => each.protocol === protocol);
  if (found === undefined) {
    const there = all.map((each) => each.protocol).join(', ') || 'none';
    throw new CliError(
      1,
      'MAPPER_MISSING',
      `${mappers} holds no mapper "${protocol}"; there: ${there}`,
    );
  }
  const { folder, next, old } = places(mappers, found.folder);
  await recover(folder, old);
  await rm(next, { recursive: true, force: true });
  // Out of sight in one step, however long the rest takes.
  await rename(folder, next);
  await rm(next, { recursive: true, force: true });
  return { ...found, folder };
}

/** Where a mapper is, and beside it what does not count yet, and what counts until that does. */
function places(mappers: string, folder: string): { folder: string; next: string; old: string } {
  const name = plainName(path.basename(folder));
  const [at, next, old] = [name, `.${name}.new`, asideName(name)].map((each) =>
    path.join(mappers, each),
  ) as [string, string, string];
  return { folder: at, next, old };
}

async function archiveOf(file: string): Promise<Buffer> {
  try {
    const { size } = await stat(file);
    if (size <= LIMITS.bytes) return await readFile(file);
  } catch (error) {
    throw new CliError(1, 'FILE_UNREADABLE', `${file} cannot be read: ${(error as Error).message}`);
  }
  throw new CliError(1, 'ARCHIVE_INVALID', `${file} has more than ${LIMITS.bytes / 2 ** 20} MiB`);
}

/** What the archive says of itself, and whether this Node may run it. @throws CliError */
function checkedPackage(files: readonly ArchiveFile[], file: string): MapperPackage {
  const text = files.find(({ name }) => name === 'package.json')?.bytes.toString();
  const place = `${path.basename(file)}/package.json`;
  if (text === undefined) throw refused(`${place} is missing: limpet mapper pack makes such files`);
  const read = readPackage(text, place);
  if (!read.ok) throw refused(formatFaults(read.faults));
  const range = plainJson(text, place).engines?.node;
  if (range === undefined) return read.value;
  if (typeof range !== 'string' || !/^(\s*(\^|>=)\d+(\.\d+){0,2}\s*(\|\||$))+$/.test(range)) {
    throw refused(`${place}: engines.node must be like "^22.19.0 || >=24"`);
  }
  if (engineFits(process.versions.node, range)) return read.value;
  throw refused(`it needs Node ${range}, and this is ${process.versions.node}`);
}

/** Node takes nothing else, though much of it would pass as YAML. @throws CliError */
function plainJson(text: string, place: string): { readonly engines?: { node?: unknown } } {
  try {
    return JSON.parse(text) as { engines?: { node?: unknown } };
  } catch (error) {
    throw refused(`${place} is no JSON: ${(error as SyntaxError).message}`);
  }
}

async function unpackInto(folder: string, files: readonly ArchiveFile[]): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  for (const { name, bytes } of files) {
    const file = path.join(folder, name);
    await mkdir(path.dirname(file), { recursive: true });
    // On the disk before its name counts: a power cut must not leave half a mapper.
    await writeFile(file, bytes, { flag: 'wx', mode: 0o644, flush: true });
  }
  await sync(folder);
}

async function sync(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** After a power cut between two renames the one before is put back; else what is left of it goes. */
async function recover(folder: string, old: string): Promise<void> {
  if (!existsSync(old)) return;
  if (existsSync(folder)) await rm(old, { recursive: true, force: true });
  else await rename(old, folder);
}

function refused(why: string): CliError {
  return new CliError(1, 'INSTALL_REFUSED', why);
}
