/** A conversation in lines of text over a dialled stream: one question in flight, each with its deadline. */
import type { Duplex } from 'node:stream';
import { type DmiError, Garbled, Refused, Unreachable } from '../errors.ts';
import type { Clock, MapperContext } from '../mapper.ts';
import { dialWithin, quoted } from '../wire/dial.ts';
import { Exchange } from '../wire/exchange.ts';
import { cutLines, type Encoding, isBlank, lineBytes, lineText } from './framing.ts';
import { type LineOptions, type Settled, settled } from './wire.ts';

type Heard = (line: string) => void;

/**
 * Answers carry no number, so after a question that was given up, or bytes that nobody asked for, nothing is sent until
 * the wire was silent; and the first answer after that, or on a serial line after connecting, counts only if nothing
 * follows it: otherwise each value would be the one before.
 */
export class Line {
  readonly #exchange: Exchange<string>;
  readonly #wire: Settled;
  readonly #end: Buffer;
  readonly #heard = new Set<Heard>();
  #held: Buffer = Buffer.alloc(0);
  /** Nothing has shown yet that answers belong to their questions. */
  #unproven: boolean;
  /** The rest of a line too long, or begun before we listened, is not looked at. */
  #skipping: boolean;

  private constructor(stream: Duplex, clock: Clock, wire: Settled, shared: boolean) {
    this.#wire = wire;
    this.#exchange = new Exchange(stream, clock, { prefix: 'LINE', ...wire });
    this.#unproven = shared;
    this.#skipping = shared && wire.isAnswer !== undefined;
    this.#end = Buffer.from(wire.answerEnd, wire.encoding);
    stream.on('data', (chunk: Buffer) => this.#receive(chunk));
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
    return this.#exchange.turn(signal, async () => {
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
    return this.#exchange.turn(signal, async () => this.#exchange.send(this.#bytes(text)));
  }

  /** The last answer made no sense: nothing is sent until the wire was silent, as after one that never came. */
  mistrust(): void {
    this.#exchange.mistrust();
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
    const late = `the device told nothing that fits in ${this.#wire.timeoutMs} ms`;
    let stop: (() => void) | undefined;
    try {
      return await this.#exchange.within<T>(late, signal, (resolve) => {
        stop = this.heard((line) => {
          const found = match(line);
          if (found !== undefined) resolve(found);
        });
      });
    } finally {
      stop?.();
    }
  }

  /** Gives back this device's part of the wire; never throws. */
  async close(): Promise<void> {
    this.#exchange.close();
    return Promise.resolve();
  }

  async #answer(
    { text, as }: { readonly text: string; readonly as: string },
    signal: AbortSignal,
  ): Promise<string> {
    const { isAnswer, timeoutMs } = this.#wire;
    if (isAnswer === undefined) this.#held = Buffer.alloc(0);
    const late = `no answer to ${quoted(as)} within ${timeoutMs} ms`;
    const bytes = this.#bytes(text);
    try {
      return await this.#exchange.ask(bytes, late, signal);
    } catch (error) {
      this.#unproven = true;
      throw error;
    }
  }

  #bytes(text: string): Buffer {
    const { end, encoding } = this.#wire;
    return lineBytes(text, end, encoding);
  }

  async #prove(signal: AbortSignal): Promise<void> {
    this.#unproven = !(await this.#exchange.isSilent(signal));
    if (!this.#unproven) return;
    throw new Unreachable('LINE_LATE', 'more came after the answer: it may have been a late one');
  }

  #receive(chunk: Buffer): void {
    const exchange = this.#exchange;
    if (exchange.isLost) return;
    const talks = this.#wire.isAnswer !== undefined;
    if (!talks && !exchange.isAsking) return this.#unasked(chunk);
    const { lines, rest } = cutLines(Buffer.concat([this.#held, chunk]), this.#end);
    this.#held = Buffer.from(rest);
    const spoken = lines.filter((line) => !isBlank(line));
    try {
      if (talks) this.#overhear(spoken);
      else this.#take(spoken);
    } catch (error) {
      exchange.lose(error as DmiError);
    }
  }

  #unasked(bytes: Buffer): void {
    if (!isBlank(bytes)) this.#exchange.unasked(bytes.length);
  }

  /** @throws Garbled */
  #take(lines: readonly Buffer[]): void {
    const { maxBytes, encoding, refused } = this.#wire;
    const [line] = lines;
    if ((line ?? this.#held).length > maxBytes) throw tooLong(maxBytes);
    if (line === undefined) return;
    const text = lineText(line, encoding);
    if (lines.length > 1 || !isBlank(this.#held)) {
      // A line that is answered only when it is refused: behind that comes the answer to the question after it.
      if (refused === undefined || !text.startsWith(refused)) {
        throw new Garbled('LINE_EXTRA', 'more than one line came for an answer');
      }
      this.#exchange.mistrust();
    }
    this.#exchange.answered(text);
  }

  /** Of a device that talks by itself: what is no line is passed over, unless an answer is waited for. */
  #overhear(lines: readonly Buffer[]): void {
    const { maxBytes } = this.#wire;
    for (const line of lines) {
      if (!this.#skipping && line.length <= maxBytes) this.#sort(line);
      this.#skipping = false;
    }
    if (this.#held.length <= maxBytes) return;
    if (this.#exchange.isAsking) throw tooLong(maxBytes);
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
    if (!this.#exchange.isAsking) {
      if (text !== undefined) this.#unasked(line);
      return;
    }
    this.#exchange.answered(lineText(line, encoding));
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
