/**
 * How long to wait before the next attempt: anywhere between the shortest delay and a ceiling that doubles with
 * each attempt (full jitter), so that a thousand nodes cut off together do not come back together.
 */
export interface BackoffOptions {
  /** No delay is shorter. Default 1 s. */
  readonly minMs?: number;
  /** No delay is longer. Default 5 min. */
  readonly maxMs?: number;
  /** Uniform in [0, 1). */
  readonly random?: () => number;
}

export class Backoff implements Iterable<number> {
  readonly #minMs: number;
  readonly #maxMs: number;
  readonly #random: () => number;
  #ceilingMs: number;

  constructor(options: BackoffOptions = {}) {
    this.#minMs = options.minMs ?? 1_000;
    this.#maxMs = options.maxMs ?? 300_000;
    this.#random = options.random ?? Math.random;
    if (!(this.#minMs > 0 && this.#minMs <= this.#maxMs)) {
      throw new RangeError(
        `backoff needs 0 < minMs <= maxMs, got ${this.#minMs} and ${this.#maxMs}`,
      );
    }
    this.#ceilingMs = this.#minMs;
  }

  /** The next delay, in whole ms. */
  next(): number {
    this.#ceilingMs = Math.min(this.#ceilingMs * 2, this.#maxMs);
    return Math.floor(this.#minMs + this.#random() * (this.#ceilingMs - this.#minMs));
  }

  /** After a success: begin again with short delays. */
  reset(): void {
    this.#ceilingMs = this.#minMs;
  }

  /** Delays without end: `for (const delay of backoff)`. */
  *[Symbol.iterator](): Generator<number, never, void> {
    for (;;) yield this.next();
  }
}
