/** Tries a mapper's folder as the edge would run it: in a confined process of its own, until it is ready. */
import type { Log } from '@limpet/dmi';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { systemClock } from '../../../runtime/kernel/clock.ts';
import { MapperHost } from '../../../runtime/mapper/host.ts';
import { CliError } from '../../cli-error.ts';

const drop = (): void => undefined;
/** What is wrong is thrown; the rest is nobody's here. */
const QUIET: Log = { debug: drop, info: drop, warn: drop, error: drop, with: () => QUIET };

/** @throws CliError INSTALL_REFUSED with what the edge would say */
export async function tryFolder(protocol: string, folder: string): Promise<void> {
  const data = await mkdtemp(path.join(tmpdir(), 'limpet-install-'));
  const host = await MapperHost.open({
    clock: systemClock,
    log: QUIET,
    data,
    table: {},
    terms: { mappers: { [protocol]: { folder } } },
  });
  try {
    await host.mapper(protocol);
  } catch (error) {
    throw new CliError(1, 'INSTALL_REFUSED', `it does not run here: ${(error as Error).message}`, {
      cause: error,
    });
  } finally {
    await host.stop();
    await rm(data, { recursive: true, force: true });
  }
}
