/** One change of an edge's folder of mappers at a time. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { realpath } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import process from 'node:process';
import { CliError } from '../../cli-error.ts';

/**
 * The name of a socket is the lock: the kernel gives it to one process, and takes it back when that ends, however it ends.
 * A file would outlive a power cut, and the number in it would be another process's then.
 * @throws CliError INSTALL_BUSY while somebody else is at it
 */
export async function alone<T>(mappers: string, task: () => Promise<T>): Promise<T> {
  // Only Linux has names that are no files (unix(7), abstract), and edges run on nothing else.
  if (process.platform !== 'linux') return task();
  const place = createHash('sha256').update(await realpath(mappers));
  const lock = await taken(`\0limpet-install-${place.digest('hex')}`, mappers);
  try {
    return await task();
  } finally {
    lock.close();
  }
}

async function taken(name: string, mappers: string): Promise<Server> {
  const server = createServer().listen(name);
  try {
    await once(server, 'listening');
    return server;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw cause;
    const message = `somebody else is changing ${mappers}: try again when that has ended.`;
    throw new CliError(1, 'INSTALL_BUSY', message, { cause });
  }
}
