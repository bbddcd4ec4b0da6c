/**
 * One WebSocket to the cloud, with what a long-lived one needs: a limit on the attempt, a heartbeat, bounded
 * frames, and one `closed` whatever way it ends. Its buffers are bounded by the session, which has at most one
 * page in flight.
 */
import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { type Clock, Misconfigured } from '@limpet/dmi';
import { WebSocket } from 'ws';
import { diagnose, diagnoseStatus, type Fault } from './diagnose.ts';

export interface WireEvents {
  opened(): void;
  received(text: string): void;
  /** Exactly once, also when the socket never opened. `retryAfter` in ms, when the server named it. */
  closed(fault: Fault & { readonly retryAfter?: number }): void;
}

export interface Wire {
  send(text: string): void;
  close(): void;
}

/** Opens a wire. May throw when what it needs (a file) is not there: that is an attempt that failed. */
export type Dial = (events: WireEvents) => Wire;

export interface WireOptions {
  readonly url: URL;
  /** File with the authority's certificate (PEM). */
  readonly ca?: string;
  /** File with the bearer token. Both are read at each attempt, so that they can be renewed in place. */
  readonly tokenFile?: string;
  readonly clock: Clock;
}

const ATTEMPT_MS = 15_000;
const HEARTBEAT_MS = 15_000;
/** Heartbeats without a sign of life after which the other side counts as gone. */
const MISSES = 2;
const CLOSE_MS = 2_000;
/** Larger than any page the cloud sends. */
const MAX_PAYLOAD = 4 * 1024 * 1024;
const MAX_RETRY_AFTER_MS = 86_400_000;

/** A {@link Dial} over ws. */
export function dialWebSocket(options: WireOptions): Dial {
  return (events) => {
    const socket = new WebSocket(options.url, {
      perMessageDeflate: false,
      handshakeTimeout: ATTEMPT_MS,
      maxPayload: MAX_PAYLOAD,
      followRedirects: false,
      ...(options.ca === undefined ? {} : { ca: readFileSync(options.ca) }),
      ...(options.tokenFile === undefined ? {} : { headers: bearer(options.tokenFile) }),
    });
    return new WebSocketWire(socket, events, options.clock);
  };
}

class WebSocketWire implements Wire {
  readonly #socket: WebSocket;
  readonly #clock: Clock;
  #fault: (Fault & { retryAfter?: number }) | undefined;
  #misses = 0;
  #cancel: () => void = () => undefined;

  constructor(socket: WebSocket, events: WireEvents, clock: Clock) {
    this.#socket = socket;
    this.#clock = clock;
    const alive = (): void => void (this.#misses = 0);
    socket.on('open', () => {
      this.#beat();
      events.opened();
    });
    socket.on('message', (content, isBinary) => {
      alive();
      if (isBinary) return this.#fail({ code: 'SYNC_BAD_MESSAGE', message: 'Not a text frame.' });
      events.received((content as Buffer).toString('utf8'));
    });
    socket.on('ping', alive);
    socket.on('pong', alive);
    socket.on('unexpected-response', (_request, response) => this.#refused(response));
    socket.on('error', (error) => void (this.#fault ??= diagnose(error)));
    socket.on('close', (code) => {
      this.#cancel();
      const message = `The cloud closed the connection (WebSocket code ${code}).`;
      events.closed(this.#fault ?? { code: 'SYNC_CLOSED', message });
    });
  }

  send(text: string): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(text);
  }

  close(): void {
    this.#cancel();
    this.#cancel = this.#clock.after(CLOSE_MS, () => this.#socket.terminate());
    this.#socket.close(1000);
  }

  #beat(): void {
    this.#cancel = this.#clock.after(HEARTBEAT_MS, () => {
      if (this.#misses >= MISSES) {
        const message = `The cloud was silent for ${(HEARTBEAT_MS * (MISSES + 1)) / 1000} s.`;
        return this.#fail({ code: 'SYNC_SILENT', message });
      }
      this.#misses++;
      this.#socket.ping();
      this.#beat();
    });
  }

  #refused(response: IncomingMessage): void {
    const seconds = Number(response.headers['retry-after'] ?? Number.NaN);
    const retryAfter = Math.min(seconds * 1000, MAX_RETRY_AFTER_MS);
    const fault = diagnoseStatus(response.statusCode ?? 0);
    response.destroy();
    this.#fail(retryAfter >= 0 ? { ...fault, retryAfter } : fault);
  }

  #fail(fault: Fault & { retryAfter?: number }): void {
    this.#fault ??= fault;
    this.#socket.terminate();
  }
}

function bearer(tokenFile: string): { readonly authorization: string } {
  const token = readFileSync(tokenFile, 'utf8').trim();
  if (!/^[\x21-\x7e]+$/.test(token)) {
    const message = `tokenFile: ${tokenFile} must hold one token: printable ASCII without spaces, one line.`;
    throw new Misconfigured('SYNC_BAD_TOKEN_FILE', message);
  }
  return { authorization: `Bearer ${token}` };
}
