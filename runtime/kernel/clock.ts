/** The real time. Tests pass a clock of their own. */
import process from 'node:process';
import { type Clock } from '@limpet/dmi';

/** What Node's timers hold at most; a longer delay would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  // Not `performance`: naming it loads all of node:perf_hooks, 0.1 MiB.
  monotonic: () => process.uptime() * 1000,
  sleep(ms, signal) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const abort = (): void => {
        cancel();
        reject(signal?.reason);
      };
      const cancel = after(ms, () => {
        signal?.removeEventListener('abort', abort);
        resolve();
      });
      signal?.addEventListener('abort', abort, { once: true });
    });
  },
  after,
};

function after(ms: number, task: () => void): () => void {
  let timer: NodeJS.Timeout;
  const arm = (left: number): void => {
    const step = Math.min(left, LONGEST_TIMER_MS);
    timer = setTimeout(() => (left > step ? arm(left - step) : task()), step);
  };
  arm(ms);
  return () => clearTimeout(timer);
}
