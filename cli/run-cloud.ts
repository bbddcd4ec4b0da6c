/** `limpet cloud`: runs the cloud service until told to stop. */
import process from 'node:process';
import { Misconfigured } from '@limpet/dmi';
import { type CloudService, startCloud } from '../cloud/service/main.ts';
import { StoreUnusable } from '../cloud/service/store/errors.ts';
import { systemClock } from '../runtime/kernel/clock.ts';
import { createLog } from '../runtime/kernel/log.ts';
import { CliError } from './cli-error.ts';
import { processOutput } from './output.ts';
import { aborted, stopSignal } from './stop.ts';
import type { CloudOptions } from './verbs/cloud.ts';

/** Tells where it listens in the first line of standard output; the log goes to standard error. */
export async function runCloud({ json, ...settings }: CloudOptions): Promise<number> {
  const output = processOutput(json === true);
  const { signal } = stopSignal();
  const log = createLog({ out: process.stderr, clock: systemClock });
  const cloud = await start({ ...settings, log }, settings.listen);
  if (output.json) output.printJson({ listening: cloud.url });
  else output.print(`Limpet cloud: API at ${cloud.url}/apis/limpet.dev/v1, hub at ${hubOf(cloud)}`);
  const lost = await Promise.race([aborted(signal), cloud.lost]);
  await cloud.close();
  if (lost) throw new CliError(1, lost.code, lost.message, { cause: lost });
  return 0;
}

async function start(
  options: Parameters<typeof startCloud>[0],
  listen: string,
): Promise<CloudService> {
  try {
    return await startCloud(options);
  } catch (error) {
    if (error instanceof Misconfigured) {
      throw new CliError(78, error.code, error.message, { cause: error });
    }
    if (error instanceof StoreUnusable) {
      throw new CliError(error.exit, error.code, error.message, { cause: error });
    }
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EADDRINUSE' && code !== 'EACCES' && code !== 'EADDRNOTAVAIL') throw error;
    throw new CliError(
      1,
      code,
      `cannot listen on ${listen} (${code}): choose another address with --listen, or end what holds it.`,
      { cause: error },
    );
  }
}

function hubOf({ url }: CloudService): string {
  return `${url.replace(/^http/, 'ws')}/hub`;
}
