/** A TCP proxy before a simulated device, which can refuse, hang, cut, silence, slow and garble. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { Broken } from './broken.ts';
import type { Harm } from './harm.ts';
import type { Dialling } from './way.ts';
import { Wire } from './wire.ts';

interface Target {
  readonly host: string;
  readonly port: number;
}

export class Proxy {
  readonly wires: Wire[] = [];
  harm: Harm = { kind: 'none' };
  dialling: Dialling = 'answers';
  readonly #server: Server;
  readonly #target: Target;
  /** An address at which nobody listens. */
  readonly #dead: string;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server, target: Target, dead: string) {
    this.#server = server;
    this.#target = target;
    this.#dead = dead;
    server.on('connection', (socket) => this.#accept(socket));
  }

  /** @throws Broken when `target` is no `tcp://HOST:PORT` */
  static async open(target: string): Promise<Proxy> {
    const [, host, port] = /^tcp:\/\/(.+):(\d+)$/.exec(target) ?? [];
    if (host === undefined) {
      throw new Broken(`the simulated device's address must be tcp://HOST:PORT, not "${target}"`);
    }
    const vacant = await listening(createServer());
    const dead = addressOf(vacant);
    vacant.close();
    // A device may still answer after the mapper has said that it will ask no more.
    const server = await listening(createServer({ allowHalfOpen: true }));
    return new Proxy(server, { host: host.replace(/^\[|\]$/g, ''), port: Number(port) }, dead);
  }

  /** Where the mapper reaches the device now. */
  get address(): string {
    return this.dialling === 'refuses' ? this.#dead : addressOf(this.#server);
  }

  sweep(): void {
    this.wires.length = 0;
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.sweep();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #accept(socket: Socket): void {
    this.#keep(socket);
    if (this.dialling === 'refuses') return void socket.resetAndDestroy();
    if (this.dialling === 'hangs') return void socket.resume();
    const down = connect({ ...this.#target, allowHalfOpen: true });
    this.#keep(down);
    this.wires.push(Wire.betweenSockets(socket, down, () => this.harm));
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('error', () => undefined);
    socket.once('close', () => this.#sockets.delete(socket));
  }
}

async function listening(server: Server): Promise<Server> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

function addressOf(server: Server): string {
  return `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
