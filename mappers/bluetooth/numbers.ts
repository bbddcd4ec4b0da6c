/** Numbers as devices put them into bytes, and back (pure). */

/** Bytes of each; whole numbers are two's complement, `medfloat` is IEEE 11073-20601. */
export const NUMBERS = {
  int8: 1,
  uint8: 1,
  int16: 2,
  uint16: 2,
  int24: 3,
  uint24: 3,
  int32: 4,
  uint32: 4,
  int48: 6,
  uint48: 6,
  int64: 8,
  uint64: 8,
  float32: 4,
  float64: 8,
  medfloat16: 2,
  medfloat32: 4,
} as const;

export type NumberType = keyof typeof NUMBERS;

export function isWhole(type: NumberType): boolean {
  return type.startsWith('int') || type.startsWith('uint');
}

/** `bytes` holds exactly this number. */
export function readNumber(type: NumberType, bytes: Buffer, big: boolean): number | bigint {
  const little = big ? Buffer.from(bytes).reverse() : bytes;
  if (type === 'float32') return shortest(little.readFloatLE());
  if (type === 'float64') return little.readDoubleLE();
  if (type === 'int64') return small(little.readBigInt64LE());
  if (type === 'uint64') return small(little.readBigUInt64LE());
  if (type === 'medfloat16') return medical(little.readUInt16LE(), 12);
  if (type === 'medfloat32') return medical(little.readUInt32LE(), 24);
  return type.startsWith('uint')
    ? little.readUIntLE(0, little.length)
    : little.readIntLE(0, little.length);
}

/** @throws RangeError when it does not fit */
export function writeNumber(type: NumberType, value: number | bigint, big: boolean): Buffer {
  const bytes = Buffer.alloc(NUMBERS[type]);
  if (type === 'float32') bytes.writeFloatLE(Number(value));
  else if (type === 'float64') bytes.writeDoubleLE(Number(value));
  else if (type === 'int64') bytes.writeBigInt64LE(BigInt(value));
  else if (type === 'uint64') bytes.writeBigUInt64LE(BigInt(value));
  else if (type === 'medfloat16') bytes.writeUInt16LE(toMedical(Number(value), 12));
  else if (type === 'medfloat32') bytes.writeUInt32LE(toMedical(Number(value), 24));
  else if (type.startsWith('uint')) bytes.writeUIntLE(Number(value), 0, bytes.length);
  else bytes.writeIntLE(Number(value), 0, bytes.length);
  return big ? bytes.reverse() : bytes;
}

/** 12 significant digits: 0.1 * 553 is 55.3. */
export function rounded(value: number): number {
  return Number(value.toPrecision(12));
}

/** The shortest decimal that names this float32. */
function shortest(value: number): number {
  if (!Number.isFinite(value)) return value;
  for (let digits = 6; digits < 10; digits++) {
    const candidate = Number(value.toPrecision(digits));
    if (Math.fround(candidate) === value) return candidate;
  }
  return value;
}

function small(value: bigint): number | bigint {
  return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER
    ? Number(value)
    : value;
}

/** A mantissa of `bits` bits below a decimal exponent; the values around the largest mantissa are not numbers. */
function medical(raw: number, bits: number): number {
  const width = bits === 12 ? 16 : 32;
  const mantissa = signed(raw % 2 ** bits, bits);
  const exponent = signed(Math.floor(raw / 2 ** bits), width - bits);
  const top = 2 ** (bits - 1);
  if (exponent === 0 && mantissa === top - 2) return Infinity;
  if (exponent === 0 && mantissa === 2 - top) return -Infinity;
  if (exponent === 0 && (mantissa >= top - 1 || mantissa <= 1 - top)) return Number.NaN;
  return rounded(mantissa * 10 ** exponent);
}

function signed(value: number, bits: number): number {
  return value >= 2 ** (bits - 1) ? value - 2 ** bits : value;
}

function toMedical(value: number, bits: number): number {
  const [least, most] = bits === 12 ? [-8, 7] : [-128, 127];
  const limit = 2 ** (bits - 1) - 3;
  for (let exponent = least; exponent <= most; exponent++) {
    const mantissa = Math.round(value * 10 ** -exponent);
    if (Math.abs(mantissa) > limit) continue;
    const whole = ((exponent + 2 ** 8) % 2 ** (bits === 12 ? 4 : 8)) * 2 ** bits;
    return whole + ((mantissa + 2 ** bits) % 2 ** bits);
  }
  throw new RangeError('it is too large');
}
