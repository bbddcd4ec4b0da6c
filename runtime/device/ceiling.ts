/** A ceiling for what a mapper may take: one that hangs, whatever it does with its signal, costs only its device. */
import { type Clock, Unreachable } from '@limpet/dmi';

/** The code of a call that was given up. */
export const CALL_TIMEOUT = 'CALL_TIMEOUT';

export interface Ceiling {
  readonly clock: Clock;
  readonly ms: number;
  /** What is being done, for the message: `read`. */
  readonly what: string;
  /** Ends the call early, with its reason. */
  readonly signal: AbortSignal;
}

/**
 * Runs `task` with a signal that ends at the ceiling, and stops waiting then even if `task` does not.
 * @throws Unreachable CALL_TIMEOUT; the signal's reason; what `task` throws
 */
export async function within<T>(
  ceiling: Ceiling,
  task: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { clock, ms, what, signal } = ceiling;
  signal.throwIfAborted();
  const inner = new AbortController();
  const { promise: over, reject } = Promise.withResolvers<never>();
  const end = (reason: unknown): void => {
    inner.abort(reason);
    reject(reason);
  };
  const cancel = clock.after(ms, () => {
    end(new Unreachable(CALL_TIMEOUT, `no answer to ${what} within ${ms / 1000} s`));
  });
  const abort = (): void => end(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([task(inner.signal), over]);
  } finally {
    cancel();
    signal.removeEventListener('abort', abort);
  }
}
