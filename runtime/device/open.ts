/** Opens the byte streams under the ports: TCP by node:net, serial lines by serialport (loaded when first needed). */
import { type DmiError, Unreachable } from '@limpet/dmi';
import { constants } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { type Duplex } from 'node:stream';
import { systemClock } from '../kernel/clock.ts';
import { type Address, type SerialAddress, type TcpAddress, wireKey } from './address.ts';
import { failAtHangUp } from './hang-up.ts';

/** @throws Unreachable; the signal's reason when aborted */
export type Open = (address: Address, signal: AbortSignal) => Promise<Duplex>;

export const openStream: Open = (address, signal) =>
  address.kind === 'tcp' ? openTcp(address, signal) : openSerial(address, signal);

/** What the system said, in our codes, and what to do about it. */
const TCP_FAULTS: Readonly<Record<string, readonly [code: string, advice: string]>> = {
  ECONNREFUSED: [
    'PORT_REFUSED',
    'nothing listens there: check address and port, and that the device is on',
  ],
  EHOSTUNREACH: ['PORT_NO_ROUTE', 'no route to it: check the cable and the network settings'],
  ENETUNREACH: ['PORT_NO_ROUTE', 'no route to it: check the cable and the network settings'],
  ENETDOWN: ['PORT_NO_ROUTE', 'the network is down'],
  ENOTFOUND: ['PORT_NO_NAME', 'the name is not known: check it, or give the IP address'],
  EAI_AGAIN: ['PORT_NO_NAME', 'the name server does not answer: check it, or give the IP address'],
  ETIMEDOUT: ['PORT_TIMEOUT', 'it does not answer: check address, cable and firewall'],
  EMFILE: ['PORT_LIMIT', 'this process has no file descriptors left: raise its limit (ulimit -n)'],
};

async function openTcp(address: TcpAddress, signal: AbortSignal): Promise<Duplex> {
  const { host, port } = address;
  const socket = connect({
    host,
    port,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: 30_000,
  });
  try {
    await connected(socket, signal);
    return socket;
  } catch (error) {
    socket.destroy();
    throw signal.aborted ? signal.reason : tcpFault(address, error);
  }
}

function connected(socket: Socket, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const abort = (): void => reject(signal.reason);
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort, { once: true });
  socket.once('connect', resolve);
  // Stays after the failure, so that a second error of a dying socket ends no process.
  socket.on('error', reject);
  return promise.finally(() => {
    signal.removeEventListener('abort', abort);
    socket.off('error', reject);
    socket.on('error', () => undefined);
  });
}

function tcpFault(address: TcpAddress, error: unknown): DmiError {
  const [code, advice] = TCP_FAULTS[codeOf(error)] ?? ['PORT_LOST', messageOf(error)];
  return new Unreachable(code, `cannot reach ${wireKey(address)}: ${advice}`, { cause: error });
}

/** It reads into pieces of such a block, by default of 64 KiB, each of which outlives some collections. */
const READ_BYTES = 4096;

async function openSerial(address: SerialAddress, signal: AbortSignal): Promise<Duplex> {
  await checkSerial(address.path);
  // CommonJS: in a chunk of the bundle it has no named exports.
  const { SerialPort } = (await import('serialport')).default;
  signal.throwIfAborted();
  const { path, baud, parity, dataBits, stopBits } = address;
  const line = { path, baudRate: baud, parity, dataBits, stopBits };
  const port = new SerialPort({ ...line, lock: true, autoOpen: false, highWaterMark: READ_BYTES });
  // Its own `destroy` keeps the descriptor and the lock: nobody could open the line again.
  port._destroy = (error, done) => {
    if (port.isOpen) port.close((failed) => done(error ?? failed));
    else done(error);
  };
  try {
    await opened((told) => port.open(told), signal);
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    const message = `cannot open serial path ${path}: ${messageOf(error)}; is another program using it?`;
    throw new Unreachable('PORT_OPEN', message, { cause: error });
  }
  failAtHangUp(port.port);
  if (signal.aborted) {
    port.destroy();
    throw signal.reason;
  }
  return port;
}

/**
 * A process that gives the line up, as a mapper that a new version replaces, closes it in these moments: so long a line in
 * use is asked for again. serialport has no code for it.
 */
const HANDOVER_MS = 2_000;
const AGAIN_MS = 20;
const IN_USE = /cannot lock port|resource busy/i;

async function opened(
  open: (told: (error: Error | null) => void) => void,
  signal: AbortSignal,
): Promise<void> {
  const end = systemClock.monotonic() + HANDOVER_MS;
  for (;;) {
    const error = await new Promise<Error | null>(open);
    if (!error) return;
    if (signal.aborted || !IN_USE.test(error.message) || systemClock.monotonic() > end) throw error;
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
}

/** Says beforehand, and better than the driver would, why a path cannot be opened. All of it can pass: a device is plugged in, udev sets rights a moment later. */
async function checkSerial(path: string): Promise<void> {
  const { access, stat } = await files();
  const found = await stat(path).catch((error: unknown) => codeOf(error));
  if (typeof found === 'string') {
    const present = await presentPaths();
    throw new Unreachable(
      'PORT_NOT_FOUND',
      `serial path ${path} does not exist (${found}); present: ${present.join(', ') || 'none'}`,
    );
  }
  if (!found.isCharacterDevice()) {
    throw new Unreachable(
      'PORT_NOT_SERIAL',
      `${path} is not a serial line: give a device such as /dev/ttyUSB0`,
    );
  }
  try {
    await access(path, constants.R_OK | constants.W_OK);
  } catch (error) {
    const group = await groupName(found.gid);
    const advice = `add the user of this process to the group ${group} and start it again`;
    throw new Unreachable('PORT_PERMISSION', `no permission for ${path}: ${advice}`, {
      cause: error,
    });
  }
}

const MAX_PRESENT = 12;

/** Read from /dev itself: `SerialPort.list()` starts udevadm, and fails unhandled where there is none. */
async function presentPaths(): Promise<string[]> {
  const { readdir } = await files();
  const inFolder = async (folder: string, pattern: RegExp): Promise<string[]> => {
    const names = await readdir(folder).catch(() => []);
    return names.filter((name) => pattern.test(name)).map((name) => `${folder}/${name}`);
  };
  const named = await inFolder('/dev/serial/by-id', /./);
  const plugged = await inFolder('/dev', /^tty(USB|ACM|AMA|mxc|O)\d+$/);
  const builtIn = await inFolder('/dev', /^ttyS\d+$/);
  return [...named, ...plugged.toSorted(), ...builtIn.toSorted()].slice(0, MAX_PRESENT);
}

/** Loaded for serial lines only: 0.3 MiB in the process of a mapper. */
const files = () => import('node:fs/promises');

async function groupName(gid: number): Promise<string> {
  const { readFile } = await files();
  const groups = await readFile('/etc/group', 'utf8').catch(() => '');
  const line = groups.split('\n').find((each) => each.split(':')[2] === String(gid));
  return line?.split(':')[0] ?? String(gid);
}

function codeOf(error: unknown): string {
  // Node tries the addresses of a name in turn; the first one's failure stands for all.
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error;
  const code = (first as { code?: unknown } | undefined)?.code;
  return typeof code === 'string' ? code : 'unknown';
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
