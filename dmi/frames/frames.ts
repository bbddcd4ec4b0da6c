/** A conversation in frames of bytes over a dialled stream: one question in flight, each with its deadline. */
import type { Duplex } from 'node:stream';
import { DmiError, Garbled } from '../errors.ts';
import type { Clock, MapperContext } from '../mapper.ts';
import { dialWithin } from '../wire/dial.ts';
import { Exchange } from '../wire/exchange.ts';

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

/**
 * One question is in flight at most, and after one that was given up nothing is sent until the wire was silent. Whether
 * a frame is the answer to its question, and whole, its checksum and its content tell: that is the mapper's to check.
 */
export class Frames {
  readonly #exchange: Exchange<Buffer>;
  readonly #options: Required<FrameOptions>;
  #held: Buffer = Buffer.alloc(0);

  private constructor(stream: Duplex, clock: Clock, options: Required<FrameOptions>) {
    this.#options = options;
    this.#exchange = new Exchange(stream, clock, { prefix: 'FRAME', ...options });
    stream.on('data', (chunk: Buffer) => this.#receive(chunk));
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
    const frames = new Frames(await dialWithin(dial, context, signal), context.clock, all);
    if (address.startsWith('serial:')) frames.mistrust();
    return frames;
  }

  /**
   * Sends a frame and answers with the frame that comes back. Calls that overlap wait for each other.
   * @throws Unreachable when none comes in time or the device is gone; Garbled when it is none; the signal's reason as
   * soon as that aborts
   */
  ask(frame: Uint8Array, signal: AbortSignal): Promise<Buffer> {
    return this.#exchange.turn(signal, () => {
      this.#held = Buffer.alloc(0);
      const late = `no answer within ${this.#options.timeoutMs} ms`;
      return this.#exchange.ask(frame, late, signal);
    });
  }

  /** Sends a frame that is not answered. @throws Unreachable */
  tell(frame: Uint8Array, signal: AbortSignal): Promise<void> {
    return this.#exchange.turn(signal, async () => this.#exchange.send(frame));
  }

  /** The last answer made no sense to its caller: nothing is sent until the wire was silent. */
  mistrust(): void {
    this.#exchange.mistrust();
  }

  /** Gives back this device's part of the wire; never throws. */
  async close(): Promise<void> {
    this.#exchange.close();
    return Promise.resolve();
  }

  #receive(chunk: Buffer): void {
    const exchange = this.#exchange;
    if (exchange.isLost) return;
    if (!exchange.isAsking) return exchange.unasked(chunk.length);
    this.#held = Buffer.concat([this.#held, chunk]);
    try {
      this.#take();
    } catch (error) {
      exchange.lose(
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
    this.#exchange.answered(this.#held);
  }
}
