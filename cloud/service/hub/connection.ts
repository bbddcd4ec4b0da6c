/** One WebSocket of an edge: frames in and out, heartbeat, and the ceilings of one connection. */
import type { Duplex } from 'node:stream';
import type { Clock, Log } from '@limpet/dmi';
import type { RawData, WebSocket } from 'ws';
import type { FromCloud } from '#protocol';
import { readFromEdge } from './frames.ts';
import type { Intake, IntakeMember } from './intake.ts';
import { type CloudSession, CLOSE } from './session.ts';

export interface ConnectionOptions {
  readonly webSocket: WebSocket;
  /** What the WebSocket reads from. */
  readonly socket: Duplex;
  readonly intake: Intake;
  readonly session: CloudSession;
  readonly clock: Clock;
  readonly log: Log;
  readonly heartbeatMs: number;
  readonly closed: () => void;
}

/** Heartbeats without a sign of life after which the edge counts as gone. */
const MISSES = 2;
/** Frames per heartbeat interval and second of it; one report in flight keeps honest edges far below. */
const MAX_FRAMES_PER_S = 5000;
/** An edge that takes nothing for so long has more than a page and its answers waiting. */
const MAX_BUFFERED_BYTES = 8 * 1024 * 1024;
/** For the closing handshake. */
const CLOSE_MS = 2000;

export class Connection implements IntakeMember {
  readonly session: CloudSession;
  node: string | undefined;
  readonly #options: ConnectionOptions;
  #misses = 0;
  #frames = 0;
  #spoiled = 0;
  /** Bytes read and not done with. */
  #held = 0;
  /** Pages that are being written. */
  #pages = 0;
  #cancel: () => void = () => undefined;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.session = options.session;
    const { webSocket, socket, intake, log } = options;
    // Before the WebSocket hears of it: it may be whole, and done with, at once.
    socket.prependListener('data', (chunk: Buffer) => this.#took(chunk.length));
    webSocket.on('message', (content: RawData, isBinary) => this.#received(content, isBinary));
    for (const sign of ['ping', 'pong'] as const) {
      webSocket.on(sign, () => {
        this.#alive();
        this.#gave();
      });
    }
    webSocket.on('error', (error) => {
      log.warn('edge connection failed', { node: this.node, error });
    });
    webSocket.on('close', (code) => {
      this.#cancel();
      intake.leave(this);
      this.#pages = 0;
      this.#gave();
      this.session.closed();
      options.closed();
      log.info('edge gone', { node: this.node, code });
    });
    intake.join(this);
    this.#beat();
  }

  get busy(): boolean {
    return this.#held > 0;
  }

  pause(): void {
    this.#options.webSocket.pause();
  }

  resume(): void {
    this.#options.webSocket.resume();
  }

  send(message: FromCloud): void {
    const { webSocket, log } = this.#options;
    if (webSocket.readyState !== webSocket.OPEN) return;
    if (webSocket.bufferedAmount > MAX_BUFFERED_BYTES) {
      log.warn('edge takes nothing', { node: this.node, bytes: webSocket.bufferedAmount });
      this.terminate();
      return;
    }
    webSocket.send(JSON.stringify(message));
    if (message.type === 'welcome') log.info('edge joined', { node: this.node, seq: message.seq });
    if (message.type !== 'ack' && message.type !== 'pastAck') return;
    this.#pages--;
    this.#gave();
  }

  /** After the frames already sent; cut when the edge does not answer. */
  close(code: number, reason: string): void {
    const { webSocket, clock, log } = this.#options;
    const level = code === CLOSE.unable ? 'info' : 'warn';
    log[level]('edge sent away', { node: this.node, code, reason });
    this.#cancel();
    this.#cancel = clock.after(CLOSE_MS, () => webSocket.terminate());
    webSocket.close(code, reason);
  }

  terminate(): void {
    this.#options.webSocket.terminate();
  }

  #received(content: RawData, isBinary: boolean): void {
    this.#alive();
    const { heartbeatMs, log } = this.#options;
    this.#frames++;
    if (this.#frames > (MAX_FRAMES_PER_S * Math.max(heartbeatMs, 1000)) / 1000) {
      return this.session.refuse('SYNC_TOO_FAST', 'Too many messages: wait for the answers.');
    }
    const frame = isBinary
      ? ({ ok: false, fault: 'expected a text frame, got a binary one' } as const)
      : readFromEdge((content as Buffer).toString('utf8'));
    if (!frame.ok) {
      const message = `${frame.fault}. Update the older of the two sides.`;
      return this.session.refuse('SYNC_BAD_MESSAGE', message);
    }
    if (frame.spoiled > 0) {
      if (this.#spoiled === 0) {
        log.warn('rows of a node ignored', {
          node: this.node,
          reason: 'spoiled',
          rows: frame.spoiled,
        });
      }
      this.#spoiled += frame.spoiled;
    }
    const { type } = frame.message;
    if (type === 'report' || type === 'past') this.#pages++;
    this.session.received(frame.message);
    this.#gave();
  }

  #took(bytes: number): void {
    this.#held += bytes;
    this.#options.intake.took(bytes);
  }

  /** Unless a page is being written, which is done with when it is acknowledged. */
  #gave(): void {
    if (this.#pages > 0) return;
    const bytes = this.#held;
    this.#held = 0;
    this.#options.intake.gave(this, bytes);
  }

  #alive(): void {
    this.#misses = 0;
  }

  #beat(): void {
    const { webSocket, clock, heartbeatMs, log } = this.#options;
    this.#cancel = clock.after(heartbeatMs, () => {
      this.#frames = 0;
      // One that is not read has no way to show that it lives.
      const heard = !webSocket.isPaused;
      if (heard && (this.#misses >= MISSES || !this.session.live())) {
        log.warn('edge silent', { node: this.node, misses: this.#misses });
        this.terminate();
        return;
      }
      // An edge asks as often whether the cloud lives: one that does need not be asked. One that is not read gets no answer.
      if (!heard || this.#misses > 0) webSocket.ping();
      if (heard) this.#misses++;
      this.#beat();
    });
  }
}
