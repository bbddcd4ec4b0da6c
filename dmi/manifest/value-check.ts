/** Whether a value may be what a property holds: its type, its limits, its size. */
import type { Json, PropertyType } from '../value.ts';
import { jsonFault, kindOf } from './json.ts';
import { suggestion } from './nearest.ts';
import type { DeviceModel, Property } from './resource.ts';

/** The ceiling of one value, in bytes as JSON. */
export const MAX_VALUE_BYTES = 65_536;

export type ValueCode =
  | 'PROPERTY_UNKNOWN'
  | 'PROPERTY_READ_ONLY'
  | 'VALUE_TYPE'
  | 'VALUE_TOO_LARGE'
  | 'VALUE_BELOW_MINIMUM'
  | 'VALUE_ABOVE_MAXIMUM';

/** The value in its one JSON form (an int within 2^53 a number, base64 padded), or why it cannot be. */
export type CheckedValue =
  | { readonly ok: true; readonly value: Json }
  | { readonly ok: false; readonly code: ValueCode; readonly message: string };

type Limits = Pick<Property, 'name' | 'type' | 'minimum' | 'maximum' | 'unit'>;

const EXPECTED: Readonly<Record<PropertyType, string>> = {
  bool: 'true or false',
  int: 'a whole number (beyond 2^53 as decimal digits in quotes)',
  float: 'a finite number',
  string: 'text',
  bytes: 'bytes as base64 text, such as "SGk="',
  json: 'JSON other than null',
};

/** An order for `propertyName` of a device of `model`: {@link checkValue}, and the property can be written. */
export function checkOrder(model: DeviceModel, propertyName: string, value: unknown): CheckedValue {
  const { properties } = model.spec;
  const property = properties.find((each) => each.name === propertyName);
  if (property === undefined) {
    const hint = suggestion(
      propertyName,
      properties.map((each) => each.name),
    );
    return refusal(
      'PROPERTY_UNKNOWN',
      `model "${model.metadata.name}" has no property "${clip(propertyName)}".${hint}`,
    );
  }
  // null withdraws an order, which is always possible.
  if (value === null) return { ok: true, value };
  if (property.access !== 'readWrite') {
    return refusal(
      'PROPERTY_READ_ONLY',
      `"${propertyName}" is read-only: set a property whose access is readWrite, or change the model.`,
    );
  }
  return checkValue(property, value);
}

/** Whether `value` (JSON) fits the property's type, limits and the size ceiling. */
export function checkValue(property: Limits, value: unknown): CheckedValue {
  const odd = jsonFault(value, MAX_VALUE_BYTES);
  if (odd?.tooLarge === true) {
    return refusal('VALUE_TOO_LARGE', `"${property.name}" ${odd.message}.`);
  }
  const exact = odd === undefined ? convert(property.type, value) : undefined;
  if (exact === undefined) {
    const found =
      odd === undefined ? `; found ${describe(property.type, value)}` : ` and ${odd.message}`;
    return refusal('VALUE_TYPE', `"${property.name}" must be ${EXPECTED[property.type]}${found}.`);
  }
  if (typeof exact === 'number' || typeof exact === 'bigint') return checkLimits(property, exact);
  return { ok: true, value: exact };
}

function checkLimits(property: Limits, value: number | bigint): CheckedValue {
  const { minimum, maximum } = property;
  const unit = property.unit === undefined ? '' : ` ${property.unit}`;
  if (minimum !== undefined && value < minimum) {
    return refusal(
      'VALUE_BELOW_MINIMUM',
      `"${property.name}" must be at least ${minimum}${unit}; found ${value}.`,
    );
  }
  if (maximum !== undefined && value > maximum) {
    return refusal(
      'VALUE_ABOVE_MAXIMUM',
      `"${property.name}" must be at most ${maximum}${unit}; found ${value}.`,
    );
  }
  return { ok: true, value: typeof value === 'bigint' ? String(value) : value };
}

/** The value in its exact form; a bigint stands for an int beyond 2^53. */
function convert(type: PropertyType, value: unknown): Json | bigint | undefined {
  switch (type) {
    case 'bool':
      return typeof value === 'boolean' ? value : undefined;
    case 'int':
      return integer(value);
    case 'float':
      // `+ 0` makes -0, which JSON cannot say, 0.
      return typeof value === 'number' ? value + 0 : undefined;
    case 'string':
      return typeof value === 'string' ? value : undefined;
    case 'bytes':
      return base64(value);
    case 'json':
      return value === null ? undefined : (value as Json);
  }
}

function integer(value: unknown): number | bigint | undefined {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value + 0 : undefined;
  // 40 digits hold a signed 128-bit integer; no bus carries more.
  if (typeof value !== 'string' || !/^-?(0|[1-9]\d{0,39})$/.test(value)) return undefined;
  const exact = BigInt(value);
  const near = Number(exact);
  return Number.isSafeInteger(near) ? near : exact;
}

function base64(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined;
  const canonical = Buffer.from(value, 'base64').toString('base64');
  return canonical === value || canonical.replace(/=+$/, '') === value ? canonical : undefined;
}

function describe(type: PropertyType, value: unknown): string {
  if (type !== 'int' || typeof value !== 'number') return kindOf(value);
  return Number.isInteger(value) ? 'a number too large to be exact' : 'a number with a fraction';
}

function clip(text: string): string {
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

function refusal(code: ValueCode, message: string): CheckedValue {
  return { ok: false, code, message };
}
