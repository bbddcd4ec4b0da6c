/**
 * From what a mapper gives to what a twin holds, and back (pure): type conversion, limits, deadband. A value is
 * never made up: what cannot be converted is bad with its reason, and the last good value stays.
 */
import { type Json, type Reading, type Value } from '@limpet/dmi';
import {
  jsonFault,
  MAX_VALUE_BYTES,
  type Property,
  type Reason,
  type Reported,
} from '@limpet/dmi/manifest';
import { isDeepStrictEqual } from 'node:util';
import { reasonOf } from './reaction.ts';

type Shape = Pick<Property, 'name' | 'type' | 'minimum' | 'maximum' | 'unit' | 'deadband'>;

/** A reading as JSON. `reason` beside a value: the device says so, but it is not to be trusted. `at` as it says. */
export type Answer =
  | { readonly ok: true; readonly value: Json; readonly reason?: Reason; readonly at?: number }
  | { readonly ok: false; readonly reason: Reason };

/** What a reading says, by the property's type and limits. */
export function answer(property: Shape, reading: Reading): Answer {
  if (!reading.ok) return { ok: false, reason: reasonOf(reading.error) };
  const converted = toJson(property, reading.value);
  if (!converted.ok) return converted;
  const { at, doubt } = reading;
  const reason = doubt === undefined ? outOfRange(property, converted.value) : reasonOf(doubt);
  if (reason === undefined && at === undefined) return converted;
  return { ...converted, ...(reason && { reason }), ...(at !== undefined && { at }) };
}

/**
 * The reported value after `said`, or nothing when nothing is to be reported: unchanged, or a number that moved less
 * than the deadband from the value last *reported* (so a slow drift is seen in the end).
 */
export function nextReported(
  property: Shape,
  previous: Reported<number> | undefined,
  said: Answer,
  atMs: number,
): Reported<number> | undefined {
  const { reason } = said;
  const quality = reason === undefined ? 'good' : 'bad';
  const last = previous ?? { value: null, at: atMs, quality: undefined, reason: undefined };
  if (last.quality === quality && last.reason?.code === reason?.code) {
    if (!said.ok || still(property, last.value, said.value)) return undefined;
  }
  const { value, at } = said.ok ? { value: said.value, at: told(said.at, atMs) } : last;
  return { value, at, quality, ...(reason && { reason }) };
}

/** What a device says of the past is taken as it is; its clock may be wrong, but nothing is reported from the future. */
function told(at: number | undefined, now: number): number {
  return at !== undefined && at >= 0 && at < now ? at : now;
}

/** A checked JSON value (see `checkOrder`) as the DMI takes it. */
export function toValue(type: Property['type'], value: Json): Value {
  if (type === 'int' && typeof value === 'string') return BigInt(value);
  if (type === 'bytes' && typeof value === 'string') {
    return new Uint8Array(Buffer.from(value, 'base64'));
  }
  return value;
}

/** Whether two values of a property are the same, up to what binary fractions cannot say. */
export function same(a: Json, b: Json): boolean {
  if (typeof a === 'number' && typeof b === 'number') {
    return a === b || Math.abs(a - b) <= 1e-9 * Math.max(Math.abs(a), Math.abs(b));
  }
  return isDeepStrictEqual(a, b);
}

function still(property: Shape, before: Json, now: Json): boolean {
  const { deadband } = property;
  if (deadband !== undefined && typeof before === 'number' && typeof now === 'number') {
    // The slack is for decimal deadbands: 20.1 - 20 is a little more than 0.1 in binary.
    return Math.abs(now - before) < deadband - 1e-9 * Math.abs(now) || before === now;
  }
  return isDeepStrictEqual(before, now);
}

function toJson(property: Shape, value: Value): Answer {
  switch (property.type) {
    case 'bool':
      return typeof value === 'boolean' ? { ok: true, value } : mismatch(property, value);
    case 'int':
      return toInt(property, value);
    case 'float':
      return toFloat(property, value);
    case 'string':
      return typeof value === 'string' ? bounded(property, value) : mismatch(property, value);
    case 'bytes':
      return value instanceof Uint8Array
        ? bounded(property, Buffer.from(value).toString('base64'))
        : mismatch(property, value);
    case 'json':
      return toPlain(property, value);
  }
}

function toInt(property: Shape, value: Value): Answer {
  if (typeof value === 'bigint') {
    const near = Number(value);
    return { ok: true, value: Number.isSafeInteger(near) ? near : String(value) };
  }
  if (typeof value !== 'number') return mismatch(property, value);
  if (!Number.isFinite(value)) return notFinite(property);
  // Beyond 2^53 a number has lost digits already; the mapper must give a bigint.
  return Number.isSafeInteger(value) ? { ok: true, value: value + 0 } : mismatch(property, value);
}

function toFloat(property: Shape, value: Value): Answer {
  if (typeof value !== 'number') return mismatch(property, value);
  // `+ 0` makes -0, which JSON cannot say, 0.
  return Number.isFinite(value) ? { ok: true, value: value + 0 } : notFinite(property);
}

function toPlain(property: Shape, value: Value): Answer {
  if (typeof value === 'bigint' || value instanceof Uint8Array || value === null) {
    return mismatch(property, value);
  }
  try {
    const text = JSON.stringify(value);
    if (text === undefined) return mismatch(property, value);
    return text.length > MAX_VALUE_BYTES
      ? tooLong(property)
      : bounded(property, JSON.parse(text) as Json);
  } catch {
    // Cycles and bigints within: not JSON, and the device's mapper is at fault, not this process.
    return mismatch(property, value);
  }
}

/** As the cloud's door judges it: what that refused would never be seen there. */
function bounded(property: Shape, value: Json): Answer {
  const fault = jsonFault(value, MAX_VALUE_BYTES);
  if (fault === undefined) return { ok: true, value };
  if (fault.tooLarge) return tooLong(property);
  return bad('VALUE_TYPE', `"${property.name}" ${fault.message}: read a part of it.`);
}

function outOfRange(property: Shape, value: Json): Reason | undefined {
  const { name, type, minimum = -Infinity, maximum = Infinity, unit } = property;
  if (type !== 'int' && type !== 'float') return undefined;
  const number = Number(value);
  if (number >= minimum && number <= maximum) return undefined;
  const side = number < minimum ? `below its minimum ${minimum}` : `above its maximum ${maximum}`;
  return {
    code: 'VALUE_OUT_OF_RANGE',
    message: `"${name}" is ${side}${unit === undefined ? '' : ` ${unit}`}: check the device, or the limits in its model.`,
  };
}

function notFinite({ name }: Shape): Answer {
  return bad(
    'VALUE_NOT_FINITE',
    `"${name}" is not a number (NaN or infinite): the device has no valid measurement, or the visitor's type or byte order is wrong.`,
  );
}

function mismatch({ name, type }: Shape, value: Value): Answer {
  return bad(
    'VALUE_TYPE',
    `"${name}" is declared ${type}, but the mapper gave ${kindOf(value)}: correct the property's type or its visitor.`,
  );
}

function tooLong({ name }: Shape): Answer {
  return bad(
    'VALUE_TOO_LONG',
    `"${name}" is longer than ${MAX_VALUE_BYTES} bytes as JSON: read a shorter part of it.`,
  );
}

function kindOf(value: Value): string {
  if (value === null || value === undefined) return String(value);
  if (value instanceof Uint8Array) return 'bytes';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'number' && !Number.isSafeInteger(value)) {
    return Number.isInteger(value) ? 'a number beyond 2^53' : 'a fraction';
  }
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

function bad(code: string, message: string): Answer {
  return { ok: false, reason: { code, message } };
}
