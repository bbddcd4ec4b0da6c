/** Where an edge has its mappers, and what it can give one more. */
import { formatFaults, formatQuantity } from '@limpet/dmi/manifest';
import { existsSync, statSync } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import path from 'node:path';
import { type EdgeConfig, readConfig } from '../../../runtime/config.ts';
import { diskOverbooked, shareDisk } from '../../../runtime/health/disk-share.ts';
import { countedNames } from '../../../runtime/mapper/aside.ts';
import { readPackageFolder } from '../../../runtime/mapper/package-folder.ts';
import { type MapperPackage, settle } from '../../../runtime/mapper/manifest.ts';
import { CliError } from '../../cli-error.ts';

export interface Edge {
  /** Its mapperFolder, which exists. */
  readonly mappers: string;
  /** By protocol: folders that limpet.yaml names, which may take the place of a mapper of ours. */
  readonly named: ReadonlyMap<string, string>;
  /** For mappers in processes, where limpet.yaml says a ceiling. */
  readonly roomBytes?: number;
  /** What limpet.yaml says of the disk and of mappers; absent where only the folder is known. */
  readonly config?: Pick<EdgeConfig, 'disk' | 'mappers'>;
}

export interface Installed {
  readonly folder: string;
  readonly protocol: string;
  readonly version: string;
  readonly memoryBytes: number;
  /** As its package.json says it; none of one that is broken. */
  readonly package?: MapperPackage;
}

/** Of a mapper whose manifest says none. */
const MEMORY_BYTES = 24 * 2 ** 20;
/** Of a core whose limpet.yaml says none, as it is derived there. */
const CORE_BYTES = 48 * 2 ** 20;
/** Limpet comes with these: what merely calls itself so does not take their place. */
export const OURS: readonly string[] = ['bluetooth', 'modbus', 'mqtt', 'opcua'];

/** By its limpet.yaml, the folder that holds one, or the mapperFolder itself. @throws CliError */
export async function findEdge(where: string): Promise<Edge> {
  const given = path.resolve(where);
  if (!existsSync(given)) throw new CliError(1, 'EDGE_MISSING', `there is no ${given}`);
  const file = statSync(given).isFile() ? given : path.join(given, 'limpet.yaml');
  if (!existsSync(file)) {
    // Whoever named no place stands in any folder at all, where no edge would look.
    if (where !== '.' && (await mayHoldMappers(given))) return { mappers: given, named: new Map() };
    const fault = `there is no limpet.yaml in ${given}, nor any mapper: say --edge with the edge's limpet.yaml, or its mapperFolder`;
    throw new CliError(1, 'EDGE_MISSING', fault);
  }
  const read = readConfig(file);
  if (!read.ok) throw new CliError(78, 'CONFIG_INVALID', formatFaults(read.faults));
  const { mapperFolder, mappers, memory } = read.config;
  if (mapperFolder === undefined) {
    throw new CliError(
      78,
      'CONFIG_INVALID',
      `${file} names no folder for mappers: add "mapperFolder: ./mappers", and restart the edge once`,
    );
  }
  await mkdir(mapperFolder, { recursive: true });
  const { ceiling, core = CORE_BYTES } = memory;
  const named = Object.entries(mappers).flatMap(([protocol, { folder }]) =>
    folder === undefined ? [] : [[protocol, folder] as const],
  );
  return {
    mappers: mapperFolder,
    named: new Map(named),
    config: read.config,
    ...(ceiling !== undefined && { roomBytes: ceiling - core }),
  };
}

/** Empty, or one that holds mappers already: in any other no edge would look. */
async function mayHoldMappers(folder: string): Promise<boolean> {
  const names = await readdir(folder);
  return names.length === 0 || (await installedIn(folder)).length > 0;
}

/** The mappers in a folder, whatever their folders are called. */
export async function installedIn(mappers: string): Promise<readonly Installed[]> {
  const found: Installed[] = [];
  for (const name of countedNames(await readdir(mappers))) {
    const folder = path.join(mappers, name);
    const read = await readPackageFolder(folder);
    if (read.kind === 'good') {
      const { manifest, version } = read.value.package;
      found.push({
        folder,
        protocol: manifest.protocol,
        version,
        memoryBytes: memoryOf(read.value.package),
        package: read.value.package,
      });
    } else if (read.kind === 'wrong') {
      // Broken ones are there too, to be replaced or removed.
      found.push({ folder, protocol: read.name, version: 'unknown', memoryBytes: 0 });
    }
  }
  return found;
}

/** Why the edge would not run it from that folder; `undefined` when it would. */
export function placeFault(protocol: string, folder: string, edge: Edge): string | undefined {
  const named = edge.named.get(protocol);
  if (named === undefined ? !OURS.includes(protocol) : path.resolve(named) === folder)
    return undefined;
  const whose = named === undefined ? 'Limpet comes with a mapper' : `limpet.yaml names ${named}`;
  return `${whose} for "${protocol}": give it another name, or say mappers: { ${protocol}: { folder: ${folder} } } in limpet.yaml`;
}

/** Why a mapper does not fit beside the others; `undefined` when it does. */
export function memoryFault(
  wanted: MapperPackage,
  others: readonly Installed[],
  { roomBytes }: Edge,
): string | undefined {
  if (roomBytes === undefined) return undefined;
  const taken = others.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0);
  const free = roomBytes - taken;
  const own = memoryOf(wanted);
  if (own <= free) return undefined;
  return `it asks for ${formatQuantity(own)} of memory, and limpet.yaml leaves ${formatQuantity(Math.max(0, free))} for one more mapper (memory.ceiling without the core's and the ${others.length} other mappers'): raise the ceiling, or remove a mapper`;
}

/** Why the edge would refuse to start once all its mappers are used; `undefined` when it would not. */
export function diskWarning(
  wanted: MapperPackage,
  others: readonly Installed[],
  { config }: Edge,
): string | undefined {
  if (config === undefined) return undefined;
  const all = [wanted, ...others.flatMap((each) => each.package ?? [])];
  const scratches = all.map((each) => {
    const { protocol } = each.manifest;
    return { protocol, bytes: settle(each, config.mappers[protocol], 'process').diskBytes };
  });
  const fault = diskOverbooked(shareDisk(config.disk, scratches));
  return (
    fault && `once devices use every mapper of this folder the edge will not start again: ${fault}`
  );
}

function memoryOf({ manifest }: MapperPackage): number {
  return manifest.memory ?? MEMORY_BYTES;
}
