/** From what the server says of a node to a reading (pure, as long as all structures in it are known). */
import { type Json, type Misconfigured, type Reading, Refused, type Value } from '@limpet/dmi';
import { DataValue } from 'node-opcua-data-value';
import { OpaqueStructure } from 'node-opcua-extension-object';
import type { NodeId } from 'node-opcua-nodeid';
import { DataType, Variant, VariantArrayType } from 'node-opcua-variant';
import { plain, scalarOf } from './scalar.ts';
import { isGood, isUncertain, itemError, type Status } from './status.ts';
import { decodeStructure, nested } from './structure.ts';
import type { Enumeration, Types } from './types.ts';
import { nameOf } from './types.ts';

/** What a visitor wants of a value. */
export interface Wanted {
  /** For messages: `ns=2;s=Temp`. */
  readonly name: string;
  /** Of one element, the indexes that name it: it is told itself, not the list that it comes in. 0: no single one. */
  readonly dimensions: number;
  readonly as?: 'name' | 'bytes';
  /** For `as: name`. */
  readonly enumeration?: Enumeration;
}

/** A value in the future, or from before OPC UA, is no time. */
const EARLIEST_MS = Date.UTC(1995, 0, 1);
/** Nothing longer is a property's value: in JSON an element takes two bytes at least. */
const MAX_BYTES = 65_536;
const MAX_ELEMENTS = MAX_BYTES / 2;

export function readingOf(data: DataValue, wanted: Wanted, types: Types): Reading {
  const status = data.statusCode as unknown as Status;
  const uncertain = isUncertain(status);
  if (!isGood(status) && !uncertain) return bad(itemError(status, wanted.name));
  const long = tooLong(data.value, wanted);
  if (long !== undefined) return bad(long);
  const value = valueIn(data.value, wanted, types);
  if (value === null) {
    const why = uncertain ? itemError(status, wanted.name) : nothing(wanted.name);
    return bad(why);
  }
  if (typeof value === 'number' && !Number.isFinite(value)) {
    return bad(
      new Refused('OPCUA_NOT_A_NUMBER', `${wanted.name} is not a number: no valid measurement`),
    );
  }
  const ms = data.sourceTimestamp?.getTime() ?? 0;
  return {
    ok: true,
    value,
    ...(ms > EARLIEST_MS && { at: ms }),
    ...(uncertain && { doubt: itemError(status, wanted.name) }),
  };
}

/** Refused before it is taken apart: that takes many times its bytes. */
function tooLong(variant: Variant | null | undefined, wanted: Wanted): Refused | undefined {
  const { value } = (variant ?? {}) as { value?: unknown };
  const whole = typeof value === 'string' || value instanceof Uint8Array || wanted.as === 'bytes';
  const { length = 0 } = (value ?? {}) as { length?: number };
  if (!(length > (whole ? MAX_BYTES : MAX_ELEMENTS))) return undefined;
  const message = `${wanted.name} has ${length} ${whole ? 'bytes' : 'elements'}, more than a property holds; read a part of it with range, such as 0:99`;
  return new Refused('OPCUA_TOO_LONG', message);
}

/** The encodings within that {@link Types.learn} must look up first. */
export function unknownIn(variant: Variant | null | undefined, types: Types): NodeId[] {
  const own = variant?.dataType === DataType.DataValue;
  if (own || variant?.dataType === DataType.Variant) {
    const inner: unknown = variant.value;
    const all = (Array.isArray(inner) ? inner : [inner]) as unknown[];
    return all.flatMap((each) =>
      unknownIn(own ? (each as DataValue | null)?.value : (each as Variant | null), types),
    );
  }
  if (variant?.dataType !== DataType.ExtensionObject) return [];
  const held: unknown = variant.value;
  return (Array.isArray(held) ? held : [held]).flatMap((each) =>
    each instanceof OpaqueStructure && types.encoded(each.nodeId) === undefined
      ? [each.nodeId]
      : [],
  );
}

/** null: there is none. @throws nothing; what cannot be taken apart is said by {@link readingOf} */
export function valueIn(variant: Variant | null | undefined, wanted: Wanted, types: Types): Value {
  if (variant === null || variant === undefined || variant.dataType === DataType.Null) return null;
  const { as, dimensions, enumeration } = wanted;
  const value = as === 'bytes' ? bytesIn(variant) : plainIn(variant, types);
  const one = only(value, dimensions);
  if (as !== 'name' || enumeration === undefined) return one;
  return Array.isArray(one)
    ? one.map((each) => nameOf(enumeration, each as Json))
    : nameOf(enumeration, plain(one));
}

/** The element itself, of a list of lists that has no other. */
function only(value: Value, dimensions: number): Value {
  return dimensions > 0 && Array.isArray(value) && value.length === 1
    ? only(value[0] as Value, dimensions - 1)
    : value;
}

/** A value of any shape; within lists and structures what JSON can say. */
function plainIn(variant: Variant, types: Types): Value {
  const { dataType, arrayType, value, dimensions } = variant;
  if (arrayType === VariantArrayType.Scalar) return oneOf(dataType, value, types);
  if (value === null || value === undefined) return [];
  const flat = Array.from(value as ArrayLike<unknown>, (each) =>
    plain(oneOf(dataType, each, types)),
  );
  return arrayType === VariantArrayType.Matrix ? nested(flat, dimensions ?? []) : flat;
}

function oneOf(dataType: DataType, native: unknown, types: Types): Value {
  if (native === null || native === undefined) return null;
  if (dataType === DataType.ExtensionObject) return structureOf(native, types);
  if (dataType === DataType.Variant) return plainIn(native as Variant, types);
  if (dataType === DataType.DataValue) return heldIn(native as DataValue, types);
  return scalarOf(dataType, native);
}

/** A DataValue within another value: what is bad there is as good as nothing. */
function heldIn({ statusCode, value }: DataValue, types: Types): Value {
  const good = isGood(statusCode) || isUncertain(statusCode);
  return good && value instanceof Variant ? plainIn(value, types) : null;
}

/** By its definition, or by the fields of the library's own class. */
function structureOf(native: unknown, types: Types): Json {
  const inner = (each: unknown): Json => {
    if (each instanceof Variant) return plain(plainIn(each, types));
    if (each instanceof DataValue) return plain(heldIn(each, types));
    return each === null || each === undefined ? null : structureOf(each, types);
  };
  if (!(native instanceof OpaqueStructure)) return fieldsOf(native, inner);
  const known = types.encoded(native.nodeId);
  // Without a definition: its bytes, and whose they are.
  if (known === null || known === undefined) {
    return { encoding: native.nodeId.toString(), bytes: native.buffer.toString('base64') };
  }
  try {
    return decodeStructure(known, native.buffer, inner);
  } catch {
    return { encoding: native.nodeId.toString(), bytes: native.buffer.toString('base64') };
  }
}

interface OwnField {
  readonly name: string;
  readonly fieldType: string;
}

/** A structure of the specification that the library has a class for. */
function fieldsOf(native: unknown, inner: (each: unknown) => Json): Json {
  const { schema } = native as { schema?: { fields?: readonly OwnField[]; _baseSchema?: unknown } };
  const all = allFields(schema);
  return Object.fromEntries(
    all.map(({ name, fieldType }) => [
      name[0]?.toUpperCase() + name.slice(1),
      fieldOf(fieldType, (native as Record<string, unknown>)[name], inner),
    ]),
  );
}

function allFields(schema: unknown): readonly OwnField[] {
  const { fields = [], _baseSchema } = (schema ?? {}) as {
    fields?: readonly OwnField[];
    _baseSchema?: unknown;
  };
  return _baseSchema ? [...allFields(_baseSchema), ...fields] : fields;
}

function fieldOf(fieldType: string, value: unknown, inner: (each: unknown) => Json): Json {
  if (value === null || value === undefined) return null;
  if (Array.isArray(value) && !fieldType.endsWith('Int64'))
    return value.map((each) => fieldOf(fieldType, each, inner));
  const type = (DataType as unknown as Record<string, DataType | undefined>)[
    ALIASES[fieldType] ?? fieldType
  ];
  if (value instanceof Variant) return inner(value);
  if (type !== undefined && type !== DataType.ExtensionObject) return plain(scalarOf(type, value));
  return typeof value === 'object' ? fieldsOf(value, inner) : plain(value as Value);
}

const ALIASES: { readonly [name: string]: string } = {
  UtcTime: 'DateTime',
  UAString: 'String',
  CharArray: 'String',
  LocaleId: 'String',
  Duration: 'Double',
};

/** Byte arrives as a list of numbers, or as bytes already. */
function bytesIn({ value }: Variant): Value {
  if (value instanceof Uint8Array) return new Uint8Array(value);
  const bytes = Array.isArray(value) && value.every((each) => typeof each === 'number');
  return bytes ? Uint8Array.from(value as number[]) : (value as Value);
}

function nothing(name: string): Refused {
  return new Refused('OPCUA_NO_VALUE', `${name} has no value yet`);
}

function bad(error: Refused | Misconfigured): Reading {
  return { ok: false, error };
}
