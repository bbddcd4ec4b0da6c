/** Which readings are worth telling: another value at once, the same one again once a second. */
import type { Clock, Reading, Value } from '@limpet/dmi';

const AGAIN_MS = 1_000;

/** One entry for each thing that is told of. */
export class News<Key> {
  readonly #clock: Clock;
  readonly #told = new Map<Key, { reading: Reading; atMs: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether it is to be told; if so, it counts as told. */
  isNews(key: Key, reading: Reading): boolean {
    const atMs = this.#clock.monotonic();
    const last = this.#told.get(key);
    if (last === undefined) {
      this.#told.set(key, { reading, atMs });
      return true;
    }
    if (atMs - last.atMs < AGAIN_MS && sameReading(last.reading, reading)) return false;
    last.reading = reading;
    last.atMs = atMs;
    return true;
  }
}

function sameReading(a: Reading, b: Reading): boolean {
  if (!a.ok || !b.ok) return a.ok === b.ok && !a.ok && !b.ok && a.error.code === b.error.code;
  return a.doubt?.code === b.doubt?.code && sameValue(a.value, b.value);
}

/** Whether two values are one: 7n and 7, and bytes and JSON by what is in them. */
export function sameValue(a: Value, b: Value): boolean {
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b) === 0;
  if (typeof a === 'object' && typeof b === 'object')
    return JSON.stringify(a) === JSON.stringify(b);
  return a === b || (isNumeric(a) && isNumeric(b) && BigInt(a) === BigInt(b));
}

function isNumeric(value: Value): value is number | bigint {
  return typeof value === 'bigint' || Number.isInteger(value);
}
