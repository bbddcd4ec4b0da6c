/**
 * What a device tells by itself, until it is passed on: the latest reading of each property, not more often than
 * its period. So it is as large as there are properties, and a flood costs no more than polling would.
 */
import { type Clock, type Reading } from '@limpet/dmi';
import { type PlannedProperty } from './plan.ts';
import { earlyMs } from './schedule.ts';

/** Passed on at most this often, and so many at a time: the event loop is not held up. */
const FLUSH_MS = 20;
export const MAX_SLICE = 500;

export interface OutboxOptions {
  readonly clock: Clock;
  readonly properties: readonly PlannedProperty[];
  /** Takes readings of `asked`, in its order. */
  readonly pass: (asked: readonly PlannedProperty[], readings: readonly Reading[]) => void;
}

/** Indexes are those of `properties`, which are all of a plan. Invariant: `#order` holds each index that has a reading waiting, once. */
export class Outbox {
  readonly #options: OutboxOptions;
  readonly #waiting: (Reading | undefined)[] = [];
  #order: number[] = [];
  /** When a reading of each was passed on last. */
  readonly #passedMs: Float64Array;
  #flushedMs = -Infinity;
  #timer: { readonly dueMs: number; readonly cancel: () => void } | undefined;
  #state: 'held' | 'open' | 'closed' = 'held';
  #unheard: number;
  /** Readings that a later one replaced before they were passed on. */
  superseded = 0;

  constructor(options: OutboxOptions) {
    this.#options = options;
    this.#unheard = options.properties.length;
    this.#passedMs = new Float64Array(options.properties.length).fill(-Infinity);
  }

  /** Properties of which nothing was passed on yet. */
  get unheard(): number {
    return this.#unheard;
  }

  put(index: number, reading: Reading): void {
    if (this.#state === 'closed') return;
    const waits = this.#waiting[index] !== undefined;
    this.#waiting[index] = reading;
    if (waits) {
      this.superseded += 1;
      return;
    }
    this.#order.push(index);
    if (this.#state === 'open') this.#arm(this.#dueMs(index));
  }

  /** Until now readings were only kept. `without`: these are not told, and not waited for. */
  open(without: ReadonlySet<number>): void {
    this.#state = 'open';
    this.#unheard -= without.size;
    for (const index of without) this.#waiting[index] = undefined;
    this.#order = this.#order.filter((index) => !without.has(index));
    if (this.#order.length > 0) this.#flush();
  }

  /** Forgets what waits of this property: something newer is known. */
  drop(property: PlannedProperty): void {
    const { index } = property;
    if (this.#options.properties[index] !== property || this.#waiting[index] === undefined) return;
    this.#waiting[index] = undefined;
    this.#order = this.#order.filter((each) => each !== index);
  }

  /** Passes on what waits; nothing more is taken. */
  close(): void {
    const last = this.#state === 'open' ? this.#order : [];
    this.#state = 'closed';
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#order = [];
    if (last.length > 0) this.#pass(last);
  }

  #flush(): void {
    const now = this.#options.clock.monotonic();
    this.#timer = undefined;
    this.#flushedMs = now;
    const due: number[] = [];
    const rest: number[] = [];
    let nextMs = Infinity;
    for (const index of this.#order) {
      const dueMs = this.#dueMs(index);
      if (dueMs <= now && due.length < MAX_SLICE) {
        due.push(index);
      } else {
        rest.push(index);
        nextMs = Math.min(nextMs, dueMs);
      }
    }
    this.#order = rest;
    if (nextMs < Infinity) this.#arm(nextMs);
    if (due.length > 0) this.#pass(due);
  }

  #pass(indexes: readonly number[]): void {
    const { clock, properties, pass } = this.#options;
    const now = clock.monotonic();
    const asked: PlannedProperty[] = [];
    const readings: Reading[] = [];
    for (const index of indexes) {
      const [property, reading] = [properties[index], this.#waiting[index]];
      if (property === undefined || reading === undefined) continue;
      asked.push(property);
      readings.push(reading);
      this.#waiting[index] = undefined;
      if (this.#passedMs[index] === -Infinity) this.#unheard -= 1;
      this.#passedMs[index] = now;
    }
    pass(asked, readings);
  }

  #dueMs(index: number): number {
    const everyMs = this.#options.properties[index]?.everyMs ?? 0;
    return (this.#passedMs[index] ?? 0) + everyMs - earlyMs(everyMs);
  }

  #arm(dueMs: number): void {
    const at = Math.max(dueMs, this.#flushedMs + FLUSH_MS);
    if (this.#timer !== undefined && this.#timer.dueMs <= at) return;
    this.#timer?.cancel();
    const { clock } = this.#options;
    // What was never passed on is due since ever, and Node warns of a timer below zero.
    const leftMs = Math.max(0, at - clock.monotonic());
    const cancel = clock.after(leftMs, () => this.#flush());
    this.#timer = { dueMs: at, cancel };
  }
}
