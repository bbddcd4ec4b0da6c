/** The mapper packages installed beside this program: `@limpet/mapper-*` with a `limpet` field in package.json. */
import { type Log } from '@limpet/dmi';
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type MapperEntry, type MapperTable } from './host.ts';

const PACKAGE = /^mapper-[a-z][a-z0-9-]*$/;

/** Looks where Node would look for a package, from `folder` upwards; the nearest copy counts. */
export async function installedMappers(folder: string, log: Log): Promise<MapperTable> {
  const found: Record<string, MapperEntry> = {};
  for (let at = folder; ; at = dirname(at)) {
    const scope = join(at, 'node_modules', '@limpet');
    const names = await readdir(scope).catch(() => []);
    for (const name of names.filter((each) => PACKAGE.test(each))) {
      const entry = await readEntry(scope, name, log);
      if (entry !== undefined) found[entry.protocol] ??= entry;
    }
    if (dirname(at) === at) return found;
  }
}

async function readEntry(
  scope: string,
  name: string,
  log: Log,
): Promise<(MapperEntry & { readonly protocol: string }) | undefined> {
  const path = join(scope, name, 'package.json');
  try {
    const { version, limpet } = JSON.parse(await readFile(path, 'utf8'));
    const protocol: unknown = limpet?.protocol;
    if (typeof version !== 'string' || typeof protocol !== 'string') {
      throw new Error('it needs "version" and "limpet": { "protocol": … }');
    }
    const hosting = limpet.hosting === 'process' ? 'process' : 'inline';
    // The name comes from the folder, so nothing in a manifest can choose what is imported.
    return { protocol, version, hosting, load: () => import(`@limpet/${name}`) };
  } catch (error) {
    log.warn('mapper package left out: its package.json is wrong', { path, error });
    return undefined;
  }
}
