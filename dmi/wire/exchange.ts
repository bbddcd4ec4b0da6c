/** Questions and answers over a dialled stream, one at a time: what lines and frames have in common. */
import type { Duplex } from 'node:stream';
import { type DmiError, Unreachable } from '../errors.ts';
import type { Clock } from '../mapper.ts';
import { unlessAborted } from '../unless-aborted.ts';
import { Turns } from './dial.ts';

/** Bounds the waiting on a wire that never falls silent. */
const LISTENS = 5;
/** What may wait to be sent: a device that takes nothing is not there. */
const MAX_UNSENT = 65_536;

interface ExchangeOptions {
  /** What the codes of its errors begin with. */
  readonly prefix: 'LINE' | 'FRAME';
  readonly timeoutMs: number;
  /** How long the wire must be silent before it is trusted again. */
  readonly quietMs: number;
  /** How long the device is left alone before each question. */
  readonly pauseMs?: number;
}

/**
 * Invariants: at most one question is in flight. After one that was given up, or bytes that nobody asked for, nothing
 * is sent until the wire was silent. Which bytes are an answer its owner tells, by {@link answered}.
 */
export class Exchange<Answer> {
  readonly #stream: Duplex;
  readonly #clock: Clock;
  readonly #options: ExchangeOptions;
  readonly #turns = new Turns();
  /** Whoever waits for something of this wire. */
  readonly #waiting = new Set<(error: DmiError) => void>();
  #answer: ((answer: Answer) => void) | undefined;
  #lost: DmiError | undefined;
  #unasked = 0;
  /** An earlier question may still be answered. */
  #owed = false;

  constructor(stream: Duplex, clock: Clock, options: ExchangeOptions) {
    this.#stream = stream;
    this.#clock = clock;
    this.#options = options;
    stream.on('error', (cause) => this.#gone(`the connection failed: ${cause.message}`, cause));
    stream.on('end', () => this.#gone('the device closed the connection'));
    stream.on('close', () => this.#gone('the connection is closed'));
  }

  /** Nothing is heard or sent any more. */
  get isLost(): boolean {
    return this.#lost !== undefined;
  }

  /** A question is in flight. */
  get isAsking(): boolean {
    return this.#answer !== undefined;
  }

  /** Runs `task` when it is its turn and the wire is quiet. @throws Unreachable; the signal's reason as soon as that aborts */
  turn<T>(signal: AbortSignal, task: () => Promise<T>): Promise<T> {
    return this.#turns.take(signal, async () => {
      await this.#quiet(signal);
      return task();
    });
  }

  /** Sends a question and waits for what {@link answered} is given. @throws Unreachable, with `late` as its message */
  async ask(bytes: Uint8Array, late: string, signal: AbortSignal): Promise<Answer> {
    try {
      return await this.within(late, signal, (resolve) => {
        this.#answer = resolve;
        this.send(bytes);
      });
    } catch (error) {
      this.#owed = true;
      throw error;
    } finally {
      this.#answer = undefined;
    }
  }

  /** What `begin` makes known in time. @throws Unreachable, with `late` as its message; what the wire was lost of */
  async within<T>(
    late: string,
    signal: AbortSignal,
    begin: (resolve: (value: T) => void) => void,
  ): Promise<T> {
    signal.throwIfAborted();
    this.#throwIfLost();
    const { prefix, timeoutMs } = this.#options;
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const cancel = this.#clock.after(timeoutMs, () =>
      reject(new Unreachable(`${prefix}_TIMEOUT`, late)),
    );
    this.#waiting.add(reject);
    try {
      begin(resolve);
      return await unlessAborted(promise, signal);
    } finally {
      this.#waiting.delete(reject);
      cancel();
    }
  }

  /** @throws Unreachable when the device is gone, or takes nothing any more */
  send(bytes: Uint8Array): void {
    this.#throwIfLost();
    if (this.#stream.writableLength > MAX_UNSENT) {
      const { prefix } = this.#options;
      throw this.lose(new Unreachable(`${prefix}_STUCK`, 'the device takes nothing any more'));
    }
    this.#stream.write(bytes);
  }

  answered(answer: Answer): void {
    this.#answer?.(answer);
    this.#answer = undefined;
  }

  /** Bytes came that nobody asked for. */
  unasked(bytes: number): void {
    this.#unasked += bytes;
    this.#owed = true;
  }

  /** Nothing is sent until the wire was silent, as after an answer that never came. */
  mistrust(): void {
    this.#owed = true;
  }

  /** Listens for a while: whether nothing came unasked. @throws Unreachable */
  async isSilent(signal: AbortSignal): Promise<boolean> {
    const before = this.#unasked;
    await this.#clock.sleep(this.#options.quietMs, signal);
    this.#throwIfLost();
    return this.#unasked === before;
  }

  /** Nonsense cuts the wire for every device on it: where the next answer begins cannot be told. */
  lose(error: DmiError): DmiError {
    this.#end(error);
    this.#stream.destroy(error);
    return error;
  }

  /** Gives back this device's part of the wire; never throws. */
  close(): void {
    this.#gone('the connection was closed');
    if (!this.#stream.destroyed) this.#stream.end();
  }

  /** Silence before a question: what the device needs, longer while an answer is owed. */
  async #quiet(signal: AbortSignal): Promise<void> {
    this.#throwIfLost();
    const { prefix, pauseMs = 0 } = this.#options;
    if (pauseMs > 0) await this.#clock.sleep(pauseMs, signal);
    if (!this.#owed) return;
    for (let listen = 0; listen < LISTENS; listen++) {
      this.#owed = !(await this.isSilent(signal));
      if (!this.#owed) return;
    }
    throw new Unreachable(`${prefix}_NOISE`, 'the device does not stop talking unasked');
  }

  #throwIfLost(): void {
    if (this.#lost !== undefined) throw this.#lost;
  }

  #gone(message: string, cause?: Error): void {
    this.#end(new Unreachable(`${this.#options.prefix}_CLOSED`, message, { cause }));
  }

  #end(error: DmiError): void {
    this.#lost ??= error;
    for (const reject of this.#waiting) reject(this.#lost);
  }
}
