/** The mapper of a protocol, loaded into this process: an installed one, one of an edge's configuration, or a folder's. */
import type { Mapper } from '@limpet/dmi';
import { suggestion } from '@limpet/dmi/manifest';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { type CatalogEntry, readCatalog } from '../../runtime/mapper/catalog.ts';
import { mapperFaults } from '../../runtime/mapper/shape.ts';
import type { EdgeConfig } from '../../runtime/config.ts';
import { CliError } from '../cli-error.ts';
import { Modules } from '../mapper/modules.ts';

type Terms = Pick<EdgeConfig, 'mapperFolder' | 'mappers'>;

/** @throws CliError MAPPER_UNKNOWN, MAPPER_BROKEN */
export async function findMapper(
  protocol: string,
  { terms, folder }: { terms: Terms | undefined; folder: string | undefined },
): Promise<Mapper<unknown, unknown>> {
  const own = folder === undefined ? {} : { [protocol]: { folder: path.resolve(folder) } };
  const mappers = { ...terms?.mappers, ...own };
  const { entries, broken } = await readCatalog({ ...terms, mappers }, undefined);
  const entry = entries.get(protocol);
  if (entry !== undefined) return load(protocol, () => loadEntry(entry));
  const fault = broken.find(({ name }) => name === protocol)?.fault;
  if (fault !== undefined) throw unusable(protocol, fault);
  const known = [...entries.keys()].toSorted();
  const hint = suggestion(protocol, known);
  const message = `there is no mapper "${protocol}" here; there are ${known.join(', ')}.${hint} Name one that is not installed with --folder, or an edge that has it with --config.`;
  throw new CliError(1, 'MAPPER_UNKNOWN', message);
}

/** As an author's tools do: a package that is not installed brings no DMI. */
async function loadEntry({ foreign, folder, module, load: own }: CatalogEntry): Promise<unknown> {
  if (!foreign || folder === undefined || module === undefined) return own();
  return new Modules(folder).load(fileURLToPath(module));
}

async function load(
  protocol: string,
  from: () => Promise<unknown>,
): Promise<Mapper<unknown, unknown>> {
  let loaded: unknown;
  try {
    loaded = await from();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw unusable(protocol, `it cannot be loaded: ${why}`, error);
  }
  const mapper = (loaded as { default?: unknown } | null)?.default;
  const faults = mapperFaults(mapper, protocol);
  if (faults.length > 0) throw unusable(protocol, faults.join('; '));
  return mapper as Mapper<unknown, unknown>;
}

function unusable(protocol: string, why: string, cause?: unknown): CliError {
  const message = `the mapper "${protocol}" cannot be used: ${why}`;
  return new CliError(1, 'MAPPER_BROKEN', message, { cause });
}
