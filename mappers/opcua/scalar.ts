/** One scalar of a built-in type (OPC UA Part 6, table 1), from what the library decodes to a value, and back (pure). */
import { type Json, Misconfigured, type Value } from '@limpet/dmi';
import { LocalizedText, QualifiedName } from 'node-opcua-data-model';
import type { NodeId } from 'node-opcua-nodeid';
import { coerceStatusCode, type StatusCode, StatusCodes } from 'node-opcua-status-code';
import { DataType } from 'node-opcua-variant';
import { expandedOf, nodeIdOf, textOfNodeId } from './expanded.ts';

/** Inclusive limits of the whole-number types that a JavaScript number holds. */
const LIMITS: { readonly [type: number]: readonly [number, number] } = {
  [DataType.SByte]: [-0x80, 0x7f],
  [DataType.Byte]: [0, 0xff],
  [DataType.Int16]: [-0x8000, 0x7fff],
  [DataType.UInt16]: [0, 0xffff],
  [DataType.Int32]: [-0x8000_0000, 0x7fff_ffff],
  [DataType.UInt32]: [0, 0xffff_ffff],
};
const GUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
/** Part 6, 5.2.2.5: the first moment of 1601 is no time at all, and from the last of 9999 on it is "for ever". */
const NO_TIME_MS = -11_644_473_600_000;
const FOR_EVER = '9999-12-31T23:59:59Z';
const FOR_EVER_MS = Date.parse(FOR_EVER);
/** Beyond it the library has read a negative number, thus a time before 1601, as a positive one. */
const MOST_MS = Number(2n ** 63n / 10_000n) + NO_TIME_MS;
const MAX_INDEX = 65_535;

/** Types whose values the library decodes to something of its own. */
const DECODED: { readonly [type: number]: (native: never) => Value } = {
  [DataType.Int64]: (native) => whole(BigInt.asIntN(64, joined(native))),
  [DataType.UInt64]: (native) => whole(joined(native)),
  [DataType.Float]: (native) => shortest(Number(native)),
  [DataType.DateTime]: timeOf,
  [DataType.Guid]: (native: string) => native.toLowerCase(),
  [DataType.ByteString]: (native: Uint8Array) => new Uint8Array(native),
  [DataType.NodeId]: (native: NodeId) => textOfNodeId(native),
  [DataType.ExpandedNodeId]: (native: NodeId) => textOfNodeId(native),
  [DataType.StatusCode]: (native: StatusCode) => native.name,
  [DataType.QualifiedName]: ({ namespaceIndex, name }: QualifiedName) =>
    name !== null && namespaceIndex > 0 ? `${namespaceIndex}:${name}` : name,
  [DataType.LocalizedText]: (native: LocalizedText) => native.text ?? null,
  [DataType.DiagnosticInfo]: () => null,
};

/** Types that are text on our side. */
const FROM_TEXT: { readonly [type: number]: (text: string) => unknown } = {
  [DataType.String]: (text) => text,
  [DataType.XmlElement]: (text) => text,
  [DataType.LocalizedText]: (text) => new LocalizedText({ text, locale: null }),
  [DataType.Guid]: guidOf,
  [DataType.DateTime]: dateOf,
  [DataType.QualifiedName]: nameOf,
  [DataType.NodeId]: (text) =>
    nodeIdOf(text) ?? fault(unfit(DataType.NodeId, 'a NodeId such as ns=2;s=Boiler.Temp')),
  [DataType.ExpandedNodeId]: (text) =>
    expandedOf(text) ??
    fault(unfit(DataType.ExpandedNodeId, 'a NodeId such as nsu=http://maker.com/UA/;s=Temp')),
  [DataType.StatusCode]: statusOf,
};

/** `native` as the library decodes it; null where the server says that there is none. */
export function scalarOf(type: DataType, native: unknown): Value {
  if (native === null || native === undefined) return null;
  const decode = DECODED[type];
  return decode === undefined ? (native as Value) : decode(native as never);
}

/** What the library encodes. @throws Misconfigured OPCUA_VALUE when the type cannot hold it */
export function nativeOf(type: DataType, value: Value): unknown {
  switch (type as number) {
    case DataType.Boolean:
      if (typeof value === 'boolean') return value;
      throw unfit(type, 'true or false');
    case DataType.Int64:
      return bigOf(type, value, -(2n ** 63n), 2n ** 63n - 1n);
    case DataType.UInt64:
      return bigOf(type, value, 0n, 2n ** 64n - 1n);
    case DataType.Float:
      return floatOf(value);
    case DataType.Double:
      if (typeof value === 'number' && Number.isFinite(value)) return value;
      throw unfit(type, 'a finite number');
    case DataType.ByteString:
      return bytesOf(value);
    default:
      return LIMITS[type] === undefined ? fromText(type, value) : intOf(type, value);
  }
}

/** JSON within a list or structure: what it cannot say is text (big integers, bytes in base64) or null (NaN). */
export function plain(value: Value): Json {
  if (typeof value === 'bigint') return String(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (typeof value === 'number' && !Number.isFinite(value)) return null;
  return value;
}

/** A float32 as the shortest decimal that names it: 0.1, not 0.10000000149011612. */
function shortest(value: number): number {
  for (let digits = 6; digits <= 9; digits++) {
    const near = Number(value.toPrecision(digits));
    if (Math.fround(near) === value) return near;
  }
  return value;
}

function fromText(type: DataType, value: Value): unknown {
  if (type === DataType.LocalizedText && typeof value === 'object' && value !== null) {
    const { text, locale } = value as { text?: unknown; locale?: unknown };
    if (typeof text === 'string') {
      return new LocalizedText({ text, locale: typeof locale === 'string' ? locale : null });
    }
  }
  const take = FROM_TEXT[type];
  if (take === undefined)
    throw new Misconfigured('OPCUA_VALUE', `a ${DataType[type]} cannot be written`);
  if (typeof value !== 'string') throw unfit(type, 'text');
  return take(value);
}

function guidOf(text: string): string {
  if (GUID.test(text)) return text.toUpperCase();
  throw unfit(DataType.Guid, 'a GUID such as 72962b91-fa75-4ae6-8d28-b404dc7daf63');
}

function nameOf(text: string): QualifiedName {
  const [, space = '0', name = text] = /^(\d{1,5}):(.*)$/s.exec(text) ?? [];
  if (Number(space) > MAX_INDEX)
    throw unfit(DataType.QualifiedName, `a name such as 2:Boiler, its number up to ${MAX_INDEX}`);
  return new QualifiedName({ namespaceIndex: Number(space), name });
}

function intOf(type: DataType, value: Value): number {
  const [least, most] = LIMITS[type] ?? [0, 0];
  if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most)
    return value;
  throw unfit(type, `a whole number from ${least} to ${most}`);
}

function bigOf(type: DataType, value: Value, least: bigint, most: bigint): readonly number[] {
  const text = typeof value === 'string' && /^-?\d{1,20}$/.test(value);
  const safe = typeof value === 'number' && Number.isSafeInteger(value);
  if (typeof value === 'bigint' || safe || text) {
    const big = BigInt(value as bigint | number | string);
    if (big >= least && big <= most) {
      const bits = BigInt.asUintN(64, big);
      return [Number(bits >> 32n), Number(bits & 0xffff_ffffn)];
    }
  }
  throw unfit(type, `a whole number from ${least} to ${most}`);
}

function floatOf(value: Value): number {
  const near = typeof value === 'number' ? Math.fround(value) : NaN;
  if (Number.isFinite(near)) return near;
  throw unfit(DataType.Float, 'a number that a float32 can hold');
}

function bytesOf(value: Value): Buffer {
  if (value instanceof Uint8Array) return Buffer.from(value);
  // Within JSON.
  if (typeof value === 'string' && /^[A-Za-z0-9+/]*={0,2}$/.test(value))
    return Buffer.from(value, 'base64');
  throw unfit(DataType.ByteString, 'bytes');
}

function timeOf(native: Date): string | null {
  const ms = native.getTime();
  if (!(ms > NO_TIME_MS && ms <= MOST_MS)) return null;
  return ms >= FOR_EVER_MS ? FOR_EVER : native.toISOString();
}

function dateOf(value: string): Date {
  const ms = Date.parse(value);
  // A second more, for whoever writes the last moment with its fraction.
  if (ms > NO_TIME_MS && ms < FOR_EVER_MS + 1_000) return new Date(Math.min(ms, FOR_EVER_MS));
  throw unfit(DataType.DateTime, 'a time such as 2026-11-21T20:00:00Z, from 1601 to 9999');
}

function statusOf(value: string): StatusCode {
  const all = StatusCodes as unknown as Record<string, StatusCode>;
  const found = Object.hasOwn(all, value) ? all[value] : undefined;
  if (found !== undefined) return coerceStatusCode(found);
  throw unfit(DataType.StatusCode, 'the name of a StatusCode such as Good');
}

/** A number where one is exact. */
function whole(big: bigint): number | bigint {
  const near = Number(big);
  return Number.isSafeInteger(near) ? near : big;
}

/** The library has 64 bits as two halves. */
function joined(native: unknown): bigint {
  if (typeof native === 'number' || typeof native === 'bigint') return BigInt(native);
  const [high = 0, low = 0] = native as number[];
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}

function fault(error: Error): never {
  throw error;
}

function unfit(type: DataType, wanted: string): Misconfigured {
  return new Misconfigured('OPCUA_VALUE', `the node holds ${DataType[type]}: expected ${wanted}`);
}
