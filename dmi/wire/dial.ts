/** What the blocks for lines, frames and HTTP share: a dial with an end, turns, and quotes for messages. */
import type { Duplex } from 'node:stream';
import { Unreachable } from '../errors.ts';
import type { MapperContext } from '../mapper.ts';
import { unlessAborted } from '../unless-aborted.ts';

/** The least that a connection may take: a TCP handshake that lost a packet needs more than a second. */
const DIAL_MS = 5000;

/** Where a device is, how long it may take, and the code of being late. */
export interface Dial {
  readonly address: string;
  readonly timeoutMs: number;
  readonly code: string;
}

/** @throws Unreachable when it takes longer than five seconds, or than an answer may take if that is more */
export async function dialWithin(
  { address, timeoutMs, code }: Dial,
  context: Pick<MapperContext, 'dial' | 'clock'>,
  signal: AbortSignal,
): Promise<Duplex> {
  const ms = Math.max(timeoutMs, DIAL_MS);
  const deadline = new AbortController();
  const late = new Unreachable(code, `no connection to ${address} within ${ms} ms`);
  const cancel = context.clock.after(ms, () => deadline.abort(late));
  try {
    return await context.dial(address, AbortSignal.any([signal, deadline.signal]));
  } finally {
    cancel();
  }
}

/** One call at a time, in the order they came; whoever is given up while waiting leaves the queue at once. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  async take<T>(signal: AbortSignal, task: () => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    const before = this.#last;
    const { promise: done, resolve } = Promise.withResolvers<void>();
    this.#last = before.then(() => done);
    try {
      await unlessAborted(before, signal);
      return await task();
    } finally {
      resolve();
    }
  }
}

/** As much of a text as a message should quote. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}
