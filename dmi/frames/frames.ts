/** A conversation in frames of bytes over a dialled stream: one question in flight, each with its deadline. */
import type { Duplex } from 'node:stream';
import { DmiError, Garbled, Unreachable } from '../errors.ts';
import type { Clock, MapperContext } from '../mapper.ts';
import { dialWithin, Turns } from '../wire/dial.ts';
import { unlessAborted } from '../unless-aborted.ts';

/** How frames are told apart: one declaration for the client and for the simulator. */
export interface FrameWire {
  /**
   * How many bytes the frame at the front has; `undefined` while that cannot be told yet.
   * @throws Garbled when no frame begins so
   */
  readonly length: (bytes: Buffer) => number | undefined;
}

export interface FrameOptions extends FrameWire {
  /** How long an answer may take; default 1000. */
  readonly timeoutMs?: number;
  /** The longest frame that is taken; default 4096. */
  readonly maxBytes?: number;
  /** How long the wire must be silent before it is trusted again after an answer that never came; default 200. */
  readonly quietMs?: number;
}

/** Bounds the waiting on a wire that never falls silent. */
const LISTENS = 5;
/** What may wait to be sent: a device that takes nothing is not there. */
const MAX_UNSENT = 65_536;

interface Pending {
  readonly resolve: (frame: Buffer) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Invariants: at most one question is in flight. After one that was given up, or bytes that nobody asked for, nothing is
 * sent until the wire was silent. Whether a frame is the answer to its question, and whole, its checksum and its content
 * tell: that is the mapper's to check.
 */
export class Frames {
  readonly #stream: Duplex;
  readonly #clock: Clock;
  readonly #options: Required<FrameOptions>;
  readonly #turns = new Turns();
  #held: Buffer = Buffer.alloc(0);
  #pending: Pending | undefined;
  #lost: DmiError | undefined;
  #heard = 0;
  /** An earlier question may still be answered. */
  #owed: boolean;

  private constructor(
    stream: Duplex,
    clock: Clock,
    options: Required<FrameOptions>,
    owed: boolean,
  ) {
    this.#stream = stream;
    this.#clock = clock;
    this.#options = options;
    this.#owed = owed;
    stream.on('data', (chunk: Buffer) => this.#receive(chunk));
    stream.on('error', (cause) => this.#gone(`the connection failed: ${cause.message}`, cause));
    stream.on('end', () => this.#gone('the device closed the connection'));
    stream.on('close', () => this.#gone('the connection is closed'));
  }

  /**
   * Dials `address` as `context.dial` takes it. A serial line is listened to before the first question: it may still
   * carry an answer to somebody else's.
   * @throws Unreachable FRAME_TIMEOUT when it takes too long; what `context.dial` throws
   */
  static async open(
    address: string,
    context: Pick<MapperContext, 'dial' | 'clock'>,
    options: FrameOptions,
    signal: AbortSignal,
  ): Promise<Frames> {
    const all = { timeoutMs: 1000, maxBytes: 4096, quietMs: 200, ...options };
    const dial = { address, timeoutMs: all.timeoutMs, code: 'FRAME_TIMEOUT' };
    const stream = await dialWithin(dial, context, signal);
    return new Frames(stream, context.clock, all, address.startsWith('serial:'));
  }

  /**
   * Sends a frame and answers with the frame that comes back. Calls that overlap wait for each other.
   * @throws Unreachable when none comes in time or the device is gone; Garbled when it is none; the signal's reason as
   * soon as that aborts
   */
  ask(frame: Uint8Array, signal: AbortSignal): Promise<Buffer> {
    return this.#turns.take(signal, async () => {
      await this.#quiet(signal);
      return this.#answer(frame, signal);
    });
  }

  /** Sends a frame that is not answered. @throws Unreachable */
  tell(frame: Uint8Array, signal: AbortSignal): Promise<void> {
    return this.#turns.take(signal, async () => {
      await this.#quiet(signal);
      this.#send(frame);
    });
  }

  /** The last answer made no sense to its caller: nothing is sent until the wire was silent. */
  mistrust(): void {
    this.#owed = true;
  }

  /** Gives back this device's part of the wire; never throws. */
  async close(): Promise<void> {
    this.#gone('the connection was closed');
    if (!this.#stream.destroyed) this.#stream.end();
    return Promise.resolve();
  }

  async #answer(frame: Uint8Array, signal: AbortSignal): Promise<Buffer> {
    const { timeoutMs } = this.#options;
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
    const late = new Unreachable('FRAME_TIMEOUT', `no answer within ${timeoutMs} ms`);
    const cancel = this.#clock.after(timeoutMs, () => reject(late));
    this.#held = Buffer.alloc(0);
    this.#pending = { resolve, reject };
    try {
      this.#send(frame);
      return await unlessAborted(promise, signal);
    } catch (error) {
      this.#owed = true;
      throw error;
    } finally {
      this.#pending = undefined;
      cancel();
    }
  }

  #send(frame: Uint8Array): void {
    if (this.#lost !== undefined) throw this.#lost;
    if (this.#stream.writableLength > MAX_UNSENT) {
      throw this.#lose(new Unreachable('FRAME_STUCK', 'the device takes nothing any more'));
    }
    this.#stream.write(frame);
  }

  async #quiet(signal: AbortSignal): Promise<void> {
    for (let listen = 0; listen <= LISTENS; listen++) {
      if (this.#lost !== undefined) throw this.#lost;
      if (!this.#owed) return;
      if (listen === LISTENS) break;
      const before = this.#heard;
      await this.#clock.sleep(this.#options.quietMs, signal);
      this.#owed = this.#heard !== before;
    }
    throw new Unreachable('FRAME_NOISE', 'the device does not stop talking unasked');
  }

  #receive(chunk: Buffer): void {
    if (this.#lost !== undefined) return;
    this.#heard += chunk.length;
    if (this.#pending === undefined) {
      this.#owed = true;
      return;
    }
    this.#held = Buffer.concat([this.#held, chunk]);
    try {
      this.#take();
    } catch (error) {
      this.#lose(
        error instanceof DmiError
          ? error
          : new Garbled('FRAME_WRONG', 'no frame begins so', { cause: error }),
      );
    }
  }

  /** @throws Garbled */
  #take(): void {
    const { maxBytes, length } = this.#options;
    const bytes = length(this.#held);
    if ((bytes ?? this.#held.length) > maxBytes) {
      throw new Garbled('FRAME_LONG', `a frame of more than ${maxBytes} bytes`);
    }
    if (bytes === undefined || this.#held.length < bytes) return;
    if (this.#held.length > bytes)
      throw new Garbled('FRAME_EXTRA', 'more than one frame came for an answer');
    this.#pending?.resolve(this.#held);
    this.#pending = undefined;
  }

  #gone(message: string, cause?: Error): void {
    this.#lost ??= new Unreachable('FRAME_CLOSED', message, { cause });
    this.#pending?.reject(this.#lost);
  }

  /** Nonsense cuts the wire for every device on it: its frames cannot be found again. */
  #lose(error: DmiError): DmiError {
    this.#lost ??= error;
    this.#pending?.reject(this.#lost);
    this.#stream.destroy(error);
    return error;
  }
}
