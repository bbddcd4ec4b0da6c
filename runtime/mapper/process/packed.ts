/**
 * Values, readings and errors as plain JSON and back (pure). What JSON cannot say is tagged: `{n}` a big integer,
 * `{b}` bytes in base64, `{f}` a number that is not finite, `{j}` an object or list as text, `{e}` an error,
 * `{v, a, d}` a reading with the device's time or doubt.
 */
import {
  type DmiError,
  Garbled,
  Misconfigured,
  type Reading,
  Refused,
  Unreachable,
  type Value,
} from '@limpet/dmi';
import { thrown } from '../../device/reaction.ts';

export type Packed =
  | null
  | boolean
  | number
  | string
  | { readonly n: string }
  | { readonly b: string }
  | { readonly f: string }
  | { readonly j: string };

export type PackedReading =
  | Packed
  | { readonly e: PackedError }
  | { readonly v: Packed; readonly a?: number; readonly d?: PackedError };

/** Class, code, message, cause. */
export type PackedError = readonly [string, string | null, string, PackedError?];

/** One text, bytes or json value; what is longer is no reading. The same ceiling as that of a twin's value. */
const MAX_VALUE_BYTES = 65_536;
const MAX_MESSAGE = 2_000;
const MAX_CAUSES = 4;
const CODE = /^[A-Z][A-Z0-9_]{0,63}$/;

/** What cannot be packed is the mapper's fault, and said so. @throws Misconfigured VALUE_TYPE, VALUE_TOO_LONG */
export function packValue(value: Value): Packed {
  if (typeof value === 'number') return Number.isFinite(value) ? value : { f: String(value) };
  if (typeof value === 'string') return short(value);
  if (typeof value === 'boolean') return value;
  return typeof value === 'bigint' ? { n: String(value) } : packObject(value);
}

export function packReading(reading: Reading): PackedReading {
  try {
    return reading.ok ? packGood(reading) : { e: packError(reading.error) };
  } catch (error) {
    return { e: packError(error) };
  }
}

function packGood({ value, at, doubt }: Reading & { readonly ok: true }): PackedReading {
  const v = packValue(value);
  if (at === undefined && doubt === undefined) return v;
  const a = typeof at === 'number' && Number.isFinite(at) ? { a: at } : {};
  return { v, ...a, ...(doubt !== undefined && { d: packError(doubt) }) };
}

/**
 * An answer to a read. Where its texts are too large for one frame together, the long ones become bad readings,
 * and the short ones stay.
 */
export function packReadings(readings: readonly Reading[], mostBytes: number): PackedReading[] {
  const packed = readings.map(packReading);
  const total = packed.reduce((sum: number, each) => sum + packedBytes(each), 0);
  // A character takes six bytes at most: \u0001.
  if (total * 6 <= mostBytes || Buffer.byteLength(JSON.stringify(packed)) <= mostBytes) {
    return packed;
  }
  const share = Math.floor(mostBytes / 8 / packed.length);
  const message = `too long to be read together with the others: at most ${share} characters each`;
  const e = packError(new Misconfigured('VALUE_TOO_LONG', message));
  return packed.map((each) => (packedBytes(each) > share ? { e } : each));
}

export function packError(error: unknown, depth = 0): PackedError {
  if (!(error instanceof Error)) return ['Error', null, clip(thrown(error))];
  const { code, cause } = error as { code?: unknown; cause?: unknown };
  const told = typeof code === 'string' ? code : null;
  const name = className(error);
  // A bug: whoever wrote the mapper sees no more of it than this.
  const place = depth === 0 && name === 'Error' ? placeOf(error) : '';
  const packed = [name, told, clip(`${error.message}${place}`)] as const;
  if (!(cause instanceof Error) || depth + 1 >= MAX_CAUSES) return packed;
  return [...packed, packError(cause, depth + 1)];
}

/** ` (mapper.js:3:7)`: where in a file it was thrown, as far as its stack tells. */
export function placeOf({ stack = '' }: Error): string {
  const [, place] = /file:\/\/\S*?([^/\s]+:\d+(?::\d+)?)\)?(?:\n|$)/.exec(String(stack)) ?? [];
  return place === undefined ? '' : ` (${place})`;
}

/** Of the DMI, also where the mapper made a class of its own of it, or brings its own copy of the DMI. */
function className(error: Error): string {
  for (let at: object = error; at instanceof Error; at = Object.getPrototypeOf(at) as object) {
    for (const name of [at.name, at.constructor.name])
      if (Object.hasOwn(CLASSES, name)) return name;
  }
  return 'Error';
}

/** @throws TypeError when it is no packed value */
export function unpackValue(packed: unknown): Value {
  if (typeof packed !== 'object' || packed === null) return scalar(packed);
  const [[tag, text] = [], more] = Object.entries(packed);
  if (more !== undefined || typeof text !== 'string')
    throw new TypeError('a value without its tag');
  if (tag === 'n' && /^-?\d{1,40}$/.test(text)) return BigInt(text);
  if (tag === 'b') return new Uint8Array(Buffer.from(text, 'base64'));
  if (tag === 'f' && ['NaN', 'Infinity', '-Infinity'].includes(text)) return Number(text);
  if (tag === 'j') return JSON.parse(text) as Value;
  throw new TypeError('a value with a tag that is not known');
}

/** @throws TypeError when it is no packed reading */
export function unpackReading(packed: unknown): Reading {
  if (typeof packed === 'object' && packed !== null && 'e' in packed) {
    return { ok: false, error: unpackError(packed.e) as DmiError };
  }
  if (typeof packed === 'object' && packed !== null && 'v' in packed) return unpackGood(packed);
  return { ok: true, value: unpackValue(packed) };
}

function unpackGood(packed: { v: unknown; a?: unknown; d?: unknown }): Reading {
  const { v, a, d } = packed;
  if (a !== undefined && typeof a !== 'number') throw new TypeError('a time that is no number');
  const doubt = d === undefined ? {} : { doubt: unpackError(d) as DmiError };
  return { ok: true, value: unpackValue(v), ...(a !== undefined && { at: a }), ...doubt };
}

const CLASSES = { Unreachable, Refused, Garbled, Misconfigured } as const;

/**
 * The error with its class, code and message; one of no class of the DMI is a bug in the mapper, and a plain Error.
 * @throws TypeError when it is no packed error
 */
export function unpackError(packed: unknown, depth = 0): Error {
  if (!Array.isArray(packed) || depth >= MAX_CAUSES)
    throw new TypeError('an error that is no list');
  const [name, code, message, cause] = packed as unknown[];
  if (typeof name !== 'string' || typeof message !== 'string') {
    throw new TypeError('an error without class or message');
  }
  const options = cause === undefined ? {} : { cause: unpackError(cause, depth + 1) };
  return errorOf(name, code, [clip(message), options]);
}

/** The class decides what happens next: it is kept also where the code is not as codes are written. */
function errorOf(name: string, code: unknown, args: [string, ErrorOptions]): Error {
  const known = typeof code === 'string' && CODE.test(code) ? code : undefined;
  const kind = Object.hasOwn(CLASSES, name) ? CLASSES[name as keyof typeof CLASSES] : undefined;
  if (kind !== undefined) return new kind(known ?? 'MAPPER_CODE', ...args);
  return Object.assign(new Error(...args), known !== undefined && { code: known });
}

/** About how many bytes it takes in a frame. */
export function packedBytes(packed: PackedReading): number {
  if (typeof packed === 'string') return packed.length + 16;
  if (typeof packed !== 'object' || packed === null) return 24;
  if ('v' in packed) {
    return (
      32 + packedBytes(packed.v) + (packed.d === undefined ? 0 : JSON.stringify(packed.d).length)
    );
  }
  const [content] = Object.values(packed) as (string | PackedError)[];
  return 32 + (typeof content === 'string' ? content.length : JSON.stringify(content).length);
}

function packObject(value: unknown): Packed {
  if (value === null) return null;
  if (value instanceof Uint8Array) {
    return {
      b: short(Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64')),
    };
  }
  let text: string | undefined;
  try {
    text = JSON.stringify(value, finite);
  } catch {
    text = undefined; // a cycle, a big integer within: no JSON, which is said below
  }
  if (text !== undefined) return { j: short(text) };
  const message = `the mapper gave a value of type ${typeof value} that is not JSON: report it to its author`;
  throw new Misconfigured('VALUE_TYPE', message);
}

function finite(_key: string, value: unknown): unknown {
  if (typeof value === 'number' && !Number.isFinite(value)) throw new TypeError('not finite');
  return value;
}

function short(text: string): string {
  if (text.length <= MAX_VALUE_BYTES * 1.5 && Buffer.byteLength(text) <= MAX_VALUE_BYTES * 1.5)
    return text;
  const message = `a value of ${text.length} characters; at most ${MAX_VALUE_BYTES} bytes are kept`;
  throw new Misconfigured('VALUE_TOO_LONG', message);
}

function scalar(packed: unknown): Value {
  if (packed === undefined) throw new TypeError('no value');
  return packed as Value;
}

function clip(text: string): string {
  return text.length > MAX_MESSAGE ? `${text.slice(0, MAX_MESSAGE)}…` : text;
}
