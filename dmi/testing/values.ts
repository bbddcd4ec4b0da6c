/** Comparing what was read with what should have been. */
import { isDeepStrictEqual } from 'node:util';
import { DmiError } from '../errors.ts';
import { isJson } from '../manifest/json.ts';
import type { Reading } from '../mapper.ts';
import type { PropertyType, Value } from '../value.ts';
import { Broken } from './broken.ts';

/** Whether two values are one: `7n` is `7`, a Buffer is its bytes. */
export function same(a: Value, b: Value): boolean {
  return isDeepStrictEqual(plain(a), plain(b));
}

/** Whether a value is what a property of `type` holds on the DMI. */
export function isOfType(value: Value, type: PropertyType): boolean {
  switch (type) {
    case 'bool':
      return typeof value === 'boolean';
    case 'int':
      return typeof value === 'bigint' || Number.isInteger(value);
    case 'float':
      return typeof value === 'number';
    case 'string':
      return typeof value === 'string';
    case 'bytes':
      return value instanceof Uint8Array;
    case 'json':
      return isJson(value, 1_048_576);
  }
}

/** The value of a reading that had to be good. */
export function good(reading: Reading | undefined, what: string): Value {
  if (reading?.ok === true) return reading.value;
  throw new Broken(`${what} gave ${reading === undefined ? 'no reading' : refusal(reading)}`);
}

/** A refused reading in words; insists that its error is a DmiError. */
export function refusal(reading: Reading): string {
  if (reading.ok) return show(reading.value);
  if (reading.error instanceof DmiError) return `${reading.error.name}: ${reading.error.message}`;
  throw new Broken('the error of a refused reading must be a DmiError, such as Refused');
}

export function show(value: Value): string {
  return typeof value === 'bigint' ? `${value}n` : JSON.stringify(plain(value));
}

function plain(value: Value): unknown {
  if (typeof value === 'bigint') {
    return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  }
  if (value instanceof Uint8Array) return `bytes ${Buffer.from(value).toString('hex')}`;
  return value === 0 ? 0 : value;
}
