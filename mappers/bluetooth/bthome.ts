/** BTHome v2 (bthome.io/format): objects, one after the other, each with an id that says its length and what it counts in (pure). */
import { type DmiError, Refused, type Value } from '@limpet/dmi';
import { rounded } from './numbers.ts';

/** Two bytes of length or more are counted in `factor`; a `-` before the length: signed. Ids as the specification lists them. */
const OBJECTS: Readonly<Record<number, readonly [length: number, factor: number]>> = {
  0x00: [1, 1],
  0x01: [1, 1],
  0x02: [-2, 0.01],
  0x03: [2, 0.01],
  0x04: [3, 0.01],
  0x05: [3, 0.01],
  0x06: [2, 0.01],
  0x07: [2, 0.01],
  0x08: [-2, 0.01],
  0x09: [1, 1],
  0x0a: [3, 0.001],
  0x0b: [3, 0.01],
  0x0c: [2, 0.001],
  0x0d: [2, 1],
  0x0e: [2, 1],
  0x12: [2, 1],
  0x13: [2, 1],
  0x14: [2, 0.01],
  0x2e: [1, 1],
  0x2f: [1, 1],
  0x3a: [1, 1],
  0x3c: [2, 1],
  0x3d: [2, 1],
  0x3e: [4, 1],
  0x3f: [-2, 0.1],
  0x40: [2, 1],
  0x41: [2, 0.1],
  0x42: [3, 0.001],
  0x43: [2, 0.001],
  0x44: [2, 0.01],
  0x45: [-2, 0.1],
  0x46: [1, 0.1],
  0x47: [2, 0.1],
  0x48: [2, 1],
  0x49: [2, 0.001],
  0x4a: [2, 0.1],
  0x4b: [3, 0.001],
  0x4c: [4, 0.001],
  0x4d: [4, 0.001],
  0x4e: [4, 0.001],
  0x4f: [4, 0.001],
  0x50: [4, 1],
  0x51: [2, 0.001],
  0x52: [2, 0.001],
  0x55: [4, 0.001],
  0x56: [2, 1],
  0x57: [-1, 1],
  0x58: [-1, 0.35],
  0x59: [-1, 1],
  0x5a: [-2, 1],
  0x5b: [-4, 1],
  0x5c: [-4, 0.01],
  0x5d: [-2, 0.001],
  0x5e: [2, 0.01],
  0x5f: [2, 0.1],
  0x60: [1, 1],
  0xf0: [2, 1],
  0xf1: [4, 1],
  0xf2: [3, 1],
};
const TEXT = 0x53;
const RAW = 0x54;
/** 0x0f to 0x11 and 0x15 to 0x2d: yes or no. */
const isBinary = (id: number): boolean => (id >= 0x0f && id <= 0x11) || (id >= 0x15 && id <= 0x2d);

/** What kind of value an object has; `undefined`: the id is not known here. */
export function bthomeKind(id: number): 'bool' | 'int' | 'float' | 'string' | 'bytes' | undefined {
  if (isBinary(id)) return 'bool';
  if (id === TEXT) return 'string';
  if (id === RAW) return 'bytes';
  const object = OBJECTS[id];
  if (object === undefined) return undefined;
  return object[1] === 1 ? 'int' : 'float';
}

/** The `nth` object of this id in service data; `undefined`: it is not in it. */
export function bthomeValue(data: Buffer, id: number, nth: number): Value | DmiError | undefined {
  // Bit 0: encrypted. Bits 5 to 7: the version.
  const flags = data[0] ?? 0;
  if (flags >> 5 !== 2) return new Refused('BLE_FORMAT', 'this is not BTHome version 2');
  if ((flags & 1) !== 0)
    return new Refused('BLE_ENCRYPTED', 'the device encrypts: switch that off at the device');
  let left = nth;
  for (const { object, bytes } of objects(data.subarray(1))) {
    if (object !== id || left-- > 0) continue;
    return valueOf(id, bytes);
  }
  return undefined;
}

function valueOf(id: number, bytes: Buffer): Value {
  if (isBinary(id)) return bytes[0] === 1;
  if (id === TEXT) return bytes.toString('utf8');
  if (id === RAW) return Uint8Array.from(bytes);
  const [length, factor] = OBJECTS[id] as readonly [number, number];
  const raw = length < 0 ? bytes.readIntLE(0, -length) : bytes.readUIntLE(0, length);
  return factor === 1 ? raw : rounded(raw * factor);
}

/** An object with its id, for a simulated device. */
export function bthomeObject(id: number, value: Value): Buffer {
  if (isBinary(id)) return Buffer.from([id, value === true ? 1 : 0]);
  if (id === TEXT || id === RAW) {
    const bytes = typeof value === 'string' ? Buffer.from(value) : Buffer.from(value as Uint8Array);
    return Buffer.concat([Buffer.from([id, bytes.length]), bytes]);
  }
  const [length, factor] = OBJECTS[id] as readonly [number, number];
  const raw = Math.round(Number(value) / factor);
  const bytes = Buffer.alloc(1 + Math.abs(length));
  bytes.writeUInt8(id);
  if (length < 0) bytes.writeIntLE(raw, 1, -length);
  else bytes.writeUIntLE(raw, 1, length);
  return bytes;
}

/** Up to the first that is not known: its length is not known either. */
function* objects(data: Buffer): Generator<{ readonly object: number; readonly bytes: Buffer }> {
  let at = 0;
  while (at < data.length) {
    const object = data.readUInt8(at);
    const counted = object === TEXT || object === RAW;
    const length = counted ? (data[at + 1] ?? 0) : isBinary(object) ? 1 : OBJECTS[object]?.[0];
    if (length === undefined) return;
    const start = at + (counted ? 2 : 1);
    const end = start + Math.abs(length);
    if (end > data.length) return;
    yield { object, bytes: data.subarray(start, end) };
    at = end;
  }
}
