/** Standing queries over WebSocket: one text frame of JSON per event, nothing the other way. */
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Clock, Log } from '@limpet/dmi';
import { type WebSocket, WebSocketServer } from 'ws';
import {
  ApiError,
  QUERY_PATH,
  type StandingDoor,
  type StandingEvent,
  type StandingReader,
  standingAsked,
} from '#protocol/api';
import { refuseUpgrade } from '../hub/refuse-upgrade.ts';

export interface StandingSocketsOptions {
  readonly door: StandingDoor;
  readonly clock: Pick<Clock, 'after'>;
  readonly log: Log;
  /** Whether an upgrade request may come in. Without it, nobody is asked for a token. */
  readonly authorized?: ((request: IncomingMessage) => boolean) | undefined;
  /** A reader that takes nothing for this long is cut off. Default 60 s. */
  readonly stallMs?: number;
  /** How often a reader is asked for a sign of life. Default 30 s. */
  readonly pingMs?: number;
}

const STALL_MS = 60_000;
const PING_MS = 30_000;
/** For the closing handshake. */
const CLOSE_MS = 2_000;
/** Policy violation: not to be tried again as it is; and try again later. */
const CLOSE = { refused: 1008, later: 1013, unexpected: 1003, done: 1000 } as const;

export class StandingSockets {
  readonly #options: StandingSocketsOptions;
  readonly #server = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: 1024,
    clientTracking: false,
  });

  constructor(options: StandingSocketsOptions) {
    this.#options = options;
  }

  /** Whether this upgrade is for a standing query. */
  takes({ url = '/' }: IncomingMessage): boolean {
    return url.split('?', 1)[0] === QUERY_PATH;
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    // Until ws takes over, an error of the socket would have nobody to hear it and end the process.
    const onError = (): void => void socket.destroy();
    socket.on('error', onError);
    const { authorized } = this.#options;
    if (authorized && !authorized(request)) {
      const message = 'Expected the header Authorization: Bearer TOKEN.';
      refuseUpgrade(socket, { code: 401, message });
      return;
    }
    if (isForeign(request)) {
      const message = 'A page of another place may not read here.';
      refuseUpgrade(socket, { code: 403, message });
      return;
    }
    socket.removeListener('error', onError);
    this.#server.handleUpgrade(request, socket, head, (webSocket) => {
      void this.#serve(webSocket, request.url ?? '');
    });
  }

  /** Never rejects: a browser is not shown why an upgrade was refused, so faults are told as events. */
  async #serve(webSocket: WebSocket, url: string): Promise<void> {
    const { door, log } = this.#options;
    webSocket.on('error', (error) => log.debug('standing query lost', { error: error.message }));
    webSocket.on('message', () => webSocket.close(CLOSE.unexpected, 'nothing is heard here'));
    let reader: StandingReader;
    try {
      reader = await door.stand(standingAsked(url));
    } catch (error) {
      const known = error instanceof ApiError;
      const refused = known ? error : new ApiError('InternalError', 'see the log of the service');
      if (!known) log.error('standing query failed on a bug', { error: String(error) });
      await this.#send(webSocket, [{ type: 'error', status: refused.toStatus() }]);
      this.#close(webSocket, refused.code < 429 ? CLOSE.refused : CLOSE.later);
      return;
    }
    webSocket.on('close', () => reader.close());
    if (webSocket.readyState !== webSocket.OPEN) reader.close();
    this.#beat(webSocket);
    await this.#tell(webSocket, reader);
  }

  async #tell(webSocket: WebSocket, reader: StandingReader): Promise<void> {
    let code: number = CLOSE.done;
    for (;;) {
      const events = await reader.next();
      if (events === undefined || !(await this.#send(webSocket, events))) break;
      const last = events.at(-1);
      if (last?.type === 'error') code = last.status.code < 429 ? CLOSE.refused : CLOSE.later;
    }
    reader.close();
    this.#close(webSocket, code);
  }

  /** Resolves once the reader has taken it; false when it has gone. */
  #send(webSocket: WebSocket, events: readonly StandingEvent[]): Promise<boolean> {
    const { clock, stallMs = STALL_MS } = this.#options;
    return new Promise((resolve) => {
      let left = events.length;
      const cancel = clock.after(stallMs, () => webSocket.terminate());
      const sent = (error?: Error | null): void => {
        left -= 1;
        if (left > 0 && !error) return;
        cancel();
        resolve(!error);
      };
      for (const event of events) webSocket.send(JSON.stringify(event), sent);
    });
  }

  #beat(webSocket: WebSocket): void {
    const { clock, pingMs = PING_MS } = this.#options;
    let heard = true;
    let cancel = (): void => undefined;
    const beat = (): void => {
      if (!heard) webSocket.terminate();
      else webSocket.ping();
      heard = false;
      cancel = clock.after(pingMs, beat);
    };
    webSocket.on('pong', () => (heard = true));
    webSocket.on('close', () => cancel());
    cancel = clock.after(pingMs, beat);
  }

  #close(webSocket: WebSocket, code: number): void {
    if (webSocket.readyState !== webSocket.OPEN) return;
    const cancel = this.#options.clock.after(CLOSE_MS, () => webSocket.terminate());
    webSocket.on('close', cancel);
    webSocket.close(code);
  }
}

/**
 * Browsers say which page asks, and let any page ask: only one that this service has served itself may. Its host cannot be
 * a name that somebody else has pointed here.
 */
function isForeign({ headers }: IncomingMessage): boolean {
  const { origin, host = '' } = headers;
  if (origin === undefined) return false;
  const name = host.replace(/:\d*$/, '').replace(/^\[(.*)\]$/, '$1');
  const own = URL.canParse(origin) && new URL(origin).host === host;
  return !own || (name !== 'localhost' && isIP(name) === 0);
}
