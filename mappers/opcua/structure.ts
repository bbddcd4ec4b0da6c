/** Structures on the wire by their definition (OPC UA Part 6, 5.2.6): bytes to JSON and back (pure). */
import { type Json, Misconfigured, type Value } from '@limpet/dmi';
import * as basic from 'node-opcua-basic-types';
import { BinaryStream } from 'node-opcua-binary-stream';
import * as model from 'node-opcua-data-model';
import { decodeDataValue } from 'node-opcua-data-value';
import {
  decodeExtensionObject,
  encodeExtensionObject,
  OpaqueStructure,
} from 'node-opcua-extension-object';
import type { NodeId } from 'node-opcua-nodeid';
import {
  DataType,
  decodeVariant,
  encodeVariant,
  Variant,
  VariantArrayType,
} from 'node-opcua-variant';
import { nativeOf, plain, scalarOf } from './scalar.ts';
import type { Field, Kind, Structure } from './types.ts';

/** A value within that brings its own type along. */
export type Inner = (native: unknown) => Json;

/** Bytes that are taken apart. */
interface Source {
  readonly stream: BinaryStream;
  readonly inner: Inner;
  /** So many elements of lists it may still have, all its lists together: some take no bytes at all. */
  items: number;
}

const MAX_BYTES = 65_536;
const MAX_ITEMS = 65_536;

type Decode = (stream: BinaryStream) => unknown;
type Encode = (native: never, stream: BinaryStream) => void;

const CODECS: { readonly [type: number]: readonly [Decode, Encode] } = {
  [DataType.Boolean]: [basic.decodeBoolean, basic.encodeBoolean],
  [DataType.SByte]: [basic.decodeSByte, basic.encodeSByte],
  [DataType.Byte]: [basic.decodeByte, basic.encodeByte],
  [DataType.Int16]: [basic.decodeInt16, basic.encodeInt16],
  [DataType.UInt16]: [basic.decodeUInt16, basic.encodeUInt16],
  [DataType.Int32]: [basic.decodeInt32, basic.encodeInt32],
  [DataType.UInt32]: [basic.decodeUInt32, basic.encodeUInt32],
  [DataType.Int64]: [basic.decodeInt64, basic.encodeInt64],
  [DataType.UInt64]: [basic.decodeUInt64, basic.encodeUInt64],
  [DataType.Float]: [basic.decodeFloat, basic.encodeFloat],
  [DataType.Double]: [basic.decodeDouble, basic.encodeDouble],
  [DataType.String]: [basic.decodeString, basic.encodeString],
  [DataType.DateTime]: [basic.decodeDateTime, basic.encodeDateTime],
  [DataType.Guid]: [basic.decodeGuid, basic.encodeGuid],
  [DataType.ByteString]: [basic.decodeByteString, basic.encodeByteString],
  [DataType.XmlElement]: [basic.decodeString, basic.encodeString],
  [DataType.NodeId]: [basic.decodeNodeId, basic.encodeNodeId],
  [DataType.ExpandedNodeId]: [basic.decodeExpandedNodeId, basic.encodeExpandedNodeId],
  [DataType.StatusCode]: [basic.decodeStatusCode, basic.encodeStatusCode],
  [DataType.QualifiedName]: [model.decodeQualifiedName, model.encodeQualifiedName],
  [DataType.LocalizedText]: [model.decodeLocalizedText, model.encodeLocalizedText],
  [DataType.ExtensionObject]: [decodeExtensionObject, encodeExtensionObject],
  [DataType.DataValue]: [decodeDataValue, neverEncoded],
  [DataType.DiagnosticInfo]: [model.decodeDiagnosticInfo, neverEncoded],
};

/** An encoded structure that survives being copied: the library makes a new one of each that it puts into a message. */
export class Encoded extends OpaqueStructure {
  constructor(from: NodeId | OpaqueStructure, bytes?: Buffer) {
    if (from instanceof OpaqueStructure) super(from.nodeId, from.buffer);
    else super(from, bytes ?? Buffer.alloc(0));
  }
}

/** @throws Error when the bytes are not what the definition says, or too many or too deep */
export function decodeStructure(structure: Structure, bytes: Buffer, inner: Inner): Json {
  const stream = new BinaryStream(bytes);
  return decodeFields(structure, { stream, inner, items: MAX_ITEMS });
}

/** @throws Misconfigured OPCUA_VALUE when the definition does not hold the value */
export function encodeStructure(structure: Structure, value: Value): Buffer {
  const stream = new BinaryStream(Buffer.alloc(MAX_BYTES));
  try {
    encodeFields(structure, value, stream);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new Misconfigured('OPCUA_VALUE', `a ${structure.name} of more than ${MAX_BYTES} bytes`);
  }
  return Buffer.from(stream.buffer.subarray(0, stream.length));
}

function decodeFields(structure: Structure, source: Source): Json {
  // A structure may hold itself; the library counts levels in its own values likewise.
  source.stream.enterNestingLevel();
  try {
    return structure.union ? decodeChosen(structure, source) : decodeAll(structure, source);
  } finally {
    source.stream.exitNestingLevel();
  }
}

function decodeChosen({ fields }: Structure, source: Source): Json {
  const chosen = fields[source.stream.readUInt32() - 1];
  return chosen === undefined ? null : { [chosen.name]: decodeField(chosen, source) };
}

function decodeAll({ fields, masked }: Structure, source: Source): Json {
  const mask = masked ? source.stream.readUInt32() : 0;
  const value: Record<string, Json> = {};
  let bit = 0;
  for (const field of fields) {
    const absent = masked && field.optional && (mask & (1 << bit++)) === 0;
    if (!absent) value[field.name] = decodeField(field, source);
  }
  return value;
}

function decodeField({ kind, rank }: Field, source: Source): Json {
  if (rank < 1) return decodeOne(kind, source);
  const { stream } = source;
  if (rank === 1) return decodeList(() => decodeOne(kind, source), source, stream.readInteger());
  // From two dimensions on, their lengths come first.
  const lengths = decodeList(() => stream.readInteger(), source, stream.readInteger());
  const dimensions = (lengths ?? []) as number[];
  if (dimensions.some((each) => each < 0)) throw new RangeError('a dimension below 0');
  const count = dimensions.length === 0 ? 0 : dimensions.reduce((all, each) => all * each, 1);
  const flat = decodeList(() => decodeOne(kind, source), source, count);
  return flat === null ? null : nested(flat, dimensions);
}

function decodeList(one: () => Json, source: Source, count: number): Json[] | null {
  if (count < 0) return null;
  source.items -= count;
  if (!(source.items >= 0)) throw new RangeError('lists that are too long');
  return Array.from({ length: count }, one);
}

function decodeOne(kind: Kind, source: Source): Json {
  const { stream, inner } = source;
  switch (kind.kind) {
    case 'structure':
      return decodeFields(kind, source);
    case 'enumeration': {
      const number = stream.readInteger();
      return kind.names.get(number) ?? number;
    }
    case 'any':
      return inner(decodeVariant(stream));
    case 'builtin': {
      const [decode] = CODECS[kind.type] ?? [];
      if (decode === undefined) throw new RangeError('a type without codec');
      const native = decode(stream);
      const own = kind.type === DataType.ExtensionObject || kind.type === DataType.DataValue;
      return own ? inner(native) : plain(scalarOf(kind.type, native));
    }
  }
}

/** A flat list as lists of lists. */
export function nested(flat: readonly Json[], dimensions: readonly number[]): Json {
  const [, ...rest] = dimensions;
  if (rest.length === 0) return flat;
  const size = rest.reduce((all, each) => all * each, 1);
  const parts: Json[] = [];
  for (let at = 0; at < flat.length; at += size)
    parts.push(nested(flat.slice(at, at + size), rest));
  return parts;
}

function encodeFields(structure: Structure, value: Value, stream: BinaryStream): void {
  const { fields, union, masked, name } = structure;
  const given = objectOf(value, name);
  const unknown = Object.keys(given).find((key) => !fields.some((field) => field.name === key));
  if (unknown !== undefined) throw unfit(`${name} has no field "${unknown}"`);
  if (union) {
    const index = fields.findIndex((field) => Object.hasOwn(given, field.name));
    stream.writeUInt32(index + 1);
    const field = fields[index];
    if (field !== undefined) encodeField(field, given[field.name] ?? null, stream);
    return;
  }
  if (masked) stream.writeUInt32(maskOf(fields, given));
  for (const field of fields) {
    const has = Object.hasOwn(given, field.name);
    if (masked && field.optional && !has) continue;
    if (!has) throw unfit(`${name} needs a field "${field.name}"`);
    encodeField(field, given[field.name] ?? null, stream);
  }
}

function maskOf(fields: readonly Field[], given: Record<string, Json>): number {
  const optional = fields.filter((field) => field.optional);
  return optional.reduce(
    (mask, { name }, bit) => (Object.hasOwn(given, name) ? mask | (1 << bit) : mask),
    0,
  );
}

function encodeField({ kind, rank, name }: Field, value: Json, stream: BinaryStream): void {
  if (rank < 1) return encodeOne(kind, value, stream);
  if (rank > 1) throw unfit(`"${name}" has ${rank} dimensions, which are not written`);
  if (!Array.isArray(value)) throw unfit(`"${name}" is a list`);
  stream.writeInteger(value.length);
  for (const each of value) encodeOne(kind, each, stream);
}

function encodeOne(kind: Kind, value: Json, stream: BinaryStream): void {
  switch (kind.kind) {
    case 'structure':
      return encodeFields(kind, value, stream);
    case 'enumeration':
      return stream.writeInteger(numberOf(kind.names, value));
    case 'any':
      return encodeVariant(guess(value), stream);
    case 'builtin': {
      const [, encode] = CODECS[kind.type] ?? [];
      if (encode === undefined) throw unfit('a type that is not written');
      return encode(nativeOf(kind.type, value) as never, stream);
    }
  }
}

/** Of an enumeration: by its name, or the number itself. @throws Misconfigured OPCUA_VALUE */
export function numberOf(names: ReadonlyMap<number, string>, value: Value): number {
  if (typeof value === 'number' && (value | 0) === value) return value;
  const found = [...names].find(([, name]) => name === value);
  if (found !== undefined) return found[0];
  throw unfit(`expected one of ${[...names.values()].slice(0, 20).join(', ') || 'its numbers'}`);
}

/** The type that a value has by itself. */
export function guess(value: Value): Variant {
  if (typeof value === 'boolean') return new Variant({ dataType: DataType.Boolean, value });
  if (typeof value === 'string') return new Variant({ dataType: DataType.String, value });
  if (typeof value === 'bigint')
    return new Variant({
      dataType: DataType.Int64,
      arrayType: VariantArrayType.Scalar,
      value: nativeOf(DataType.Int64, value),
    });
  if (value instanceof Uint8Array)
    return new Variant({ dataType: DataType.ByteString, value: Buffer.from(value) });
  if (typeof value !== 'number')
    throw unfit('a list or object, whose type the server does not say');
  const int = Number.isInteger(value) && Math.abs(value) <= 0x7fff_ffff;
  return new Variant({ dataType: int ? DataType.Int32 : DataType.Double, value });
}

function objectOf(value: Value, name: string): Record<string, Json> {
  const is = typeof value === 'object' && value !== null && !Array.isArray(value);
  if (is && !(value instanceof Uint8Array)) return value as Record<string, Json>;
  throw unfit(`expected an object with the fields of ${name}`);
}

function neverEncoded(): void {
  throw unfit('a type that is not written');
}

function unfit(message: string): Misconfigured {
  return new Misconfigured('OPCUA_VALUE', message);
}
