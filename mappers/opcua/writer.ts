/** Writing: a value as the node's own type, and as the server will report it. */
import {
  type DmiError,
  type Json,
  Misconfigured,
  type Order,
  type Reading,
  Refused,
  type Value,
} from '@limpet/dmi';
import { AttributeIds } from 'node-opcua-data-model';
import { OpaqueStructure } from 'node-opcua-extension-object';
import type { NodeId } from 'node-opcua-nodeid';
import { NumericRange } from 'node-opcua-numeric-range';
import type { WriteValueOptions } from 'node-opcua-types';
import { DataType, Variant, VariantArrayType } from 'node-opcua-variant';
import type { Items, Item } from './items.ts';
import { valueIn } from './reading.ts';
import { nativeOf } from './scalar.ts';
import type { Services } from './services.ts';
import { isGood, itemError, type Status } from './status.ts';
import { Encoded, encodeStructure, guess, numberOf } from './structure.ts';
import { type Kind, limit, type Types } from './types.ts';
import type { NodeVisitor } from './visitor.ts';

/** How a node's value is written. */
interface Shape {
  readonly kind: Kind;
  /** -1 scalar, -2 any, -3 scalar or list, 0 list of any dimensions, else its dimensions (Part 3, 5.6.2). */
  readonly rank: number;
}

/** A value as it goes over the wire. */
interface Prepared {
  readonly item: Item;
  readonly variant: Variant;
  readonly write: WriteValueOptions;
}

/** Asked once; a node's type does not change while a session lives. */
const MOST = 10_000;

export class Writer {
  readonly #services: Services;
  readonly #types: Types;
  readonly #items: Items;
  readonly #shapes = new Map<string, Shape>();

  constructor(services: Services, types: Types, items: Items) {
    this.#services = services;
    this.#types = types;
    this.#items = items;
  }

  /** Resolves with the value as it will be read. @throws Refused, Misconfigured, Unreachable */
  async write(visitor: NodeVisitor, value: Value, signal: AbortSignal): Promise<Value> {
    const prepared = await this.#prepared(visitor, value, signal);
    const [status] = await this.#services.write([prepared.write], signal);
    return this.#written(prepared, status, signal);
  }

  /** In one request, as far as the server takes so many; each with an answer of its own. */
  async writeMany(
    orders: readonly Order<NodeVisitor>[],
    signal: AbortSignal,
  ): Promise<readonly Reading[]> {
    const all: (Prepared | DmiError)[] = [];
    for (const { visitor, value } of orders) {
      all.push(await this.#prepared(visitor, value, signal).catch(refusal));
    }
    const good = all.filter((each): each is Prepared => !(each instanceof Error));
    const statuses = await this.#services.write(
      good.map(({ write }) => write),
      signal,
    );
    const readings: Reading[] = [];
    let next = 0;
    for (const each of all) {
      const said =
        each instanceof Error
          ? each
          : await this.#written(each, statuses[next++], signal).then(valued, refusal);
      readings.push(said instanceof Error ? { ok: false, error: said } : said);
    }
    return readings;
  }

  async #prepared(visitor: NodeVisitor, value: Value, signal: AbortSignal): Promise<Prepared> {
    if (visitor.attribute !== 'Value')
      throw new Misconfigured('OPCUA_VALUE', `attribute ${visitor.attribute} is not written`);
    const item = await this.#items.item(visitor, signal);
    const shape = await this.#shape(item.nodeId, signal);
    const variant = await this.#variant(item, shape, { visitor, value, signal });
    const write = {
      nodeId: item.nodeId,
      attributeId: AttributeIds.Value,
      ...(visitor.range !== undefined && { indexRange: new NumericRange(visitor.range) }),
      // Many servers refuse times and status codes of a client.
      value: { value: variant },
    };
    return { item, variant, write };
  }

  async #written(
    { item, variant }: Prepared,
    status: Status | undefined,
    signal: AbortSignal,
  ): Promise<Value> {
    if (status === undefined || !isGood(status)) {
      throw itemError(status ?? { value: 0x8000_0000, name: 'Bad' }, item.wanted.name);
    }
    await this.#types.learn(encodingsIn(variant), signal);
    return valueIn(variant, item.wanted, this.#types);
  }

  async #variant(
    { nodeId, wanted }: Item,
    { kind, rank }: Shape,
    { visitor, value, signal }: { visitor: NodeVisitor; value: Value; signal: AbortSignal },
  ): Promise<Variant> {
    const given = await this.#kindGiven(kind, nodeId, signal);
    if (given === undefined) return guess(value);
    if (visitor.as === 'bytes' && value instanceof Uint8Array && isType(given, DataType.Byte))
      return new Variant({ dataType: DataType.Byte, arrayType: VariantArrayType.Array, value });
    const one = wanted.dimensions > 0 && rank !== -1 && !Array.isArray(value);
    return variantOf(given, one ? listed(value as Json, wanted.dimensions) : value);
  }

  /** Where values bring their own type along, the present one's. */
  async #kindGiven(kind: Kind, nodeId: NodeId, signal: AbortSignal): Promise<Kind | undefined> {
    if (kind.kind !== 'any') return kind;
    const [now] = await this.#services.attributes(
      [{ nodeId, attributeId: AttributeIds.Value }],
      signal,
    );
    const type = now?.value?.dataType ?? DataType.Null;
    return type === DataType.Null || type === DataType.Variant || type === DataType.ExtensionObject
      ? undefined
      : { kind: 'builtin', type };
  }

  async #shape(nodeId: NodeId, signal: AbortSignal): Promise<Shape> {
    const key = nodeId.toString();
    const known = this.#shapes.get(key);
    if (known !== undefined) return known;
    const [type, rank] = await this.#services.attributes(
      [
        { nodeId, attributeId: AttributeIds.DataType },
        { nodeId, attributeId: AttributeIds.ValueRank },
      ],
      signal,
    );
    if (type === undefined || !isGood(type.statusCode))
      throw itemError(type?.statusCode ?? { value: 0x8000_0000, name: 'Bad' }, key);
    const shape = {
      kind: await this.#types.kindOf(type.value.value as NodeId, signal),
      rank: Number(rank?.value?.value ?? -2),
    };
    limit(this.#shapes, MOST).set(key, shape);
    return shape;
  }
}

/** One element is written as a list of one, with as many dimensions (Part 4, 7.27). */
const listed = (value: Json, dimensions: number): Json =>
  dimensions === 0 ? value : [listed(value, dimensions - 1)];

const isType = (kind: Kind, type: DataType): boolean =>
  kind.kind === 'builtin' && kind.type === type;

/** @throws Misconfigured OPCUA_VALUE */
export function variantOf(kind: Kind, value: Value): Variant {
  if (kind.kind === 'any') return guess(value);
  const dataType = typeOf(kind);
  if (!Array.isArray(value)) {
    const native = oneOf(kind, value);
    return new Variant({ dataType, arrayType: VariantArrayType.Scalar, value: native });
  }
  const dimensions = dimensionsOf(value);
  const flat = value.flat(dimensions.length - 1) as Json[];
  const natives = flat.map((each) => oneOf(kind, each));
  if (dimensions.length === 1)
    return new Variant({ dataType, arrayType: VariantArrayType.Array, value: natives });
  const size = dimensions.reduce((all, each) => all * each, 1);
  if (size !== flat.length)
    throw new Misconfigured('OPCUA_VALUE', 'a matrix needs rows of the same length');
  return new Variant({ dataType, arrayType: VariantArrayType.Matrix, dimensions, value: natives });
}

function typeOf(kind: Exclude<Kind, { kind: 'any' }>): DataType {
  if (kind.kind === 'builtin') return kind.type;
  return kind.kind === 'enumeration' ? DataType.Int32 : DataType.ExtensionObject;
}

function oneOf(kind: Exclude<Kind, { kind: 'any' }>, value: Value): unknown {
  switch (kind.kind) {
    case 'builtin':
      return nativeOf(kind.type, value);
    case 'enumeration':
      return numberOf(kind.names, value);
    case 'structure':
      return new Encoded(kind.encoding, encodeStructure(kind, value));
  }
}

function dimensionsOf(value: readonly Json[]): number[] {
  const [first] = value;
  return [value.length, ...(Array.isArray(first) ? dimensionsOf(first) : [])];
}

function encodingsIn(variant: Variant): NodeId[] {
  const all: unknown[] = Array.isArray(variant.value) ? variant.value : [variant.value];
  return all.flatMap((each) => (each instanceof OpaqueStructure ? [each.nodeId] : []));
}

const valued = (value: Value): Reading => ({ ok: true, value });

/** What is wrong with one of several orders; anything else is wrong with all. */
function refusal(error: unknown): DmiError {
  if (error instanceof Refused || error instanceof Misconfigured) return error;
  throw error;
}
