/**
 * Gives back memory that V8 would keep. It collects when its heap is full, which the small one of a mapper rarely is:
 * what loading left behind (garbage, and code that runs once) stays for good, and late garbage piles up for hours.
 */
import { type Clock } from '@limpet/dmi';
import process from 'node:process';

/** Collects all that can be collected, and forgets compiled code. 15 to 30 ms of a heap of 5 MiB. */
export type Collect = () => void;

/** So long after the start, when devices are connected; then twice as long each time. */
const FIRST_MS = 7_500;
const LONGEST_MS = 60_000;
/** One part of so many of the time is spent on it at most, however large the heap. */
const SHARE = 500;
/** Less is not worth it. */
const GROWN_BYTES = 524_288;

export interface CollectorOptions {
  readonly collect: Collect;
  readonly clock: Pick<Clock, 'monotonic'>;
  /** JavaScript heap and buffers, garbage included. */
  readonly used?: () => number;
}

export class Collector {
  readonly #options: CollectorOptions;
  readonly #used: () => number;
  #waitMs = FIRST_MS;
  #last = 0;
  #tookMs = 0;
  #kept = 0;

  constructor(options: CollectorOptions) {
    this.#options = options;
    this.#used = options.used ?? usedBytes;
  }

  /** Now, as at the end of loading. */
  collect(): void {
    const { collect, clock } = this.#options;
    const start = clock.monotonic();
    collect();
    this.#last = clock.monotonic();
    this.#tookMs = this.#last - start;
    this.#kept = this.#used();
  }

  /** To be called often: collects when enough has piled up, and long enough after the last time. */
  look(): void {
    const { clock } = this.#options;
    const waitMs = Math.max(this.#waitMs, this.#tookMs * SHARE);
    if (clock.monotonic() - this.#last < waitMs) return;
    if (this.#used() < this.#kept + GROWN_BYTES) return;
    this.#waitMs = Math.min(2 * this.#waitMs, LONGEST_MS);
    this.collect();
  }
}

/** Takes V8's collector, which `--expose-gc` opens, away from the global object: it is not for mappers. */
export function takeCollect(): Collect | undefined {
  const { gc } = globalThis;
  // V8 lets nobody delete it.
  Object.assign(globalThis, { gc: undefined });
  if (gc === undefined) return undefined;
  return () => gc({ type: 'major', execution: 'sync', flavor: 'last-resort' });
}

function usedBytes(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
