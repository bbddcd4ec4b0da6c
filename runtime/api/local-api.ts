/** The edge's own API on a unix socket: whoever may open the data folder may ask. */
import { chmodSync, lstatSync, unlinkSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { connect } from 'node:net';
import { type Clock, type Log, Misconfigured } from '@limpet/dmi';
import { ApiFront, type Backend, type FrontOptions, SERVER_OPTIONS } from '#protocol/api';

export interface LocalApiOptions {
  /** `<data>/limpet.sock`. */
  readonly path: string;
  readonly backend: Backend;
  /** Limpet's own version. */
  readonly version: string;
  readonly clock: Clock;
  readonly log: Log;
  /** What `/metrics` answers. */
  readonly metrics?: FrontOptions['metrics'];
}

/** What the kernel takes as a socket's path, its final zero aside. */
const LONGEST_PATH_BYTES = 107;
const MOST_CONNECTIONS = 64;
const LIMITS = { requests: 32, watches: 32, unreadBytes: 4 * 1024 * 1024 };

export class LocalApi {
  readonly #server: Server;
  readonly #front: ApiFront;

  private constructor(server: Server, front: ApiFront) {
    this.#server = server;
    this.#front = front;
  }

  /** @throws Misconfigured SOCKET_PATH_TOO_LONG, SOCKET_PATH_TAKEN, EDGE_RUNNING; the system's error when it refuses. */
  static async start({ path, metrics, ...rest }: LocalApiOptions): Promise<LocalApi> {
    if (Buffer.byteLength(path) > LONGEST_PATH_BYTES) {
      throw new Misconfigured(
        'SOCKET_PATH_TOO_LONG',
        `${path}: a unix socket's path has at most ${LONGEST_PATH_BYTES} bytes: choose a shorter data folder`,
      );
    }
    await clear(path);
    const front = new ApiFront({ ...rest, ...(metrics && { metrics }), limits: LIMITS });
    const server = createServer(SERVER_OPTIONS);
    server.maxConnections = MOST_CONNECTIONS;
    front.attach(server);
    await listenPrivately(server, path);
    return new LocalApi(server, front);
  }

  /** Ends watches, cuts what is open, removes the socket. */
  async close(): Promise<void> {
    this.#front.close();
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }
}

/** Removes the socket that a killed edge left behind; never one that answers, never another file. */
async function clear(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) {
    throw new Misconfigured(
      'SOCKET_PATH_TAKEN',
      `${path} is not a socket: move it away, or choose another data folder`,
    );
  }
  if (await answers(path)) {
    throw new Misconfigured(
      'EDGE_RUNNING',
      `another edge runs on this data folder (it answers on ${path}): stop it, or choose another folder`,
    );
  }
  unlinkSync(path);
}

/** Also true when it cannot be known: an edge too busy to answer is running. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT');
    });
  });
}

function listenPrivately(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    // The socket is made within this call: at no moment may others open it.
    const umask = process.umask(0o177);
    try {
      server.listen(path, () => {
        server.off('error', reject);
        chmodSync(path, 0o600);
        resolve();
      });
    } finally {
      process.umask(umask);
    }
  });
}
