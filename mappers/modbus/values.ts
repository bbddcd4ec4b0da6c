/** Registers to values and back, as pure functions. */
import { Misconfigured, type Reading, Refused, type Value } from '@limpet/dmi';
import type { NumberType, Visitor } from './visitor.ts';

/** What a visitor's bytes say: big-endian registers in the order of their addresses, from byte `at` on. */
export function decode(visitor: Visitor, bytes: Buffer, at = 0): Reading {
  const { type, length = 0, bit = 0, count, swapBytes, swapWords } = visitor;
  if (swapBytes || swapWords) {
    const ordered = reorder(visitor, bytes.subarray(at, at + 2 * count));
    return decode({ ...visitor, swapBytes: false, swapWords: false }, ordered);
  }
  if (type === 'bool') return good(((bytes.readUInt16BE(at) >> bit) & 1) === 1);
  if (type === 'string') return decodeText(bytes.subarray(at, at + length));
  if (type === 'bytes') return good(Uint8Array.from(bytes.subarray(at, at + length)));
  return decodeNumber(visitor, type, CODECS[type].get(bytes, at));
}

/**
 * The registers that hold `value`. Not for a single bit, which needs the rest of its register.
 * @throws Misconfigured when no registers of this type can hold the value.
 */
export function encode(visitor: Visitor, value: Value): Buffer {
  return reorder(visitor, encoded(visitor, value));
}

/** The mask of a visitor's bit within its register as the wire numbers it. */
export function bitMask({ bit = 0, swapBytes }: Visitor): number {
  return 1 << (swapBytes ? bit ^ 8 : bit);
}

/** A bool, or a sentence for whoever sent something else. */
export function expectBool(value: Value): boolean {
  if (typeof value === 'boolean') return value;
  throw unfit('true or false', value);
}

function encoded(visitor: Visitor, value: Value): Buffer {
  const { type } = visitor;
  if (type === 'bool') throw new TypeError('a bit is written by a mask, not as registers');
  if (type === 'string') return encodeText(visitor, value);
  if (type === 'bytes') return encodeBytes(visitor, value);
  return encodeNumber(visitor, type, value);
}

function decodeNumber(visitor: Visitor, type: NumberType, raw: number | bigint): Reading {
  const { scale, offset } = visitor;
  const plain = scale === 1 && offset === 0;
  if (typeof raw === 'bigint' && plain) return good(narrow(raw));
  const value = plain ? shortest(type, Number(raw)) : round(Number(raw) * scale + offset);
  if (Number.isFinite(value)) return good(value);
  const message = `${visitor.register} ${visitor.address} holds ${value}, which is not a number`;
  return { ok: false, error: new Refused('MODBUS_NOT_A_NUMBER', message) };
}

function encodeNumber(visitor: Visitor, type: NumberType, value: Value): Buffer {
  const { scale, offset } = visitor;
  if (typeof value !== 'number' && typeof value !== 'bigint') throw unfit('a number', value);
  if (typeof value === 'number' && !Number.isFinite(value)) throw unfit('a finite number', value);
  const plain = scale === 1 && offset === 0;
  const raw = plain ? value : round((Number(value) - offset) / scale);
  const bytes = Buffer.alloc(visitor.count * 2);
  CODECS[type].put(bytes, raw);
  return bytes;
}

interface Codec {
  get(bytes: Buffer, at: number): number | bigint;
  /** @throws Misconfigured */
  put(bytes: Buffer, raw: number | bigint): void;
}

const CODECS: Readonly<Record<NumberType, Codec>> = {
  int16: {
    get: (bytes, at) => bytes.readInt16BE(at),
    put: (bytes, raw) => bytes.writeInt16BE(Number(whole(raw, -(2n ** 15n), 2n ** 15n - 1n))),
  },
  uint16: {
    get: (bytes, at) => bytes.readUInt16BE(at),
    put: (bytes, raw) => bytes.writeUInt16BE(Number(whole(raw, 0n, 2n ** 16n - 1n))),
  },
  int32: {
    get: (bytes, at) => bytes.readInt32BE(at),
    put: (bytes, raw) => bytes.writeInt32BE(Number(whole(raw, -(2n ** 31n), 2n ** 31n - 1n))),
  },
  uint32: {
    get: (bytes, at) => bytes.readUInt32BE(at),
    put: (bytes, raw) => bytes.writeUInt32BE(Number(whole(raw, 0n, 2n ** 32n - 1n))),
  },
  int64: {
    get: (bytes, at) => bytes.readBigInt64BE(at),
    put: (bytes, raw) => bytes.writeBigInt64BE(whole(raw, -(2n ** 63n), 2n ** 63n - 1n)),
  },
  uint64: {
    get: (bytes, at) => bytes.readBigUInt64BE(at),
    put: (bytes, raw) => bytes.writeBigUInt64BE(whole(raw, 0n, 2n ** 64n - 1n)),
  },
  float32: {
    get: (bytes, at) => bytes.readFloatBE(at),
    put(bytes, raw) {
      if (!Number.isFinite(Math.fround(Number(raw)))) throw unfit('a number within float32', raw);
      bytes.writeFloatBE(Number(raw));
    },
  },
  float64: {
    get: (bytes, at) => bytes.readDoubleBE(at),
    put: (bytes, raw) => bytes.writeDoubleBE(Number(raw)),
  },
};

/** Rounded to the nearest whole number within the limits, or refused: never clipped in silence. */
function whole(raw: number | bigint, minimum: bigint, maximum: bigint): bigint {
  const rounded = typeof raw === 'bigint' ? raw : BigInt(Math.round(raw));
  if (rounded >= minimum && rounded <= maximum) return rounded;
  throw unfit(`a raw value from ${minimum} to ${maximum}`, raw);
}

function narrow(raw: bigint): number | bigint {
  const value = Number(raw);
  return Number.isSafeInteger(value) ? value : raw;
}

/** Twelve significant digits hide the noise of binary fractions: 0.1 * 553 is 55.3. */
function round(value: number): number {
  return Number(value.toPrecision(12));
}

/** The shortest decimal that names this float32: 55.3, where its double is 55.29999923706055. */
function shortest(type: NumberType, value: number): number {
  if (type !== 'float32' || !Number.isFinite(value)) return value;
  for (let digits = 6; digits < 9; digits++) {
    const candidate = Number(value.toPrecision(digits));
    if (Math.fround(candidate) === value) return candidate;
  }
  return Number(value.toPrecision(9)); // nine digits always name a float32
}

function decodeText(bytes: Buffer): Reading {
  const end = bytes.indexOf(0);
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(
      end < 0 ? bytes : bytes.subarray(0, end),
    );
    return good(text.trimEnd()); // devices pad with NUL or with blanks
  } catch (cause) {
    const message = 'the registers hold no UTF-8 text; use type: bytes to see what they hold';
    return { ok: false, error: new Refused('MODBUS_NOT_TEXT', message, { cause }) };
  }
}

function encodeText({ count, length = 0 }: Visitor, value: Value): Buffer {
  if (typeof value !== 'string') throw unfit('a string', value);
  const bytes = Buffer.from(value, 'utf8');
  if (bytes.length > length) throw unfit(`at most ${length} bytes of text`, value);
  if (value.includes('\0')) throw unfit('text without NUL', value);
  return padded(bytes, count);
}

function encodeBytes({ count, length = 0 }: Visitor, value: Value): Buffer {
  if (!(value instanceof Uint8Array)) throw unfit('bytes', value);
  if (value.length !== length) throw unfit(`exactly ${length} bytes`, value);
  return padded(value, count);
}

function padded(bytes: Uint8Array, registers: number): Buffer {
  const whole = Buffer.alloc(registers * 2);
  whole.set(bytes);
  return whole;
}

/** Its own inverse: what is read and what is written are ordered alike. */
function reorder({ swapBytes, swapWords }: Visitor, bytes: Buffer): Buffer {
  if (!swapBytes && !swapWords) return bytes;
  const ordered = Buffer.from(bytes);
  if (swapBytes) ordered.swap16();
  // Reversing all bytes reverses the registers and the bytes within each; swap16 puts those back.
  if (swapWords) ordered.reverse().swap16();
  return ordered;
}

function good(value: Value): Reading {
  return { ok: true, value };
}

function unfit(expected: string, value: Value): Misconfigured {
  const kind =
    value instanceof Uint8Array ? `${value.length} bytes` : value === null ? 'null' : typeof value;
  return new Misconfigured(
    'MODBUS_VALUE',
    `the value does not fit this register: expected ${expected}, got ${kind}`,
  );
}
