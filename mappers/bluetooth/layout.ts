/** Where in a piece of data a value lies, and how it is written there: bytes to values and back (pure). */
import { type DmiError, Misconfigured, Refused, type Value } from '@limpet/dmi';
import { isWhole, NUMBERS, type NumberType, readNumber, rounded, writeNumber } from './numbers.ts';

/** A layout after validation, every default made explicit. */
export interface Layout {
  /** The data holds these bytes at `at`, or it is something else. */
  readonly match?: { readonly bytes: Uint8Array; readonly at: number };
  /** The data is exactly so long, or it is something else. */
  readonly size?: number;
  /** In bytes. */
  readonly offset: number;
  readonly type: NumberType | 'bool' | 'text' | 'bytes';
  readonly bigEndian: boolean;
  /** Only for text and bytes; absent: to the end. */
  readonly length?: number;
  /** Only for bool: 0 is the least significant of the byte at `offset`. */
  readonly bit: number;
  /** Of a whole number: which bits count. */
  readonly mask?: bigint;
  /** How far they are moved to the right. */
  readonly shift: number;
  readonly scale: number;
  readonly add: number;
  /** Numbers, before scale and add, by which the device says that it has no value. */
  readonly invalid: readonly number[];
}

/** Whether this data is what the layout describes. */
export function matches({ match, size }: Layout, data: Uint8Array): boolean {
  if (size !== undefined && data.length !== size) return false;
  if (match === undefined) return true;
  const { bytes, at } = match;
  return bytes.every((byte, index) => data[at + index] === byte);
}

/** The value, or why there is none. */
export function decode(layout: Layout, data: Buffer): Value | DmiError {
  const { type, offset, length } = layout;
  if (type === 'text' || type === 'bytes') {
    if (data.length < offset + (length ?? 0)) return short(layout, data);
    const part = data.subarray(offset, length === undefined ? undefined : offset + length);
    return type === 'bytes' ? Uint8Array.from(part) : text(part);
  }
  const width = type === 'bool' ? 1 : NUMBERS[type];
  if (data.length < offset + width) return short(layout, data);
  const part = data.subarray(offset, offset + width);
  if (type === 'bool') return ((part.readUInt8() >> layout.bit) & 1) === 1;
  return number(layout, type, part);
}

/**
 * The data with the value in its place. What lies around it stays as in `current`, which is wanted where the layout does
 * not describe all of the data.
 * @throws Misconfigured
 */
export function encode(layout: Layout, value: Value, current: Uint8Array | undefined): Buffer {
  const part = encodePart(layout, value, current);
  const rest = current ?? new Uint8Array();
  const end = layout.offset + part.length;
  const keeps =
    layout.type === 'text' || layout.type === 'bytes' ? layout.length !== undefined : true;
  const data = Buffer.alloc(keeps ? Math.max(end, rest.length) : end);
  data.set(rest.subarray(0, data.length));
  data.set(part, layout.offset);
  return data;
}

/** Whether writing needs what is there now. */
export function isPart({ offset, mask, type, length, match, size }: Layout): boolean {
  const partial =
    type === 'bool' || mask !== undefined || match !== undefined || size !== undefined;
  return partial || offset > 0 || (length !== undefined && type !== 'text' && type !== 'bytes');
}

function number(layout: Layout, type: NumberType, part: Buffer): Value | DmiError {
  const raw = readNumber(type, part, layout.bigEndian);
  const whole = masked(layout, raw);
  const known =
    typeof whole === 'bigint' || !(Number.isNaN(whole) || layout.invalid.includes(whole));
  if (!known) return new Refused('BLE_NO_VALUE', 'the device says that it has no value here');
  const { scale, add } = layout;
  if (scale === 1 && add === 0) return whole;
  return rounded(Number(whole) * scale + add);
}

function masked({ mask, shift }: Layout, raw: number | bigint): number | bigint {
  if (mask === undefined && shift === 0) return raw;
  const bits = (BigInt(raw) & (mask ?? -1n)) >> BigInt(shift);
  return bits <= Number.MAX_SAFE_INTEGER ? Number(bits) : bits;
}

function text(part: Buffer): Value | DmiError {
  const end = part.indexOf(0);
  const bytes = end === -1 ? part : part.subarray(0, end);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return new Refused('BLE_NOT_TEXT', 'the bytes are no UTF-8; use type: bytes');
  }
}

function short({ type, offset }: Layout, data: Buffer): DmiError {
  return new Refused(
    'BLE_SHORT',
    `a ${type} at ${offset} does not lie within the ${data.length} bytes that the device gave`,
  );
}

function encodePart(layout: Layout, value: Value, current: Uint8Array | undefined): Buffer {
  const { type, offset } = layout;
  if (type === 'bool') {
    const before = current?.[offset] ?? 0;
    const bit = 1 << layout.bit;
    return Buffer.from([value === true ? before | bit : before & ~bit]);
  }
  if (type === 'text' || type === 'bytes') return fill(layout, value);
  return encodeNumber(layout, type, { value, current });
}

function fill({ length, type }: Layout, value: Value): Buffer {
  const bytes = typeof value === 'string' ? Buffer.from(value) : Buffer.from(value as Uint8Array);
  if (length === undefined || bytes.length === length) return bytes;
  if (type === 'text' && bytes.length < length) return Buffer.concat([bytes], length);
  throw new Misconfigured('BLE_VALUE', `${bytes.length} bytes do not make a ${type} of ${length}`);
}

function encodeNumber(
  layout: Layout,
  type: NumberType,
  { value, current }: { readonly value: Value; readonly current: Uint8Array | undefined },
): Buffer {
  const { bigEndian, mask, offset } = layout;
  try {
    const raw = rawOf(layout, type, value as number | bigint);
    if (mask === undefined) return writeNumber(type, toNumber(type, raw), bigEndian);
    const before = Buffer.from(current?.subarray(offset, offset + NUMBERS[type]) ?? []);
    const bits = before.length === NUMBERS[type] ? readNumber(type, before, bigEndian) : 0;
    const merged = (BigInt(bits) & ~mask) | intoMask(layout, mask, BigInt(raw));
    return writeNumber(type, toNumber(type, merged), bigEndian);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new Misconfigured('BLE_VALUE', `a ${type} cannot hold this value: write a smaller one`);
  }
}

function rawOf({ scale, add }: Layout, type: NumberType, value: number | bigint): number | bigint {
  const scaled = scale === 1 && add === 0 ? value : (Number(value) - add) / scale;
  if (typeof scaled === 'bigint' || !isWhole(type)) return scaled;
  return BigInt(Math.round(rounded(scaled)));
}

function intoMask({ shift }: Layout, mask: bigint, raw: bigint): bigint {
  const room = mask >> BigInt(shift);
  if (raw < 0n || raw > room) throw new RangeError('out of range');
  return raw << BigInt(shift);
}

/** Node writes numbers of up to 48 bits, and bigints of 64. */
function toNumber(type: NumberType, value: number | bigint): number | bigint {
  return type.endsWith('64') && type !== 'float64' ? value : Number(value);
}
