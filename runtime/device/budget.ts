/**
 * Time that may be wasted (pure): a bucket that holds `burstMs` and fills at an even rate, so that in no window of
 * ten minutes more than the stated share is taken out of it.
 */
export interface BudgetOptions {
  /** The most that may be spent of any window, as a fraction. */
  readonly share: number;
  /** So much of it at once. What is dearer in one piece overruns the share once, by its excess. */
  readonly burstMs: number;
}

/** The window that shares are stated for. */
export const WINDOW_MS = 600_000;

export class Budget {
  readonly #burstMs: number;
  readonly #rate: number;
  #savedMs: number;
  #atMs = -Infinity;

  constructor({ share, burstMs }: BudgetOptions) {
    this.#burstMs = burstMs;
    // Over a window at most the burst and what comes in meanwhile: burst + rate * window = share * window.
    this.#rate = share - burstMs / WINDOW_MS;
    if (!(this.#rate > 0))
      throw new RangeError(`a burst of ${burstMs} ms is beyond the share ${share}`);
    this.#savedMs = burstMs;
  }

  /** How long until `ms` may be spent, in whole ms; 0 when they may now. More than a burst waits for a full one. */
  waitMs(ms: number, nowMs: number): number {
    const missing = Math.min(ms, this.#burstMs) - this.#saved(nowMs);
    // What is missing by rounding alone is there.
    return missing <= 1e-6 ? 0 : Math.ceil(missing / this.#rate);
  }

  /** Takes out `ms`, just spent; also what is not there: it is paid back first. */
  spend(ms: number, nowMs: number): void {
    this.#savedMs = this.#saved(nowMs) - ms;
    this.#atMs = nowMs;
  }

  #saved(nowMs: number): number {
    if (this.#atMs === -Infinity) return this.#burstMs;
    return Math.min(this.#burstMs, this.#savedMs + (nowMs - this.#atMs) * this.#rate);
  }
}
