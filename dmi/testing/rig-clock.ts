/** The clocks of a run: one that stands still until the run moves it, or real time. */
import { setTimeout as realDelay } from 'node:timers/promises';
import type { Clock } from '../mapper.ts';
import { fakeClock } from './clock.ts';

export interface RigClock extends Clock {
  /** How many sleeps and timers are waiting. */
  readonly pending: number;
  /** Moves by `ms` where it has to be moved. */
  advance(ms: number): Promise<void>;
}

export function rigClock(realTime: boolean): RigClock {
  return realTime ? realClock() : fakeClock();
}

function realClock(): RigClock {
  const timers = new Set<NodeJS.Timeout>();
  let sleeping = 0;
  return {
    now: () => Date.now(),
    monotonic: () => performance.now(),
    get pending() {
      return timers.size + sleeping;
    },
    async sleep(ms, signal) {
      sleeping++;
      try {
        await realDelay(ms, undefined, signal === undefined ? {} : { signal });
      } catch (error) {
        // As the Clock says: with the signal's reason, whatever that is.
        throw signal?.aborted === true ? signal.reason : error;
      } finally {
        sleeping--;
      }
    },
    after(ms, task) {
      const timer = setTimeout(() => {
        timers.delete(timer);
        task();
      }, ms);
      timers.add(timer);
      return () => {
        timers.delete(timer);
        clearTimeout(timer);
      };
    },
    advance: () => Promise.resolve(),
  };
}
