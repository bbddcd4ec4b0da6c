/** Loopback ports for the demo: the usual ones where they are free, else any. */
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';

export interface Picked {
  readonly port: number;
  /** The usual port was taken. */
  readonly other: boolean;
}

export async function pickPort(usual: number): Promise<Picked> {
  const port = await tryPort(usual);
  if (port !== undefined) return { port, other: false };
  const free = await tryPort(0);
  if (free === undefined) throw new Error('no free port on 127.0.0.1');
  return { port: free, other: true };
}

async function tryPort(port: number): Promise<number | undefined> {
  const server = createServer();
  try {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE' || code === 'EACCES') return undefined;
    throw error;
  } finally {
    server.close();
  }
}
