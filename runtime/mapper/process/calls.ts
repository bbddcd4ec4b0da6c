/**
 * The core's questions to a mapper's process. Each is answered once; one that is aborted is over for the core at
 * once, and remembered until its answer comes, so that nothing else can pass for an answer.
 */
import { Unreachable } from '@limpet/dmi';
import { type Channel } from './channel.ts';
import { countOf, errorOf, fieldsOf, ProtocolFault } from './checks.ts';
import { type DataAsk, type ManagementAsk } from './messages.ts';

export interface Wanted<T> {
  /** Out of the answer. @throws ProtocolFault */
  readonly take: (answer: unknown) => T;
  /** Told the answer when it comes after the abort. */
  readonly late?: (value: T) => void;
  readonly signal?: AbortSignal;
}

/** Of a process that does not answer; well above what devices can have under way. */
const MAX_PENDING = 4_096;
/** So much may wait for a process that does not listen; what is asked beyond is refused at once. */
const MAX_UNSENT_BYTES = 2_097_152;

interface Pending {
  readonly channel: Channel;
  readonly answer: (answer: unknown) => void;
  readonly fail: (error: Error) => void;
}

/** Invariant: whatever is in `#pending` was asked and not answered yet. */
export class Calls {
  readonly #protocol: string;
  readonly #pending = new Map<number, Pending>();
  #last = 0;
  #down: Unreachable | undefined;

  constructor(protocol: string) {
    this.#protocol = protocol;
  }

  get pending(): number {
    return this.#pending.size;
  }

  /** The number of the latest ask. */
  get last(): number {
    return this.#last;
  }

  /**
   * `asking` is told the number before the ask goes out.
   * @throws the signal's reason; what the process failed with; Unreachable MAPPER_DOWN, MAPPER_BUSY; Misconfigured
   */
  async ask<T>(
    channel: Channel,
    ask: ManagementAsk | DataAsk,
    wanted: Wanted<T>,
    asking?: (id: number) => void,
  ): Promise<T> {
    const { take, late, signal } = wanted;
    signal?.throwIfAborted();
    this.#refuse(channel);
    const id = ++this.#last;
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const abort = (): void => {
      reject(signal?.reason);
      channel.send({ t: 'abort', id });
    };
    const over = (): void => signal?.removeEventListener('abort', abort);
    this.#pending.set(id, {
      channel,
      answer: (answer) => {
        over();
        const value = take(answer);
        if (signal?.aborted) late?.(value);
        else resolve(value);
      },
      fail: (error) => {
        over();
        reject(error);
      },
    });
    signal?.addEventListener('abort', abort, { once: true });
    asking?.(id);
    try {
      channel.send({ ...ask, id });
    } catch (error) {
      this.#pending.delete(id);
      over();
      throw error;
    }
    return promise;
  }

  /** An `answer` or `failed` that came over `channel`. @throws ProtocolFault */
  receive(channel: Channel, message: unknown): void {
    const { t, id, r, e } = fieldsOf(message);
    const number = countOf(id, this.#last + 1, 'the number of an ask');
    const pending = this.#pending.get(number);
    if (pending === undefined || pending.channel !== channel) {
      throw new ProtocolFault('an answer that nobody waits for');
    }
    this.#pending.delete(number);
    try {
      if (t === 'answer') pending.answer(r);
      else if (t === 'failed') pending.fail(errorOf(e));
      else throw new ProtocolFault('a message of no known kind');
    } catch (error) {
      // The process is ended for it, and this call with it.
      this.#pending.set(number, pending);
      throw error;
    }
  }

  /** The process is gone: what waits, and what is asked from now on, fails with `error`. */
  end(error: Unreachable): void {
    this.#down ??= error;
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const each of pending) each.fail(error);
  }

  #refuse(channel: Channel): void {
    if (this.#down !== undefined) throw this.#down;
    if (this.#pending.size < MAX_PENDING && channel.unsent < MAX_UNSENT_BYTES) return;
    throw new Unreachable(
      'MAPPER_BUSY',
      `the mapper "${this.#protocol}" does not answer: ${this.#pending.size} calls and ${channel.unsent} bytes wait for it`,
    );
  }
}
