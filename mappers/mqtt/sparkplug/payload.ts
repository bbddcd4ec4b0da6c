/** Sparkplug B payloads (pure): Eclipse Sparkplug 3.0, 6.4, message Payload. */
import { decode, encode, type Field, type Fields, wires } from './protobuf.ts';

/** Data types of metrics, 6.4.16. */
export const TYPE = {
  Int8: 1,
  Int16: 2,
  Int32: 3,
  Int64: 4,
  UInt8: 5,
  UInt16: 6,
  UInt32: 7,
  UInt64: 8,
  Float: 9,
  Double: 10,
  Boolean: 11,
  String: 12,
  DateTime: 13,
  Text: 14,
  UUID: 15,
  DataSet: 16,
  Bytes: 17,
  File: 18,
  Template: 19,
} as const;

/** A value of several types in turn; one of them is there. */
export interface AnyValue {
  readonly int?: number;
  readonly long?: number | bigint;
  readonly float?: number;
  readonly double?: number;
  readonly boolean?: boolean;
  readonly string?: string;
}

export interface DataSet {
  readonly columns?: readonly string[];
  readonly types?: readonly number[];
  readonly rows?: readonly { readonly elements?: readonly AnyValue[] }[];
}

export interface Template {
  readonly version?: string;
  readonly reference?: string;
  readonly definition?: boolean;
  readonly metrics?: readonly Metric[];
  readonly parameters?: readonly (AnyValue & { readonly name?: string; readonly type?: number })[];
}

export interface Metric extends AnyValue {
  readonly name?: string;
  readonly alias?: number | bigint;
  readonly timestamp?: number;
  readonly datatype?: number;
  readonly historical?: boolean;
  readonly isNull?: boolean;
  readonly properties?: {
    readonly keys?: readonly string[];
    readonly values?: readonly (AnyValue & { readonly type?: number })[];
  };
  readonly bytes?: Buffer;
  readonly dataset?: DataSet;
  readonly template?: Template;
}

export interface Payload {
  readonly timestamp?: number;
  readonly metrics?: readonly Metric[];
  readonly seq?: number;
}

const SEQ = 3;

/** @throws Garbled */
export function decodePayload(bytes: Buffer): Payload {
  return decode(bytes, PAYLOAD) as Payload;
}

export function encodePayload(payload: Payload): Buffer {
  return encode(payload as never, PAYLOAD);
}

/** The sequence number alone, without decoding the metrics. @throws Garbled */
export function seqOf(bytes: Buffer): number | undefined {
  for (const { number, value } of wires(bytes)) if (number === SEQ) return Number(value);
  return undefined;
}

type Plain = Exclude<Field['type'], () => Fields>;

const one = (name: string, type: Field['type']): Field => ({ name, type });
const many = (name: string, type: Field['type']): Field => ({ name, type, many: true });

const VALUES: readonly (readonly [name: string, type: Plain])[] = [
  ['int', 'uint32'],
  ['long', 'uint64'],
  ['float', 'float'],
  ['double', 'double'],
  ['boolean', 'bool'],
  ['string', 'string'],
];

/** The fields of a value of several types, which the messages number from different starts. */
function valuesFrom(start: number): Fields {
  return Object.fromEntries(VALUES.map(([name, type], index) => [start + index, one(name, type)]));
}

const DATASET: Fields = {
  1: one('count', 'uint64'),
  2: many('columns', 'string'),
  3: many('types', 'uint32'),
  4: many('rows', () => ({ 1: many('elements', () => valuesFrom(1)) })),
};

const PARAMETER: Fields = { 1: one('name', 'string'), 2: one('type', 'uint32'), ...valuesFrom(3) };

const TEMPLATE: Fields = {
  1: one('version', 'string'),
  2: many('metrics', () => METRIC),
  3: many('parameters', () => PARAMETER),
  4: one('reference', 'string'),
  5: one('definition', 'bool'),
};

const PROPERTIES: Fields = {
  1: many('keys', 'string'),
  2: many('values', () => ({
    1: one('type', 'uint32'),
    2: one('isNull', 'bool'),
    ...valuesFrom(3),
  })),
};

const METRIC: Fields = {
  1: one('name', 'string'),
  2: one('alias', 'uint64'),
  3: one('timestamp', 'uint64'),
  4: one('datatype', 'uint32'),
  5: one('historical', 'bool'),
  7: one('isNull', 'bool'),
  9: one('properties', () => PROPERTIES),
  ...valuesFrom(10),
  16: one('bytes', 'bytes'),
  17: one('dataset', () => DATASET),
  18: one('template', () => TEMPLATE),
};

const PAYLOAD: Fields = {
  1: one('timestamp', 'uint64'),
  2: many('metrics', () => METRIC),
  3: one('seq', 'uint64'),
};
