/**
 * A property's past in buckets of time, pure. A value holds until the next sample or gap: so it counts in every bucket in
 * which it held, the mean is weighted by time, and where nothing held there is nothing. What is bad or stale does not hold.
 */
import type { Json } from '@limpet/dmi';
import type { Quality } from '@limpet/dmi/manifest';

/** Times in ms since 1970. */
export interface PastSample {
  readonly at: number;
  readonly value: Json;
  readonly quality: Quality;
}

/** `to` is undefined while it goes on. */
export interface PastGap {
  readonly cause: string;
  readonly from: number;
  readonly to?: number | undefined;
}

/** `count`: samples taken in it. `last`: what held last. `heldMs`: for how long anything held. The others of numbers and truth values (0 or 1) only. */
export interface Bucket {
  readonly from: number;
  readonly count: number;
  readonly heldMs: number;
  readonly min?: number;
  readonly max?: number;
  readonly mean?: number;
  readonly last?: Json;
}

interface Sums {
  count: number;
  heldMs: number;
  min: number;
  max: number;
  weighted: number;
  ms: number;
  last: Json | undefined;
}

export interface BucketsOptions {
  /** The begin of the first bucket. */
  readonly from: number;
  readonly bucketMs: number;
  /** The last sample before `from`. */
  readonly before: PastSample | undefined;
  /** Oldest first. */
  readonly gaps: readonly PastGap[];
}

/** The newest that one answer tells. */
const MOST_HOLES = 1_000;

/** Is told samples in the order of time. */
export class Buckets {
  readonly #bucketMs: number;
  readonly #gaps: readonly PastGap[];
  readonly #done: Bucket[] = [];
  #gap = 0;
  #start: number;
  #time: number;
  #held: Json | undefined;
  #sums: Sums;
  readonly #holes: PastGap[] = [];
  /** The one that goes on. */
  #hole: PastGap | undefined;

  constructor({ from, bucketMs, before, gaps }: BucketsOptions) {
    this.#bucketMs = bucketMs;
    this.#gaps = gaps;
    this.#start = from;
    this.#time = Math.min(from, before?.at ?? from);
    this.#held = heldOf(before);
    if (before !== undefined) this.#notGood(before.quality, before.at);
    this.#sums = fresh();
    // What ended before the first bucket is only looked at for whether the value still held.
    this.#passGaps(from);
    this.#time = from;
  }

  add(sample: PastSample): void {
    const at = Math.max(sample.at, this.#time);
    this.#passGaps(at);
    this.#advance(at);
    this.#held = heldOf(sample);
    this.#notGood(sample.quality, at);
    this.#sums.count++;
    this.#see();
  }

  /** All buckets up to a time, in which nothing was told after the last sample. */
  end(to: number): readonly Bucket[] {
    this.#passGaps(to);
    this.#advance(to);
    if (this.#time > this.#start) this.#close();
    return this.#done;
  }

  /** Where a value was known that did not hold, with its quality as the cause; oldest first. */
  holes(): readonly PastGap[] {
    return this.#hole === undefined ? this.#holes : [...this.#holes, this.#hole];
  }

  #notGood(quality: Quality, at: number): void {
    if (this.#hole?.cause === quality) return;
    this.#endHole(at);
    if (quality !== 'good') this.#hole = { cause: quality, from: at };
  }

  #endHole(to: number): void {
    if (this.#hole !== undefined && this.#hole.from < to) this.#holes.push({ ...this.#hole, to });
    if (this.#holes.length > MOST_HOLES) this.#holes.shift();
    this.#hole = undefined;
  }

  /** The value ends where a gap begins. */
  #passGaps(to: number): void {
    // One that begins with a sample begins after it.
    for (let gap = this.#gaps[this.#gap]; gap && gap.from < to; gap = this.#gaps[++this.#gap]) {
      const end = gap.to ?? Infinity;
      // One that ended before the value was taken, or took no time.
      if (end === gap.from || (end <= this.#time && gap.from < this.#time)) continue;
      if (gap.from >= this.#start) this.#advance(gap.from);
      this.#held = undefined;
      this.#endHole(gap.from);
    }
  }

  #advance(to: number): void {
    while (this.#start + this.#bucketMs <= to) {
      this.#hold(this.#start + this.#bucketMs);
      this.#close();
    }
    this.#hold(to);
  }

  #hold(to: number): void {
    const ms = to - this.#time;
    if (ms <= 0) return;
    this.#time = to;
    if (this.#held === undefined) return;
    this.#see();
    this.#sums.heldMs += ms;
    const number = numberOf(this.#held);
    if (number === undefined) return;
    this.#sums.ms += ms;
    this.#sums.weighted += number * ms;
  }

  /** The value that holds is one of this bucket. */
  #see(): void {
    if (this.#held === undefined) return;
    const sums = this.#sums;
    sums.last = this.#held;
    const number = numberOf(this.#held);
    if (number === undefined) return;
    sums.min = Math.min(sums.min, number);
    sums.max = Math.max(sums.max, number);
  }

  #close(): void {
    const { count, heldMs, min, max, weighted, ms, last } = this.#sums;
    if (count > 0 || last !== undefined) {
      this.#done.push({
        from: this.#start,
        count,
        heldMs,
        ...(min <= max && { min, max, mean: ms > 0 ? weighted / ms : (numberOf(last) ?? min) }),
        ...(last !== undefined && { last }),
      });
    }
    this.#start += this.#bucketMs;
    this.#time = Math.max(this.#time, this.#start);
    this.#sums = fresh();
  }
}

function fresh(): Sums {
  return {
    count: 0,
    heldMs: 0,
    min: Infinity,
    max: -Infinity,
    weighted: 0,
    ms: 0,
    last: undefined,
  };
}

function heldOf(sample: PastSample | undefined): Json | undefined {
  return sample?.quality === 'good' && sample.value !== null ? sample.value : undefined;
}

function numberOf(value: Json | undefined): number | undefined {
  if (typeof value === 'number') return value;
  return typeof value === 'boolean' ? Number(value) : undefined;
}
