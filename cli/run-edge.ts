/** `limpet edge`: reads the configuration, runs the edge until told to stop. */
import process from 'node:process';
import { Misconfigured } from '@limpet/dmi';
import { formatFaults } from '@limpet/dmi/manifest';
import { readConfig } from '../runtime/config.ts';
import { systemClock } from '../runtime/kernel/clock.ts';
import { createLog } from '../runtime/kernel/log.ts';
import type { startEdge as StartEdge } from '../runtime/main.ts';
import { CliError } from './cli-error.ts';
import { aborted, stopSignal } from './stop.ts';
import type { EdgeOptions } from './verbs/edge.ts';

const LINGER_MS = 200;

export async function runEdge(options: EdgeOptions): Promise<number> {
  const read = readConfig(options.config);
  if (!read.ok) throw new CliError(78, 'CONFIG_INVALID', formatFaults(read.faults));
  const log = createLog({ out: process.stderr, clock: systemClock });
  // SIGHUP is left to the edge, which then reads its manifests again.
  const { signal } = stopSignal(['SIGINT', 'SIGTERM']);
  const edge = await start({ config: read.config, log });
  await aborted(signal);
  await edge.close();
  log.info('edge stopped', { node: read.config.node });
  // Everything is on the disk: a socket whose peer is slow to close must not keep the process.
  setTimeout(() => process.exit(0), LINGER_MS).unref();
  return 0;
}

async function start(parts: Parameters<typeof StartEdge>[0]): ReturnType<typeof StartEdge> {
  const { startEdge } = await import('../runtime/main.ts');
  try {
    return await startEdge(parts);
  } catch (error) {
    if (!(error instanceof Misconfigured)) throw error;
    throw new CliError(78, error.code, error.message, { cause: error });
  }
}
