/**
 * When each property of a device was read last, and the number that it gave: a twin keeps only what was reported, so
 * without this nobody could tell a value that stands still from one that is not read. 8 bytes a property, and 8 more
 * in models with a deadband.
 */
import { type Answer } from './convert.ts';
import { type PlannedProperty } from './plan.ts';

export interface LastReading {
  /** On the monotonic clock. */
  readonly readMs: number;
  /** Of a property with a deadband. */
  readonly value?: number;
}

export interface Oldest {
  readonly property: string;
  readonly ageMs: number;
  readonly everyMs: number;
}

const NEVER = Number.NEGATIVE_INFINITY;

export class LastReadings {
  #of: ReadonlyMap<string, PlannedProperty> | undefined;
  #readMs = new Float64Array();
  #numbers = new Float64Array();

  /** From now on those of this plan; what is known of the same one stays. */
  begin(properties: ReadonlyMap<string, PlannedProperty>): void {
    if (this.#of === properties) return;
    this.#of = properties;
    this.#readMs = new Float64Array(properties.size).fill(NEVER);
    const deadbands = [...properties.values()].some(
      ({ property }) => property.deadband !== undefined,
    );
    this.#numbers = new Float64Array(deadbands ? properties.size : 0).fill(Number.NaN);
  }

  /** What is not of this plan any more falls beyond the arrays, or is put right by the next reading. */
  note({ index }: PlannedProperty, said: Answer, nowMs: number): void {
    this.#readMs[index] = nowMs;
    if (this.#numbers.length === 0) return;
    this.#numbers[index] = said.ok && typeof said.value === 'number' ? said.value : Number.NaN;
  }

  /** Of these, the one that was read longest ago in terms of its period. */
  oldest(properties: Iterable<PlannedProperty>, nowMs: number): Oldest | undefined {
    let most = 0;
    let oldest: Oldest | undefined;
    for (const planned of properties) {
      const { index, everyMs, property } = planned;
      const ageMs = nowMs - (this.#readMs[index] ?? NEVER);
      if (ageMs === Infinity || ageMs / everyMs <= most) continue;
      most = ageMs / everyMs;
      oldest = { property: property.name, ageMs, everyMs };
    }
    return oldest;
  }

  /** `undefined`: not read yet. */
  of({ index }: PlannedProperty): LastReading | undefined {
    const readMs = this.#readMs[index] ?? NEVER;
    if (readMs === NEVER) return undefined;
    const value = this.#numbers[index] ?? Number.NaN;
    return Number.isNaN(value) ? { readMs } : { readMs, value };
  }
}
