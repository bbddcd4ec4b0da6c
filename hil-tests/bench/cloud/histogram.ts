/** Durations counted by size: a million of them in a few hundred numbers that travel between processes and add up. */

/** Each bucket is so much wider than the one below: what is told is at most 2 % too high. */
const GROWTH = 1.02;
const LEAST_MS = 0.01;
const WIDTH = Math.log(GROWTH);

/** By bucket, how often. */
export type Counted = readonly (readonly [bucket: number, times: number])[];

export class Histogram {
  readonly #buckets = new Map<number, number>();
  #count = 0;
  #max = 0;

  get count(): number {
    return this.#count;
  }

  /** The longest, exactly; of a merged one, to the bucket. */
  get max(): number {
    return this.#max;
  }

  add(ms: number): void {
    const bucket = ms <= LEAST_MS ? 0 : Math.ceil(Math.log(ms / LEAST_MS) / WIDTH);
    this.#put(bucket, 1);
    this.#max = Math.max(this.#max, ms);
  }

  merge(counted: Counted): void {
    for (const [bucket, times] of counted) {
      this.#put(bucket, times);
      this.#max = Math.max(this.#max, upTo(bucket));
    }
  }

  /** What was counted since the last time this was asked. */
  take(): Counted {
    const counted = [...this.#buckets];
    this.#buckets.clear();
    this.#count = 0;
    this.#max = 0;
    return counted;
  }

  /** `undefined` when nothing was counted. */
  quantile(q: number): number | undefined {
    let left = Math.max(1, Math.ceil(q * this.#count));
    for (const [bucket, times] of [...this.#buckets].toSorted(([a], [b]) => a - b)) {
      left -= times;
      if (left <= 0) return Math.min(upTo(bucket), this.#max);
    }
    return undefined;
  }

  #put(bucket: number, times: number): void {
    this.#buckets.set(bucket, (this.#buckets.get(bucket) ?? 0) + times);
    this.#count += times;
  }
}

function upTo(bucket: number): number {
  return LEAST_MS * GROWTH ** bucket;
}
