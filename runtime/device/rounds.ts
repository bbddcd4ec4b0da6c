/**
 * What is read together: the properties of the periods that are due, in batches. The lists are kept, because the
 * same ones are read again and again, and mappers keep what they worked out for a list.
 */
import { type PlannedProperty } from './plan.ts';
import { batches } from './schedule.ts';

export interface Batch {
  readonly asked: readonly PlannedProperty[];
  readonly visitors: readonly unknown[];
}

/** Periods of 1, 2 and 5 s make four rounds; those of odder ones are made anew each time. */
const MAX_KEPT = 4;

export class Rounds {
  readonly #properties: readonly PlannedProperty[];
  /** By their periods; the oldest goes first. */
  readonly #kept = new Map<string, readonly Batch[]>();

  constructor(properties: readonly PlannedProperty[]) {
    this.#properties = properties;
  }

  /** Everything of these periods, in the order of the model. */
  of(periods: readonly number[]): readonly Batch[] {
    const key = periods.join();
    const kept = this.#kept.get(key);
    if (kept !== undefined) return kept;
    const due = new Set(periods);
    const asked = this.#properties.filter(({ everyMs }) => due.has(everyMs));
    const round = batches(asked).map((each) => ({
      asked: each,
      visitors: each.map(({ visitor }) => visitor),
    }));
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size < MAX_KEPT) break;
      this.#kept.delete(oldest);
    }
    this.#kept.set(key, round);
    return round;
  }
}
