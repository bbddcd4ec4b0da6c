/** Numbers as bytes of a payload (pure). */

/** How many bytes each takes. `le`: least significant byte first, `be`: last. */
export const BINARY = {
  uint8: 1,
  int8: 1,
  uint16le: 2,
  uint16be: 2,
  int16le: 2,
  int16be: 2,
  uint32le: 4,
  uint32be: 4,
  int32le: 4,
  int32be: 4,
  uint64le: 8,
  uint64be: 8,
  int64le: 8,
  int64be: 8,
  float32le: 4,
  float32be: 4,
  float64le: 8,
  float64be: 8,
} as const;

export type BinaryType = keyof typeof BINARY;

export function isBinary(type: string): type is BinaryType {
  return Object.hasOwn(BINARY, type);
}

/** The number at `at`; beyond 2^53 a bigint. @throws RangeError when the bytes are too few */
export function readBinary(bytes: Buffer, at: number, type: BinaryType): number | bigint {
  const size = BINARY[type];
  if (at + size > bytes.length) throw new RangeError(`${bytes.length} bytes`);
  const field = Buffer.from(bytes.subarray(at, at + size));
  if (type.endsWith('le')) field.reverse();
  if (type === 'float32le' || type === 'float32be') return shortest(field.readFloatBE(0));
  if (type.startsWith('float')) return field.readDoubleBE(0);
  const whole = type.startsWith('u') ? unsigned(field) : BigInt.asIntN(size * 8, unsigned(field));
  return isSafe(whole) ? Number(whole) : whole;
}

/** @throws RangeError when it does not fit */
export function writeBinary(value: number | bigint, type: BinaryType): Buffer {
  const size = BINARY[type];
  const field = Buffer.alloc(size);
  if (type.startsWith('float')) {
    if (size === 4) field.writeFloatBE(Number(value));
    else field.writeDoubleBE(Number(value));
  } else {
    const whole = BigInt(value);
    const bits = size * 8;
    const same = type.startsWith('u') ? BigInt.asUintN(bits, whole) : BigInt.asIntN(bits, whole);
    if (same !== whole) throw new RangeError(`${type} cannot hold it`);
    field.write(
      BigInt.asUintN(bits, whole)
        .toString(16)
        .padStart(size * 2, '0'),
      'hex',
    );
  }
  return type.endsWith('le') ? field.reverse() : field;
}

function unsigned(field: Buffer): bigint {
  return BigInt(`0x${field.toString('hex')}`);
}

function isSafe(whole: bigint): boolean {
  return whole >= BigInt(Number.MIN_SAFE_INTEGER) && whole <= BigInt(Number.MAX_SAFE_INTEGER);
}

/** The shortest decimal that names this float32. */
function shortest(float: number): number {
  for (let digits = 6; digits <= 9; digits++) {
    const decimal = Number(float.toPrecision(digits));
    if (Math.fround(decimal) === float) return decimal;
  }
  return float;
}
