/** What reading a device needs of the session that it is part of. */
import { type Clock, type Connection, type Log } from '@limpet/dmi';
import { type Reporter } from './reporter.ts';
import { type Rank } from './turns.ts';

export interface Asked {
  /** For messages: `read`. */
  readonly what: string;
  readonly properties: number;
}

export type Task<T> = (connection: Connection<unknown>, signal: AbortSignal) => Promise<T>;

export interface Conversation {
  readonly clock: Clock;
  readonly log: Log;
  readonly reporter: Reporter;
  /** Calls the mapper in a turn of the device, see {@link Session.call}. */
  readonly call: <T>(rank: Rank, asked: Asked, task: Task<T>) => Promise<T>;
  /** Its end; the reason is what ended it. */
  readonly signal: AbortSignal;
  readonly end: (reason: unknown) => void;
  /** Whether what the device says now is still what it is asked for: its plan can have changed. */
  readonly wanted: () => boolean;
  /** The device has said something. */
  readonly answered: () => void;
}

/** Asks, and once more after one reply that got lost, which a session bears. @throws what the call throws */
export async function ask<T>(
  { call, signal, log }: Conversation,
  asked: Asked,
  task: Task<T>,
): Promise<T> {
  try {
    return await call('poll', asked, task);
  } catch (error) {
    if (signal.aborted) throw error;
    log.debug('no answer: asked once more', { what: asked.what, error });
    return call('poll', asked, task);
  }
}
