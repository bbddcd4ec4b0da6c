/** One device's exchanges over a byte stream: one request in flight, a deadline, and silence after anything odd. */
import type { Duplex } from 'node:stream';
import { type Clock, DmiError, Garbled, Unreachable } from '@limpet/dmi';
import type { Framing } from './framing.ts';
import { echo, type Request } from './pdu.ts';
import { exchangeBytes, RtuFraming, SHORTEST, silenceMs, tooMany, transferMs } from './rtu.ts';
import type { Settings } from './settings.ts';
import { TcpFraming } from './tcp.ts';

/** How long a serial line is listened to for answers that come late, before it is trusted again. */
const LATE_MS = 200;
/** Bounds the listening on a line that never falls silent. */
const LISTENS = 5;
/** How long an answer with a wrong checksum may still go on. */
const SPOILT_MS = 30;
/** How long the devices of a line get to obey a broadcast: MODBUS over serial line V1.02, §2.4.1. */
const TURNAROUND_MS = 100;
const ATTEMPTS = 2;

type Timing = Pick<Settings, 'framing' | 'line' | 'timeoutMs' | 'pauseMs'>;

interface Pending {
  readonly resolve: (pdu: Buffer) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Invariants: at most one request is in flight. On RTU, whose answers carry no number, no request is
 * sent while a late answer to an earlier one may be under way, and the first answer after connecting
 * or after an abort counts only once nothing follows it: otherwise each value would be the one before.
 */
export class Wire {
  readonly #stream: Duplex;
  readonly #framing: Framing;
  readonly #timing: Timing;
  readonly #clock: Clock;
  #pending: Pending | undefined;
  #lost: Error | undefined;
  #heard = 0;
  /** RTU: an earlier request may still be answered. */
  #owed = false;
  /** RTU: nothing has proven yet that answers belong to their requests. */
  #unproven: boolean;
  #cancelSpoilt = () => {};

  constructor(stream: Duplex, timing: Timing, clock: Clock, firstTransaction: number) {
    this.#stream = stream;
    this.#timing = timing;
    this.#clock = clock;
    this.#unproven = timing.framing === 'rtu';
    this.#framing = this.#unproven ? new RtuFraming() : new TcpFraming(firstTransaction);
    stream.on('data', (chunk: Buffer) => this.#receive(chunk));
    stream.on('error', (cause) => this.#lose(`the connection failed: ${cause.message}`, cause));
    stream.on('end', () => this.#lose('the other side closed the connection'));
    stream.on('close', () => this.#lose('the connection is closed'));
  }

  /**
   * The PDU that answers `request`, exceptions included.
   * @throws Unreachable on silence, a bad checksum or a lost stream; Garbled on an answer to something
   * else, after cutting the wire; the signal's reason when aborted.
   */
  async exchange(request: Request, signal: AbortSignal): Promise<Buffer> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#attempt(request, signal);
      } catch (error) {
        const again = attempt < ATTEMPTS && this.#mayRepeat(error);
        if (!again) throw this.#give(error);
      }
    }
  }

  /** Gives back this device's part of the wire. */
  close(): void {
    this.#lose('the connection was closed');
    if (!this.#stream.destroyed) this.#stream.end();
  }

  async #attempt(request: Request, signal: AbortSignal): Promise<Buffer> {
    signal.throwIfAborted();
    await this.#quiet(signal);
    if (this.#lost !== undefined) throw this.#lost;
    const bytes = this.#framing.begin(request);
    if (this.#timing.framing === 'rtu' && request.unit === 0) {
      this.#stream.write(bytes);
      await this.#clock.sleep(TURNAROUND_MS, signal);
      return echo(request.pdu); // nobody answers a broadcast
    }
    const pdu = await this.#answer(bytes, request, signal);
    if (this.#unproven) await this.#prove(signal);
    return pdu;
  }

  async #answer(bytes: Buffer, request: Request, signal: AbortSignal): Promise<Buffer> {
    const { line, timeoutMs, framing } = this.#timing;
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
    const abort = () => reject(signal.reason);
    const cancel = this.#clock.after(timeoutMs + transferMs(line, exchangeBytes(request.pdu)), () =>
      reject(this.#framing.overdue(timeoutMs)),
    );
    signal.addEventListener('abort', abort, { once: true });
    this.#pending = { resolve, reject };
    try {
      this.#stream.write(bytes);
      return await promise;
    } catch (error) {
      this.#owed = framing === 'rtu';
      this.#unproven = framing === 'rtu';
      throw error;
    } finally {
      this.#pending = undefined;
      this.#cancelSpoilt();
      cancel();
      signal.removeEventListener('abort', abort);
    }
  }

  /** Silence before a request: what the framing and the settings ask for, longer while an answer is owed. */
  async #quiet(signal: AbortSignal): Promise<void> {
    const { framing, line, pauseMs } = this.#timing;
    if (this.#owed) {
      await this.#drain(signal);
      this.#owed = false;
    }
    const silence = Math.max(pauseMs, framing === 'rtu' ? silenceMs(line) : 0);
    if (silence > 0) await this.#clock.sleep(silence, signal);
  }

  async #drain(signal: AbortSignal): Promise<void> {
    for (let listen = 0; listen < LISTENS; listen++) {
      if (await this.#silent(signal)) return;
    }
    throw new Unreachable('MODBUS_NOISE', 'the line does not fall silent');
  }

  async #prove(signal: AbortSignal): Promise<void> {
    if (await this.#silent(signal)) {
      this.#unproven = false;
      return;
    }
    this.#owed = true;
    throw tooMany();
  }

  async #silent(signal: AbortSignal): Promise<boolean> {
    const before = this.#heard;
    await this.#clock.sleep(LATE_MS, signal);
    if (this.#lost !== undefined) throw this.#lost;
    return this.#heard - before < SHORTEST;
  }

  #receive(chunk: Buffer): void {
    this.#heard += chunk.length;
    if (this.#pending === undefined) {
      this.#framing.idle(chunk);
      return;
    }
    const { resolve, reject } = this.#pending;
    this.#cancelSpoilt();
    const outcome = this.#framing.receive(chunk);
    if (outcome.kind === 'reply') resolve(outcome.pdu);
    if (outcome.kind === 'broken') reject(outcome.error);
    if (outcome.kind === 'spoilt')
      this.#cancelSpoilt = this.#clock.after(SPOILT_MS, () => reject(outcome.error));
  }

  /** On a serial line one bad answer may be noise; over TCP it never is. */
  #mayRepeat(error: unknown): boolean {
    if (this.#timing.framing !== 'rtu' || !(error instanceof DmiError)) return false;
    return ['MODBUS_CRC', 'MODBUS_REPLY', 'MODBUS_LATE'].includes(error.code);
  }

  /** Nonsense cuts the wire for every device on it: its frames cannot be found again. */
  #give(error: unknown): unknown {
    if (error instanceof Garbled) {
      this.#lost ??= error;
      this.#stream.destroy(error);
    }
    return error;
  }

  #lose(message: string, cause?: Error): void {
    this.#lost ??= new Unreachable('MODBUS_CLOSED', message, { cause });
    this.#pending?.reject(this.#lost);
  }
}
