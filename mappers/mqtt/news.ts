/** Which readings are worth telling: another value at once, the same one again once a second. */
import type { Reading, Value } from '@limpet/dmi';

const AGAIN_MS = 1_000;

/** What was told last; in place, as what is made anew for each message piles up. */
export interface Told {
  value: Value | undefined;
  /** Of its doubt or its error. */
  code: string | undefined;
  atMs: number;
}

/** What was told now, unless that is no news. */
export function toldNow(last: Told | undefined, reading: Reading, atMs: number): Told | undefined {
  const value = reading.ok ? reading.value : undefined;
  const code = reading.ok ? reading.doubt?.code : reading.error.code;
  if (last === undefined) return { value, code, atMs };
  if (atMs - last.atMs < AGAIN_MS && code === last.code && sameOrNone(value, last.value)) {
    return undefined;
  }
  last.value = value;
  last.code = code;
  last.atMs = atMs;
  return last;
}

function sameOrNone(a: Value | undefined, b: Value | undefined): boolean {
  return a === undefined || b === undefined ? a === b : sameValue(a, b);
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
