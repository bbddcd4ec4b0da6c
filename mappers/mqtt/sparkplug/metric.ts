/** Values of metrics (pure): 6.4.16 to 6.4.17 of the Sparkplug specification, and back. */
import { DmiError, type Json, Misconfigured, type Reading, Refused, type Value } from '@limpet/dmi';
import { decodeJson, encode } from '../values.ts';
import type { Layout } from '../visitor.ts';
import { type AnyValue, type DataSet, type Metric, type Template, TYPE } from './payload.ts';

const GOOD = 192;
const STALE = 500;

/** What a metric says, of the data type that its birth declared. */
export function readingOf(metric: Metric, datatype: number, layout: Layout): Reading {
  try {
    if (metric.isNull === true)
      throw new Refused('MQTT_NULL', 'the device says that it has no value');
    const value = meaning(rawOf(metric, datatype), layout);
    const at = metric.timestamp;
    return { ok: true, value, ...(at !== undefined && { at }), ...doubtOf(metric) };
  } catch (error) {
    if (error instanceof DmiError) return { ok: false, error };
    throw error;
  }
}

/** The metric that asks for this value. @throws Misconfigured */
export function metricFor(value: Value, layout: Layout, datatype: number): Partial<Metric> {
  const raw = typeof value === 'bigint' ? value : encode(value, layout);
  if (Buffer.isBuffer(raw)) return datatype === TYPE.Bytes ? { bytes: raw } : wrong(datatype);
  if (typeof raw === 'boolean')
    return datatype === TYPE.Boolean ? { boolean: raw } : wrong(datatype);
  if (isText(datatype)) return { string: typeof raw === 'string' ? raw : JSON.stringify(raw) };
  const number = typeof raw === 'string' ? Number(raw) : raw;
  return typeof number === 'number' || typeof number === 'bigint'
    ? numberFor(number, datatype)
    : wrong(datatype);
}

function numberFor(number: number | bigint, datatype: number): Partial<Metric> {
  if (datatype === TYPE.Float) return { float: Number(number) };
  if (datatype === TYPE.Double) return { double: Number(number) };
  return wholeFor(number, datatype);
}

/** Bits, and whether there is a sign. */
const WHOLE: Readonly<Record<number, readonly [bits: number, signed: boolean]>> = {
  [TYPE.Int8]: [8, true],
  [TYPE.Int16]: [16, true],
  [TYPE.Int32]: [32, true],
  [TYPE.Int64]: [64, true],
  [TYPE.UInt8]: [8, false],
  [TYPE.UInt16]: [16, false],
  [TYPE.UInt32]: [32, false],
  [TYPE.UInt64]: [64, false],
  [TYPE.DateTime]: [64, false],
};

function wholeFor(number: number | bigint, datatype: number): Partial<Metric> {
  const [bits, signed] = WHOLE[datatype] ?? wrong(datatype);
  const whole = typeof number === 'bigint' ? number : BigInt(Math.round(number));
  const same = signed ? BigInt.asIntN(bits, whole) : BigInt.asUintN(bits, whole);
  if (same !== whole)
    throw new Misconfigured('MQTT_VALUE', `the metric has ${bits} bits and cannot hold the value`);
  const bare = BigInt.asUintN(bits === 64 ? 64 : 32, whole);
  return bits === 64 ? { long: bare } : { int: Number(bare) };
}

function wrong(datatype: number): never {
  const name = Object.entries(TYPE).find(([, type]) => type === datatype)?.[0] ?? datatype;
  throw new Misconfigured('MQTT_VALUE', `the metric is of type ${name}, which takes no such value`);
}

function isText(datatype: number): boolean {
  return datatype === TYPE.String || datatype === TYPE.Text || datatype === TYPE.UUID;
}

type Raw = Json | bigint | Uint8Array;

function meaning(raw: Raw, layout: Layout): Value {
  if (raw instanceof Uint8Array) {
    if (layout.type === 'bytes') return raw;
    throw new Refused('MQTT_NOT_TEXT', 'the metric holds bytes: set type to bytes');
  }
  if (typeof raw !== 'bigint') return decodeJson(raw, layout);
  return layout.scale === 1 && layout.offset === 0 ? raw : decodeJson(Number(raw), layout);
}

/** @throws Refused where the value is not of the type that was declared */
function rawOf(metric: Metric, datatype: number): Raw {
  if (datatype === TYPE.DataSet && metric.dataset !== undefined) return tableOf(metric.dataset);
  if (datatype === TYPE.Template && metric.template !== undefined)
    return templateOf(metric.template);
  if (metric.bytes === undefined) return scalarOf(metric, datatype);
  return datatype > TYPE.Template ? arrayOf(metric.bytes, datatype) : Uint8Array.from(metric.bytes);
}

function scalarOf(value: AnyValue, datatype: number): Json | bigint {
  const { int, long, float, double, boolean, string } = value;
  const found = boolean ?? string ?? double ?? (float === undefined ? undefined : shortest(float));
  if (found !== undefined) return found;
  const whole = int ?? long;
  if (whole === undefined) throw new Refused('MQTT_NO_VALUE', 'the metric came without a value');
  const [bits, signed] = WHOLE[datatype] ?? [64, false];
  if (!signed) return whole;
  const negative = BigInt.asIntN(bits, BigInt(whole));
  return Number.isSafeInteger(Number(negative)) ? Number(negative) : negative;
}

/** The shortest decimal that names this float32. */
function shortest(float: number): number {
  for (let digits = 6; digits <= 9; digits++) {
    const decimal = Number(float.toPrecision(digits));
    if (Math.fround(decimal) === float) return decimal;
  }
  return float;
}

/** JSON has no bigint. */
function plain(value: Json | bigint): Json {
  return typeof value === 'bigint' ? value.toString() : value;
}

function tableOf({ columns = [], types = [], rows = [] }: DataSet): Json {
  return {
    columns: [...columns],
    rows: rows.map(({ elements = [] }) =>
      elements.map((element, index) => plain(scalarOf(element, types[index] ?? 0))),
    ),
  };
}

function templateOf({ version, reference, metrics = [], parameters = [] }: Template): Json {
  const values = metrics.map((metric) => {
    const raw = metric.isNull === true ? null : rawOf(metric, metric.datatype ?? 0);
    const json = raw instanceof Uint8Array ? Buffer.from(raw).toString('base64') : plain(raw);
    return [metric.name ?? String(metric.alias), json] as const;
  });
  const named = parameters.map(
    ({ name = '', type = 0, ...value }) => [name, plain(scalarOf(value, type))] as const,
  );
  return {
    ...(reference !== undefined && { template: reference }),
    ...(version !== undefined && { version }),
    metrics: Object.fromEntries(values),
    ...(named.length > 0 && { parameters: Object.fromEntries(named) }),
  };
}

/** 6.4.17: arrays as bytes, least significant first. */
const ARRAYS: Readonly<
  Record<number, readonly [size: number, read: (bytes: Buffer, at: number) => Json]>
> = {
  22: [1, (bytes, at) => bytes.readInt8(at)],
  23: [2, (bytes, at) => bytes.readInt16LE(at)],
  24: [4, (bytes, at) => bytes.readInt32LE(at)],
  25: [8, (bytes, at) => plain(bytes.readBigInt64LE(at))],
  26: [1, (bytes, at) => bytes.readUInt8(at)],
  27: [2, (bytes, at) => bytes.readUInt16LE(at)],
  28: [4, (bytes, at) => bytes.readUInt32LE(at)],
  29: [8, (bytes, at) => plain(bytes.readBigUInt64LE(at))],
  30: [4, (bytes, at) => shortest(bytes.readFloatLE(at))],
  31: [8, (bytes, at) => bytes.readDoubleLE(at)],
  34: [8, (bytes, at) => Number(bytes.readBigUInt64LE(at))],
};
const BOOLEANS = 32;
const STRINGS = 33;

function arrayOf(bytes: Buffer, datatype: number): Json {
  if (datatype === STRINGS) return bytes.toString().replace(/\0$/, '').split('\0');
  if (datatype === BOOLEANS) {
    const count = Math.min(bytes.length < 4 ? 0 : bytes.readUInt32LE(0), (bytes.length - 4) * 8);
    return Array.from({ length: Math.max(0, count) }, (_, index) => bitAt(bytes, index));
  }
  const [size, read] = ARRAYS[datatype] ?? [0, () => null];
  if (size === 0) throw new Refused('MQTT_NO_VALUE', `a metric of type ${datatype} is not known`);
  return Array.from({ length: Math.floor(bytes.length / size) }, (_, index) =>
    read(bytes, index * size),
  );
}

/** After the count, eight in a byte, the first in its highest bit. */
function bitAt(bytes: Buffer, index: number): boolean {
  return (((bytes[4 + (index >> 3)] ?? 0) >> (7 - (index & 7))) & 1) === 1;
}

/** 6.4.13: the property Quality, as in OPC. */
function doubtOf({ properties }: Metric): { readonly doubt?: DmiError } {
  const at = properties?.keys?.indexOf('Quality') ?? -1;
  const value = properties?.values?.[at];
  const quality = value?.int ?? value?.long;
  if (quality === undefined || Number(quality) === GOOD) return {};
  const how = Number(quality) === STALE ? 'stale' : `bad (${quality})`;
  return { doubt: new Refused('MQTT_QUALITY', `the device itself calls the value ${how}`) };
}
