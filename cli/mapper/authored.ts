/** A mapper as its author has it: found by a file or a folder, loaded from its sources, with its simulator and example. */
import type { Mapper, Simulator } from '@limpet/dmi';
import { existsSync, readFileSync, realpathSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { readPackageFolder } from '../../runtime/mapper/package-folder.ts';
import { mapperFaults } from '../../runtime/mapper/shape.ts';
import { CliError } from '../cli-error.ts';
import type { Modules } from './modules.ts';

/** Where a mapper is. */
export interface Place {
  /** Its folder, without links. */
  readonly folder: string;
  /** The module that exports it. */
  readonly entry: string;
  /** As its package.json says; none where it has no package. */
  readonly protocol?: string;
}

export interface Authored {
  readonly place: Place;
  readonly mapper: Mapper<unknown, unknown>;
  readonly simulator?: Simulator<unknown, unknown>;
  /** The file of its own that the simulator stands in. */
  readonly simulatorFile?: string;
}

/** By a file, or a folder with a package.json; default this folder. @throws CliError MAPPER_MISSING, MAPPER_BROKEN */
export async function findMapper(where = '.'): Promise<Place> {
  const given = path.resolve(where);
  if (!existsSync(given)) throw new CliError(1, 'MAPPER_MISSING', `there is no ${given}`);
  const real = realpathSync(given);
  if (statSync(real).isFile()) {
    const folder = packageAbove(path.dirname(real)) ?? path.dirname(real);
    const read = await readPackageFolder(folder);
    const protocol = read.kind === 'good' ? read.value.package.manifest.protocol : undefined;
    return { folder, entry: real, ...(protocol !== undefined && { protocol }) };
  }
  const read = await readPackageFolder(real);
  if (read.kind === 'wrong') throw new CliError(1, 'MAPPER_BROKEN', read.fault);
  if (read.kind === 'other') {
    throw new CliError(
      1,
      'MAPPER_MISSING',
      `${real} holds no mapper: name its file, or a folder whose package.json has a field "limpet". "limpet mapper new NAME" makes one.`,
    );
  }
  const { module, folder } = read.value;
  const { protocol } = read.value.package.manifest;
  return { folder, entry: fileURLToPath(module), protocol };
}

/** @throws CliError MAPPER_BROKEN with what Node says, and where */
export async function loadMapper(place: Place, modules: Modules): Promise<Authored> {
  const module = await imported(modules, place.entry);
  const mapper = module['default'] as Mapper<unknown, unknown> | undefined;
  const protocol = place.protocol ?? (mapper as { protocol?: string } | undefined)?.protocol ?? '';
  const faults = mapperFaults(mapper, protocol);
  if (faults.length > 0 || mapper === undefined) {
    throw new CliError(1, 'MAPPER_BROKEN', `${place.entry} is no mapper: ${faults.join('; ')}`);
  }
  const found = await findSimulator(module, place, modules);
  return { place, mapper, ...found };
}

/** The text of the example beside a mapper, or of the file that is named. @throws CliError EXAMPLE_MISSING */
export function exampleText({ folder }: Place, named?: string): { file: string; text: string } {
  const file = path.resolve(named ?? path.join(folder, 'example.yaml'));
  if (existsSync(file)) return { file, text: readFileSync(file, 'utf8') };
  throw new CliError(
    1,
    'EXAMPLE_MISSING',
    `there is no ${file}: write a DeviceModel and a Device of this mapper there, or name another file with --example`,
  );
}

async function findSimulator(
  module: Readonly<Record<string, unknown>>,
  place: Place,
  modules: Modules,
): Promise<Pick<Authored, 'simulator' | 'simulatorFile'>> {
  if (isSimulator(module['simulator'])) return { simulator: module['simulator'] };
  const names = ['ts', 'mts', 'js', 'mjs'].map((end) => `simulator.${end}`);
  const file = names.map((name) => path.join(path.dirname(place.entry), name)).find(existsSync);
  if (file === undefined) return {};
  const beside = await imported(modules, file);
  const { simulator } = beside;
  if (isSimulator(simulator)) return { simulator, simulatorFile: file };
  throw new CliError(1, 'MAPPER_BROKEN', `${file} must export "simulator", of defineSimulator`);
}

function isSimulator(value: unknown): value is Simulator<unknown, unknown> {
  return typeof (value as { simulate?: unknown } | undefined)?.simulate === 'function';
}

async function imported(
  modules: Modules,
  file: string,
): Promise<Readonly<Record<string, unknown>>> {
  try {
    return await modules.load(file);
  } catch (error) {
    const said = error instanceof Error ? (error.stack ?? error.message) : String(error);
    const own = said
      .split('\n')
      .filter((line) => !/^\s+at .*(node:internal|\(node:)/.test(line))
      .slice(0, 8)
      .join('\n')
      .replaceAll(/\?limpet=\d+/g, '');
    throw new CliError(1, 'MAPPER_BROKEN', `${file} cannot be loaded:\n${own}`, { cause: error });
  }
}

function packageAbove(folder: string): string | undefined {
  for (let at = folder; ; at = path.dirname(at)) {
    if (existsSync(path.join(at, 'package.json'))) return at;
    if (path.dirname(at) === at) return undefined;
  }
}
