/** Variables and methods of a server as properties and methods of a device model. */
import type { Json, PropertyType, SuggestedModel } from '@limpet/dmi';
import { AttributeIds } from 'node-opcua-data-model';
import type { DataValue } from 'node-opcua-data-value';
import { NodeId } from 'node-opcua-nodeid';
import type { Argument, EUInformation, Range } from 'node-opcua-types';
import { DataType, type Variant } from 'node-opcua-variant';
import { idOf } from './expanded.ts';
import { formatNodeId } from './node-id.ts';
import { pieces } from './pieces.ts';
import type { Services } from './services.ts';
import type { Leaf } from './tree.ts';
import type { Kind, Types } from './types.ts';
import { unitOf } from './units.ts';

type Properties = SuggestedModel['properties'];
type Methods = NonNullable<SuggestedModel['methods']>;

interface Asking {
  readonly services: Services;
  readonly types: Types;
  readonly signal: AbortSignal;
}

const READ = [
  AttributeIds.DataType,
  AttributeIds.ValueRank,
  AttributeIds.AccessLevel,
  AttributeIds.UserAccessLevel,
  AttributeIds.Description,
  AttributeIds.Value,
] as const;
const [CAN_READ, CAN_WRITE] = [1, 2] as const;
/** Present values, of which some are large, are forgotten before the next are read. */
const AT_ONCE = 100;

/** @throws what a service throws */
export async function describeLeaves(
  leaves: readonly Leaf[],
  asking: Asking,
): Promise<{ readonly properties: Properties; readonly methods: Methods }> {
  const variables = leaves.filter(({ isMethod }) => !isMethod);
  const names = namesOf(leaves);
  const properties = await valuesOf(variables, names, asking);
  const methods: Methods[number][] = [];
  for (const leaf of leaves) {
    if (leaf.isMethod) methods.push(await methodOf(leaf, names.get(leaf) ?? leaf.name, asking));
  }
  return { properties, methods };
}

async function valuesOf(
  variables: readonly Leaf[],
  names: ReadonlyMap<Leaf, string>,
  asking: Asking,
): Promise<Properties> {
  const { services, signal } = asking;
  const ranged = await describing(variables, ['EngineeringUnits', 'EURange'], asking);
  const properties: Properties[number][] = [];
  for (const some of pieces(variables, AT_ONCE)) {
    const nodes = some.flatMap(({ nodeId }) =>
      READ.map((attributeId) => ({ nodeId, attributeId })),
    );
    const values = await services.attributes(nodes, signal);
    for (const [index, leaf] of some.entries()) {
      const told = values.slice(index * READ.length, (index + 1) * READ.length);
      const property = await propertyOf({ leaf, name: names.get(leaf) ?? leaf.name, told }, asking);
      if (property !== undefined) properties.push({ ...property, ...ranged.get(leaf) });
    }
  }
  return properties;
}

/** Undefined: nobody may read it. */
async function propertyOf(
  { leaf, name, told }: { leaf: Leaf; name: string; told: readonly DataValue[] },
  { services, types, signal }: Asking,
): Promise<Properties[number] | undefined> {
  const [dataType, rank, access, own, description] = told.map((each): unknown => each.value?.value);
  const may = Number(own ?? 0) & Number(access ?? 0);
  if ((may & CAN_READ) === 0 || !(dataType instanceof NodeId)) return undefined;
  const held = told.at(-1)?.value;
  const kind = shownKind(await types.kindOf(dataType, signal), held);
  const byName = kind.kind === 'enumeration' && kind.names.size > 0;
  return {
    name,
    path: leaf.path,
    type: isList(rank, held) ? 'json' : typeOf(kind, byName),
    ...((may & CAN_WRITE) !== 0 && { access: 'readWrite' }),
    ...described(description),
    visitor: { node: addressOf(leaf.nodeId, services), ...(byName && { as: 'name' }) },
  };
}

/** Where values bring their own type along: that of the present one. */
function shownKind(kind: Kind, held: Variant | undefined): Kind {
  const type = held?.dataType ?? DataType.Null;
  return kind.kind === 'any' && type !== DataType.Null ? { kind: 'builtin', type } : kind;
}

function isList(rank: unknown, held: Variant | undefined): boolean {
  return Number(rank ?? -1) >= 0 || Number(held?.arrayType ?? 0) > 0;
}

function described(description: unknown): { description?: string } {
  const text = (description as { text?: string | null } | null)?.text ?? '';
  return text === '' ? {} : { description: text };
}

/** Unit and range, for those that have them. */
async function describing(
  leaves: readonly Leaf[],
  wanted: readonly string[],
  { services, signal }: Asking,
): Promise<ReadonlyMap<Leaf, { unit?: string; minimum?: number; maximum?: number }>> {
  const asked = leaves.flatMap((leaf) =>
    wanted.flatMap((name) => {
      const nodeId = leaf.properties.get(name);
      return nodeId === undefined ? [] : [{ leaf, name, nodeId }];
    }),
  );
  const nodes = asked.map(({ nodeId }) => ({ nodeId, attributeId: AttributeIds.Value }));
  const values = nodes.length === 0 ? [] : await services.attributes(nodes, signal);
  const found = new Map<Leaf, { unit?: string; minimum?: number; maximum?: number }>();
  for (const [index, { leaf, name }] of asked.entries()) {
    const value: unknown = values[index]?.value?.value;
    if (value === null || typeof value !== 'object') continue;
    const more = name === 'EURange' ? rangeOf(value as Range) : unitIn(value as EUInformation);
    found.set(leaf, { ...found.get(leaf), ...more });
  }
  return found;
}

function rangeOf({ low, high }: Range): { minimum?: number; maximum?: number } {
  return Number.isFinite(low) && Number.isFinite(high) && low < high
    ? { minimum: low, maximum: high }
    : {};
}

function unitIn({ unitId, displayName }: EUInformation): { unit?: string } {
  const unit = unitOf(unitId, displayName?.text ?? '');
  return unit === undefined ? {} : { unit };
}

async function methodOf(leaf: Leaf, name: string, asking: Asking): Promise<Methods[number]> {
  const { services, signal } = asking;
  const wanted = ['InputArguments', 'OutputArguments'].map((each) => leaf.properties.get(each));
  const nodes = wanted.flatMap((nodeId) =>
    nodeId === undefined ? [] : [{ nodeId, attributeId: AttributeIds.Value }],
  );
  const values = nodes.length === 0 ? [] : [...(await services.attributes(nodes, signal))];
  const [input, output] = wanted.map((nodeId) =>
    nodeId === undefined ? [] : ((values.shift()?.value?.value ?? []) as Argument[]),
  );
  return {
    name,
    path: leaf.path,
    input: await argumentsOf(input ?? [], asking),
    output: await argumentsOf(output ?? [], asking),
    visitor: {
      object: addressOf(leaf.parent, services),
      method: addressOf(leaf.nodeId, services),
    },
  };
}

async function argumentsOf(told: readonly Argument[], { types, signal }: Asking) {
  const all: { name: string; type: PropertyType; description?: string }[] = [];
  for (const { name, dataType, valueRank, description } of told) {
    const kind = await types.kindOf(dataType, signal);
    all.push({
      name: name ?? `argument${all.length + 1}`,
      type: valueRank >= 0 ? 'json' : typeOf(kind, false),
      ...described(description),
    });
  }
  return all;
}

function typeOf(kind: Kind, byName: boolean): PropertyType {
  switch (kind.kind) {
    case 'structure':
      return 'json';
    case 'enumeration':
      return byName ? 'string' : 'int';
    case 'any':
      return 'float';
    case 'builtin':
      return builtinType(kind.type);
  }
}

function builtinType(type: DataType): PropertyType {
  if (type === DataType.Boolean) return 'bool';
  if (type >= DataType.SByte && type <= DataType.UInt64) return 'int';
  if (type === DataType.Float || type === DataType.Double) return 'float';
  if (type === DataType.ByteString) return 'bytes';
  return type >= DataType.ExtensionObject ? 'json' : 'string';
}

/** By the namespace's URI: its number may change when the server restarts. */
function addressOf(nodeId: NodeId, { namespaces }: Services): Json {
  const { namespace } = nodeId;
  const space = namespace === 0 ? 0 : (namespaces[namespace] ?? namespace);
  return formatNodeId({ namespace: space, ...idOf(nodeId) });
}

/** By its own name where that is the only one, else with its parent's in front. */
function namesOf(leaves: readonly Leaf[]): ReadonlyMap<Leaf, string> {
  const times = new Map<string, number>();
  for (const { name } of leaves) times.set(name, (times.get(name) ?? 0) + 1);
  return new Map(
    leaves.map((leaf) => {
      const { name, path } = leaf;
      const parent = path.at(-1);
      return [leaf, times.get(name) === 1 || parent === undefined ? name : `${parent}_${name}`];
    }),
  );
}
