/** Protocol buffers on the wire (pure), after a table of fields: https://protobuf.dev/programming-guides/encoding/ */
import { Garbled } from '@limpet/dmi';

type Scalar = 'uint32' | 'uint64' | 'bool' | 'float' | 'double' | 'string' | 'bytes';

/** One field: its name in objects, its type (the fields of a message in it), and whether it is a list. */
export interface Field {
  readonly name: string;
  /** A function where a message contains itself. */
  readonly type: Scalar | (() => Fields);
  readonly many?: true;
}

/** By number. */
export type Fields = Readonly<Record<number, Field>>;

/** Whole numbers beyond 2^53 are bigints. */
export type Message = { readonly [name: string]: unknown };

/** Deeper templates are nobody's. */
const MAX_DEPTH = 12;

interface Wire {
  readonly number: number;
  readonly kind: number;
  /** Varints as they are, else the field's bytes. */
  readonly value: bigint | Buffer;
}

/** Fields that the table does not have are skipped. @throws Garbled */
export function decode(bytes: Buffer, fields: Fields, depth = 0): Message {
  if (depth > MAX_DEPTH) throw new Garbled('MQTT_SPARKPLUG', 'a message nested too deep');
  const message: Record<string, unknown> = {};
  for (const wire of wires(bytes)) {
    const field = fields[wire.number];
    if (field === undefined) continue;
    if (field.many) {
      const list = (message[field.name] ??= []) as unknown[];
      for (const item of listOf(wire, field, depth)) list.push(item);
    } else message[field.name] = valueOf(wire, field, depth);
  }
  return message;
}

/** What is `undefined` is left out. */
export function encode(message: Message, fields: Fields): Buffer {
  const parts: Buffer[] = [];
  for (const [number, field] of Object.entries(fields)) {
    const value = message[field.name];
    if (value === undefined) continue;
    for (const item of field.many ? (value as readonly unknown[]) : [value]) {
      parts.push(encodeField(Number(number), field, item));
    }
  }
  return Buffer.concat(parts);
}

/** The fields one after the other, their values undecoded: to look for one without the work of all. @throws Garbled */
export function* wires(bytes: Buffer): Generator<Wire> {
  let at = 0;
  while (at < bytes.length) {
    const [tag, start] = varint(bytes, at);
    const kind = Number(tag & 7n);
    const number = Number(tag >> 3n);
    if (kind === 0) {
      const [value, end] = varint(bytes, start);
      yield { number, kind, value };
      at = end;
      continue;
    }
    const [begin, end] = extent(bytes, start, kind);
    if (end > bytes.length) throw new Garbled('MQTT_SPARKPLUG', 'a field that ends too late');
    yield { number, kind, value: bytes.subarray(begin, end) };
    at = end;
  }
}

function extent(bytes: Buffer, at: number, kind: number): readonly [begin: number, end: number] {
  if (kind === 1) return [at, at + 8];
  if (kind === 5) return [at, at + 4];
  if (kind !== 2)
    throw new Garbled('MQTT_SPARKPLUG', `a field of kind ${kind}: no protocol buffer`);
  const [length, begin] = varint(bytes, at);
  return [begin, begin + Number(length)];
}

function varint(bytes: Buffer, at: number): readonly [value: bigint, end: number] {
  let value = 0n;
  for (let index = 0; index < 10; index++) {
    const byte = bytes[at + index];
    if (byte === undefined) break;
    value |= BigInt(byte & 0x7f) << BigInt(7 * index);
    if (byte < 0x80) return [value, at + index + 1];
  }
  throw new Garbled('MQTT_SPARKPLUG', 'a number that does not end: no protocol buffer');
}

/** Lists of numbers come one by one, or packed into one field. */
function listOf(wire: Wire, field: Field, depth: number): unknown[] {
  const packed = wire.kind === 2 && (field.type === 'uint32' || field.type === 'uint64');
  if (!packed) return [valueOf(wire, field, depth)];
  const bytes = wire.value as Buffer;
  const list: unknown[] = [];
  for (let at = 0; at < bytes.length;) {
    const [value, end] = varint(bytes, at);
    list.push(whole(value));
    at = end;
  }
  return list;
}

const KIND = { uint32: 0, uint64: 0, bool: 0, float: 5, double: 1, string: 2, bytes: 2 } as const;

function valueOf({ kind, value }: Wire, { name, type }: Field, depth: number): unknown {
  const wanted = typeof type === 'string' ? KIND[type] : 2;
  if (kind !== wanted) throw new Garbled('MQTT_SPARKPLUG', `${name} has a value of another kind`);
  if (typeof value === 'bigint') {
    if (type === 'bool') return value !== 0n;
    // Numbers below zero come with 64 bits.
    return whole(type === 'uint32' ? BigInt.asUintN(32, value) : BigInt.asUintN(64, value));
  }
  if (typeof type !== 'string') return decode(value, type(), depth + 1);
  if (type === 'float') return value.readFloatLE(0);
  if (type === 'double') return value.readDoubleLE(0);
  return type === 'string' ? value.toString() : Buffer.from(value);
}

function whole(value: bigint): number | bigint {
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
}

function encodeField(number: number, { type }: Field, value: unknown): Buffer {
  const tag = (kind: number): Buffer => varintBytes(BigInt(number * 8 + kind));
  if (typeof type !== 'string') return sized(tag(2), encode(value as Message, type()));
  switch (type) {
    case 'uint32':
    case 'uint64':
      return Buffer.concat([tag(0), varintBytes(bare(value as number | bigint))]);
    case 'bool':
      return Buffer.concat([tag(0), varintBytes(value === true ? 1n : 0n)]);
    case 'float':
    case 'double': {
      const bytes = Buffer.alloc(type === 'float' ? 4 : 8);
      if (type === 'float') bytes.writeFloatLE(value as number);
      else bytes.writeDoubleLE(value as number);
      return Buffer.concat([tag(KIND[type]), bytes]);
    }
    case 'string':
      return sized(tag(2), Buffer.from(value as string));
    case 'bytes':
      return sized(tag(2), Buffer.from(value as Uint8Array));
  }
}

/** Times can have fractions of a millisecond. */
function bare(value: number | bigint): bigint {
  return BigInt.asUintN(64, typeof value === 'bigint' ? value : BigInt(Math.trunc(value)));
}

function sized(tag: Buffer, bytes: Buffer): Buffer {
  return Buffer.concat([tag, varintBytes(BigInt(bytes.length)), bytes]);
}

function varintBytes(value: bigint): Buffer {
  const bytes: number[] = [];
  let rest = value;
  do {
    const byte = Number(rest & 0x7fn);
    rest >>= 7n;
    bytes.push(rest > 0n ? byte | 0x80 : byte);
  } while (rest > 0n);
  return Buffer.from(bytes);
}
