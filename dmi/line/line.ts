/** A conversation in lines of text over a dialled stream: one question in flight, each with its deadline. */
import type { Duplex } from 'node:stream';
import { type DmiError, Garbled, Refused, Unreachable } from '../errors.ts';
import type { Clock, MapperContext } from '../mapper.ts';
import { dialWithin, quoted, Turns } from '../wire/dial.ts';
import { unlessAborted } from '../unless-aborted.ts';
import { cutLines, type Encoding, isBlank, lineBytes, lineText } from './framing.ts';
import { type LineOptions, type Settled, settled } from './wire.ts';

/** Bounds the waiting on a wire that never falls silent. */
const LISTENS = 5;
/** What may wait to be sent: a device that takes nothing is not there. */
const MAX_UNSENT = 65_536;

type Heard = (line: string) => void;

interface Pending {
  readonly resolve: (answer: string) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Invariants: at most one question is in flight. Answers carry no number, so after a question that was given up, or
 * bytes that nobody asked for, nothing is sent until the wire was silent; and the first answer after that, or on a
 * serial line after connecting, counts only if nothing follows it: otherwise each value would be the one before.
 */
export class Line {
  readonly #stream: Duplex;
  readonly #clock: Clock;
  readonly #wire: Settled;
  readonly #end: Buffer;
  readonly #turns = new Turns();
  readonly #heard = new Set<Heard>();
  #held: Buffer = Buffer.alloc(0);
  #pending: Pending | undefined;
  #lost: DmiError | undefined;
  #count = 0;
  /** An earlier question may still be answered. */
  #owed = false;
  /** Nothing has shown yet that answers belong to their questions. */
  #unproven: boolean;
  /** The rest of a line too long, or begun before we listened, is not looked at. */
  #skipping = false;

  private constructor(stream: Duplex, clock: Clock, wire: Settled, shared: boolean) {
    this.#stream = stream;
    this.#clock = clock;
    this.#wire = wire;
    this.#unproven = shared;
    this.#skipping = shared && wire.isAnswer !== undefined;
    this.#end = Buffer.from(wire.answerEnd, wire.encoding);
    stream.on('data', (chunk: Buffer) => this.#receive(chunk));
    stream.on('error', (cause) => this.#gone(`the connection failed: ${cause.message}`, cause));
    stream.on('end', () => this.#gone('the device closed the connection'));
    stream.on('close', () => this.#gone('the connection is closed'));
  }

  /**
   * Dials `address` as `context.dial` takes it.
   * @throws Unreachable LINE_TIMEOUT when it takes too long; what `context.dial` throws
   */
  static async open(
    address: string,
    context: Pick<MapperContext, 'dial' | 'clock'>,
    options: LineOptions,
    signal: AbortSignal,
  ): Promise<Line> {
    const wire = settled(options);
    const dial = { address, timeoutMs: wire.timeoutMs, code: 'LINE_TIMEOUT' };
    const stream = await dialWithin(dial, context, signal);
    return new Line(stream, context.clock, wire, address.startsWith('serial:'));
  }

  /** What this conversation was opened with. */
  get wire(): Settled {
    return this.#wire;
  }

  /**
   * Sends a line and answers with the line that answers it. Calls that overlap wait for each other.
   * @throws Refused LINE_REFUSED when the device says no; Unreachable when it says nothing in time or is gone; Garbled
   * when it says what is no line of text; the signal's reason as soon as that aborts. Errors call the line `as`, for
   * lines that hold a value.
   */
  ask(text: string, signal: AbortSignal, as: string = text): Promise<string> {
    return this.#turns.take(signal, async () => {
      await this.#quiet(signal);
      const answer = await this.#answer({ text, as }, signal);
      if (this.#unproven) await this.#prove(signal);
      const { refused } = this.#wire;
      if (refused === undefined || !answer.startsWith(refused)) return answer;
      throw new Refused('LINE_REFUSED', `the device answered ${quoted(answer)} to ${quoted(as)}`);
    });
  }

  /**
   * Sends a line that is not answered.
   * @throws Unreachable when the device is gone, or takes nothing any more
   */
  tell(text: string, signal: AbortSignal): Promise<void> {
    return this.#turns.take(signal, async () => {
      await this.#quiet(signal);
      this.#send(text);
    });
  }

  /** The last answer made no sense: nothing is sent until the wire was silent, as after one that never came. */
  mistrust(): void {
    this.#owed = true;
    this.#unproven = true;
  }

  /** Calls `listener` for each line that is no answer, until the returned function is called. */
  heard(listener: Heard): () => void {
    this.#heard.add(listener);
    return () => void this.#heard.delete(listener);
  }

  /**
   * Waits for a line that the device tells by itself and of which `match` makes something; others are passed over.
   * @throws Unreachable LINE_TIMEOUT when none comes in time; Garbled and Unreachable as {@link ask} does
   */
  async next<T>(match: (line: string) => T | undefined, signal: AbortSignal): Promise<T> {
    signal.throwIfAborted();
    if (this.#lost !== undefined) throw this.#lost;
    const { timeoutMs } = this.#wire;
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const stop = this.heard((line) => {
      const found = match(line);
      if (found !== undefined) resolve(found);
    });
    const cancel = this.#clock.after(timeoutMs, () =>
      reject(
        new Unreachable('LINE_TIMEOUT', `the device told nothing that fits in ${timeoutMs} ms`),
      ),
    );
    const gone = (): void => reject(this.#lost);
    this.#stream.once('close', gone).once('end', gone).once('error', gone);
    try {
      return await unlessAborted(promise, signal);
    } finally {
      stop();
      cancel();
      this.#stream.off('close', gone).off('end', gone).off('error', gone);
    }
  }

  /** Gives back this device's part of the wire; never throws. */
  async close(): Promise<void> {
    this.#gone('the connection was closed');
    if (!this.#stream.destroyed) this.#stream.end();
    return Promise.resolve();
  }

  async #answer(
    { text, as }: { readonly text: string; readonly as: string },
    signal: AbortSignal,
  ): Promise<string> {
    const { timeoutMs } = this.#wire;
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const cancel = this.#clock.after(timeoutMs, () =>
      reject(new Unreachable('LINE_TIMEOUT', `no answer to ${quoted(as)} within ${timeoutMs} ms`)),
    );
    if (this.#wire.isAnswer === undefined) this.#held = Buffer.alloc(0);
    this.#pending = { resolve, reject };
    try {
      this.#send(text);
      return await unlessAborted(promise, signal);
    } catch (error) {
      this.mistrust();
      throw error;
    } finally {
      this.#pending = undefined;
      cancel();
    }
  }

  #send(text: string): void {
    if (this.#lost !== undefined) throw this.#lost;
    const { end, encoding } = this.#wire;
    const bytes = lineBytes(text, end, encoding);
    if (this.#stream.writableLength > MAX_UNSENT) {
      throw this.#lose(new Unreachable('LINE_STUCK', 'the device takes nothing any more'));
    }
    this.#stream.write(bytes);
  }

  /** Silence before a line: what the settings ask for, longer while an answer is owed. */
  async #quiet(signal: AbortSignal): Promise<void> {
    if (this.#lost !== undefined) throw this.#lost;
    if (this.#wire.pauseMs > 0) await this.#clock.sleep(this.#wire.pauseMs, signal);
    if (!this.#owed) return;
    for (let listen = 0; listen < LISTENS; listen++) {
      this.#owed = !(await this.#silent(signal));
      if (!this.#owed) return;
    }
    throw new Unreachable('LINE_NOISE', 'the device does not stop talking unasked');
  }

  async #prove(signal: AbortSignal): Promise<void> {
    this.#unproven = !(await this.#silent(signal));
    if (!this.#unproven) return;
    this.#owed = true;
    throw new Unreachable('LINE_LATE', 'more came after the answer: it may have been a late one');
  }

  async #silent(signal: AbortSignal): Promise<boolean> {
    const before = this.#count;
    await this.#clock.sleep(this.#wire.quietMs, signal);
    if (this.#lost !== undefined) throw this.#lost;
    return this.#count === before;
  }

  #receive(chunk: Buffer): void {
    if (this.#lost !== undefined) return;
    const talks = this.#wire.isAnswer !== undefined;
    if (!talks && this.#pending === undefined) return this.#unasked(chunk);
    const { lines, rest } = cutLines(Buffer.concat([this.#held, chunk]), this.#end);
    this.#held = Buffer.from(rest);
    const spoken = lines.filter((line) => !isBlank(line));
    try {
      if (talks) this.#overhear(spoken);
      else this.#take(spoken);
    } catch (error) {
      this.#lose(error as DmiError);
    }
  }

  #unasked(bytes: Buffer): void {
    if (isBlank(bytes)) return;
    this.#count += bytes.length;
    this.#owed = true;
  }

  /** @throws Garbled */
  #take(lines: readonly Buffer[]): void {
    const { maxBytes, encoding } = this.#wire;
    const [line] = lines;
    if ((line ?? this.#held).length > maxBytes) throw tooLong(maxBytes);
    if (line === undefined) return;
    if (lines.length > 1 || !isBlank(this.#held)) {
      throw new Garbled('LINE_EXTRA', 'more than one line came for an answer');
    }
    this.#pending?.resolve(lineText(line, encoding));
    this.#pending = undefined;
  }

  /** Of a device that talks by itself: what is no line is passed over, unless an answer is waited for. */
  #overhear(lines: readonly Buffer[]): void {
    const { maxBytes } = this.#wire;
    for (const line of lines) {
      if (!this.#skipping && line.length <= maxBytes) this.#sort(line);
      this.#skipping = false;
    }
    if (this.#held.length <= maxBytes) return;
    if (this.#pending !== undefined) throw tooLong(maxBytes);
    this.#held = Buffer.alloc(0);
    this.#skipping = true;
  }

  /** An answer, or something told. @throws Garbled */
  #sort(line: Buffer): void {
    const { encoding, isAnswer } = this.#wire;
    const text = textOf(line, encoding);
    if (text !== undefined && isAnswer?.(text) !== true) {
      for (const listener of this.#heard) listener(text);
      return;
    }
    if (this.#pending === undefined) {
      if (text !== undefined) this.#unasked(line);
      return;
    }
    this.#pending.resolve(lineText(line, encoding));
    this.#pending = undefined;
  }

  #gone(message: string, cause?: Error): void {
    this.#lost ??= new Unreachable('LINE_CLOSED', message, { cause });
    this.#pending?.reject(this.#lost);
  }

  /** Nonsense cuts the wire for every device on it: its lines cannot be found again. */
  #lose(error: DmiError): DmiError {
    this.#lost ??= error;
    this.#pending?.reject(this.#lost);
    this.#stream.destroy(error);
    return error;
  }
}

function tooLong(maxBytes: number): Garbled {
  return new Garbled('LINE_LONG', `a line of more than ${maxBytes} bytes`);
}

function textOf(bytes: Buffer, encoding: Encoding): string | undefined {
  try {
    return lineText(bytes, encoding);
  } catch (error) {
    if (error instanceof Garbled) return undefined;
    throw error;
  }
}
