/** A clock that stands still until it is told to move. */
import { setImmediate } from 'node:timers/promises';
import type { Clock } from '../mapper.ts';

export interface FakeClock extends Clock {
  /**
   * Moves time by `ms`, running what falls due in its order; promises get their turns in between, so that a
   * sleeper can go to sleep again within the same span.
   */
  advance(ms: number): Promise<void>;
  /** Sets the wall clock without running anything, as NTP does; `monotonic` does not notice. */
  jump(nowMs: number): void;
  /** How many sleeps and timers are waiting. */
  readonly pending: number;
}

/** What one `advance` runs at most. */
const MAX_TASKS = 1_000_000;

interface Timer {
  readonly due: number;
  readonly task: () => void;
}

/** A {@link FakeClock} that begins at `startMs` of wall time and 0 of monotonic time. */
export function fakeClock(startMs: number = Date.UTC(2026, 0, 1)): FakeClock {
  const timers = new Set<Timer>();
  let elapsed = 0;
  let wall = startMs;

  const after: Clock['after'] = (ms, task) => {
    const timer = { due: elapsed + Math.max(0, ms), task };
    timers.add(timer);
    return () => void timers.delete(timer);
  };
  const move = (to: number): void => {
    wall += to - elapsed;
    elapsed = to;
  };

  return {
    now: () => wall,
    monotonic: () => elapsed,
    after,
    sleep: (ms, signal) => sleep(after, ms, signal),
    jump: (nowMs) => void (wall = nowMs),
    get pending() {
      return timers.size;
    },
    async advance(ms) {
      const end = elapsed + ms;
      let left = MAX_TASKS;
      // Whoever was just called may still be on the way to setting a timer.
      await setImmediate();
      for (let next = earliest(timers, end); next !== undefined; next = earliest(timers, end)) {
        if (left-- === 0) throw new Error('a timer sets itself again without time passing');
        timers.delete(next);
        move(Math.max(elapsed, next.due));
        next.task();
        await setImmediate();
      }
      move(Math.max(elapsed, end));
    },
  };
}

/** The timer due first, of equal ones the one set first; `undefined` when none is due by `end`. */
function earliest(timers: ReadonlySet<Timer>, end: number): Timer | undefined {
  let first: Timer | undefined;
  for (const timer of timers) {
    if (timer.due <= end && (first === undefined || timer.due < first.due)) first = timer;
  }
  return first;
}

async function sleep(after: Clock['after'], ms: number, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const cancel = after(ms, resolve);
  const onAbort = (): void => {
    cancel();
    // As the Clock says: with the signal's reason, whatever that is.
    reject(signal?.reason as Error);
  };
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    await promise;
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
}
