/** One change of an edge's folder of mappers at a time. */
import { readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import { CliError } from '../../cli-error.ts';

/** Names that begin with a dot hold no mapper. */
const LOCK = '.install.lock';

/** @throws CliError INSTALL_BUSY while another process is at it; one that was killed does not count */
export async function alone<T>(mappers: string, task: () => Promise<T>): Promise<T> {
  const file = path.join(mappers, LOCK);
  const other = await taken(file);
  if (other !== undefined && isAlive(other)) throw busy(mappers, other);
  if (other !== undefined) {
    await rm(file, { force: true });
    if ((await taken(file)) !== undefined) throw busy(mappers, other);
  }
  try {
    return await task();
  } finally {
    await rm(file, { force: true });
  }
}

/** Whose it is, or nobody's but ours from now on. */
async function taken(file: string): Promise<number | undefined> {
  try {
    await writeFile(file, String(process.pid), { flag: 'wx' });
    return undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return Number(await readFile(file, 'utf8').catch(() => '')) || 0;
  }
}

function isAlive(pid: number): boolean {
  try {
    return pid > 0 && process.kill(pid, 0);
  } catch (error) {
    // Somebody else's process may not be signalled, and lives.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function busy(mappers: string, pid: number): CliError {
  const message = `process ${pid} is changing ${mappers}: try again when it has ended.`;
  return new CliError(1, 'INSTALL_BUSY', message);
}
