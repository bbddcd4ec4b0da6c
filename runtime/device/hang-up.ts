/**
 * Makes a serial line that hung up say so. A terminal that is gone gives zero bytes to each read, at once; serialport
 * then reads on for ever: a whole core, and 15 MB more memory each second, until somebody writes.
 */
import { read } from 'node:fs';
import { promisify } from 'node:util';

const readBytes = promisify(read);

/** What of serialport's port on Linux and macOS is needed here. */
interface SerialLine {
  readonly fd: number | null;
  readonly poller: { once(event: 'readable', told: (error: Error | null) => void): unknown };
  read: (buffer: Buffer, offset: number, length: number) => Promise<Bytes>;
}

interface Bytes {
  readonly buffer: Buffer;
  readonly bytesRead: number;
}

const LATER: ReadonlySet<unknown> = new Set(['EAGAIN', 'EWOULDBLOCK', 'EINTR']);

/** Has reads of the port fail once the line is gone: serialport closes the port then. */
export function failAtHangUp(port: object | undefined): void {
  if (port === undefined || !isLine(port)) return;
  port.read = async (buffer, offset, length) => {
    for (;;) {
      const bytesRead = await readSome(port, { buffer, offset, length });
      if (bytesRead === 0) throw new Error('the line hung up');
      if (bytesRead !== undefined) return { buffer, bytesRead };
      await readable(port);
    }
  };
}

/** How many bytes came; `undefined`: none yet. */
async function readSome(
  { fd }: SerialLine,
  into: { readonly buffer: Buffer; readonly offset: number; readonly length: number },
): Promise<number | undefined> {
  // serialport takes a canceled read for one that the port's closing ended.
  if (fd === null) throw Object.assign(new Error('the port is closed'), { canceled: true });
  try {
    return (await readBytes(fd, into.buffer, into.offset, into.length, null)).bytesRead;
  } catch (error) {
    if (LATER.has((error as NodeJS.ErrnoException).code)) return undefined;
    throw error;
  }
}

function readable({ fd, poller }: SerialLine): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  // Closed meanwhile, it would never be told.
  if (fd === null) resolve();
  else poller.once('readable', (error) => (error ? reject(error) : resolve()));
  return promise;
}

function isLine(port: object): port is SerialLine {
  return 'fd' in port && 'poller' in port && 'read' in port;
}
