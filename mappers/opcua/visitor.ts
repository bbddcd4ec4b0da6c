/** Where a property or a method lives on an OPC UA server, and whether it can serve what the model says of it. */
import type { MethodShape, PropertyShape } from '@limpet/dmi';
import { duration, range, together, told, unknownField } from '@limpet/dmi/schema';
import * as v from 'valibot';
import { NODE_ID_HINT, type NodeAddress, parseNodeId } from './node-id.ts';

/** Attributes that hold a value, with their ids (OPC UA Part 6, A.1). */
export const ATTRIBUTES = {
  NodeId: 1,
  NodeClass: 2,
  BrowseName: 3,
  DisplayName: 4,
  Description: 5,
  WriteMask: 6,
  UserWriteMask: 7,
  EventNotifier: 12,
  Value: 13,
  DataType: 14,
  ValueRank: 15,
  ArrayDimensions: 16,
  AccessLevel: 17,
  UserAccessLevel: 18,
  MinimumSamplingInterval: 19,
  Historizing: 20,
} as const;
export type AttributeName = keyof typeof ATTRIBUTES;

/** A change that is too small to be told: in units of the value, or in percent of the node's EURange. */
export interface Deadband {
  readonly kind: 'absolute' | 'percent';
  readonly value: number;
}

/** A property's node, every default made explicit. */
export interface NodeVisitor {
  readonly kind: 'node';
  readonly node: NodeAddress;
  readonly attribute: AttributeName;
  /** Part of an array, a text or bytes: `2`, `0:3`, `1,0:1`. */
  readonly range?: string;
  /** Absent: as often as the property is wanted; 0: as fast as the server can. */
  readonly samplingMs?: number;
  readonly deadband?: Deadband;
  /** How many values the server keeps between two messages. */
  readonly queue: number;
  readonly discard: 'oldest' | 'newest';
  /** `name`: an enumeration by its names; `bytes`: a list of Byte as bytes. */
  readonly as?: 'name' | 'bytes';
}

export interface MethodVisitor {
  readonly kind: 'method';
  readonly object: NodeAddress;
  readonly method: NodeAddress;
}

/** A visitor after validation. */
export type Visitor = NodeVisitor | MethodVisitor;

const KNOWN =
  'node, attribute, range, sampling, deadband, queue, discard, as; or object and method';
const names = Object.keys(ATTRIBUTES) as AttributeName[];
const node = v.pipe(
  v.string(NODE_ID_HINT),
  v.rawTransform<string, NodeAddress>(({ dataset, addIssue, NEVER }) => {
    const address = parseNodeId(dataset.value);
    if (address !== undefined) return address;
    addIssue({ message: NODE_ID_HINT });
    return NEVER;
  }),
);

const DEADBAND = 'expected a deadband: a number above 0, or a percentage of the range such as 2%';
const deadband = v.pipe(
  v.union([v.number(), v.string()], DEADBAND),
  v.rawTransform<number | string, Deadband>(({ dataset, addIssue, NEVER }) => {
    const found = deadbandOf(dataset.value);
    if (found !== undefined) return found;
    addIssue({ message: DEADBAND });
    return NEVER;
  }),
);

const RANGE = 'expected an index range such as 2, 0:3 or 1,0:1';

const fields = v.strictObject(
  {
    node: v.optional(told(node, 'its NodeId', 'ns=2;s=Boiler.Temperature', 'nsu=urn:plc;i=1001')),
    attribute: v.optional(
      told(v.picklist(names, `expected one of ${names.join(', ')}`), 'default: Value'),
    ),
    range: v.optional(
      told(
        v.pipe(
          v.string(RANGE),
          v.check((value) => isRange(value), RANGE),
        ),
        'part of an array, a text or bytes',
        '0:3',
      ),
    ),
    sampling: v.optional(
      told(
        duration('0ms', '24h'),
        'how often the server looks; default: as often as the property is wanted',
        '100ms',
      ),
    ),
    deadband: v.optional(
      told(
        deadband,
        'changes that are too small to be told: in units, or percent of the range',
        0.5,
        '2%',
      ),
    ),
    queue: v.optional(
      told(range(1, 1000), 'how many values the server keeps between two messages; default 1'),
    ),
    discard: v.optional(
      told(
        v.picklist(['oldest', 'newest'], 'expected oldest or newest'),
        'which it gives up when there are more',
      ),
    ),
    as: v.optional(
      told(
        v.picklist(['name', 'bytes'], 'expected name or bytes'),
        'an enumeration by its names; a list of Byte as bytes',
      ),
    ),
    object: v.optional(told(node, 'of a method: the NodeId of its object', 'ns=2;s=Boiler')),
    method: v.optional(told(node, 'of a method: its NodeId', 'ns=2;s=Boiler.Start')),
  },
  unknownField(KNOWN, 'a visitor needs node; one of a method needs object and method'),
);
type Fields = v.InferOutput<typeof fields>;

/** The schema of an OPC UA visitor. */
export const visitor = v.pipe(fields, together(faults), v.transform(explicit));

/** Why this visitor can never serve this property; `undefined` when it can. */
export function fits(visitor: Visitor, property: PropertyShape): string | undefined {
  if (visitor.kind === 'method') return 'object and method name a method; a property needs node';
  const { attribute, as } = visitor;
  if (property.access === 'readWrite' && attribute !== 'Value')
    return `attribute ${attribute} is not written; use access: read`;
  if (as === 'name' && property.type !== 'string')
    return `as: name gives a string, not ${property.type}`;
  if (as === 'bytes' && property.type !== 'bytes')
    return `as: bytes gives bytes, not ${property.type}`;
  return undefined;
}

/** Why this visitor can never serve this method; `undefined` when it can. */
export function serves(visitor: Visitor, _method: MethodShape): string | undefined {
  return visitor.kind === 'method'
    ? undefined
    : 'node names a property; a method needs object and method';
}

function faults(fields: Fields): string[] {
  const { node, object, method, attribute, deadband, discard, queue } = fields;
  if (node === undefined) return methodFaults(fields);
  const checks = [
    [object !== undefined || method !== undefined, 'node: give node, or object and method'],
    [
      deadband !== undefined && attribute !== undefined && attribute !== 'Value',
      'deadband: only the attribute Value has one',
    ],
    [discard !== undefined && queue === undefined, 'queue: discard needs queue'],
  ] as const;
  return checks.flatMap(([wrong, message]) => (wrong ? [message] : []));
}

function methodFaults({ object, method, ...rest }: Fields): string[] {
  if (object === undefined || method === undefined)
    return ['node: a visitor needs node; one of a method needs object and method'];
  return Object.values(rest).some((value) => value !== undefined)
    ? ['object: a method takes object and method, nothing else']
    : [];
}

function explicit(fields: Fields): Visitor {
  const { node, object, method, attribute = 'Value', range, sampling, deadband, as } = fields;
  if (node === undefined)
    return { kind: 'method', object: object as NodeAddress, method: method as NodeAddress };
  return {
    kind: 'node',
    node,
    attribute,
    ...(range !== undefined && { range }),
    ...(sampling !== undefined && { samplingMs: sampling }),
    ...(deadband !== undefined && { deadband }),
    queue: fields.queue ?? 1,
    discard: fields.discard ?? 'oldest',
    ...(as !== undefined && { as }),
  };
}

function deadbandOf(value: number | string): Deadband | undefined {
  if (typeof value === 'number')
    return value > 0 && Number.isFinite(value) ? { kind: 'absolute', value } : undefined;
  const [, number] = /^(\d+(?:\.\d+)?)\s?%$/.exec(value) ?? [];
  const percent = Number(number);
  return percent > 0 && percent <= 100 ? { kind: 'percent', value: percent } : undefined;
}

/** Part 4, 7.27: a part of each dimension, the first below the last. */
function isRange(text: string): boolean {
  return text.split(',').every((part) => {
    const [, from, to] = /^(\d{1,9})(?::(\d{1,9}))?$/.exec(part) ?? [];
    return from !== undefined && (to === undefined || Number(to) > Number(from));
  });
}
