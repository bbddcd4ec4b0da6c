/** What the DataTypes of one server are: looked up when first met, and kept while the session lives. */
import { type Json, Refused } from '@limpet/dmi';
import { AttributeIds } from 'node-opcua-data-model';
import type { DataValue } from 'node-opcua-data-value';
import { type NodeId, NodeIdType } from 'node-opcua-nodeid';
import type { EnumDefinition, StructureDefinition, StructureField } from 'node-opcua-types';
import type { DataType } from 'node-opcua-variant';
import type { Services } from './services.ts';

export interface Field {
  readonly name: string;
  readonly kind: Kind;
  /** 0 and less: a scalar (or any); else a list, of lists from 2 on. */
  readonly rank: number;
  readonly optional: boolean;
}

export interface Structure {
  readonly kind: 'structure';
  readonly name: string;
  readonly encoding: NodeId;
  readonly fields: readonly Field[];
  readonly union: boolean;
  /** Some fields may be absent; a mask at the start says which. */
  readonly masked: boolean;
}

export interface Enumeration {
  readonly kind: 'enumeration';
  readonly names: ReadonlyMap<number, string>;
}

/** `any`: each value brings its own type along. */
export type Kind =
  | Structure
  | Enumeration
  | { readonly kind: 'builtin'; readonly type: DataType }
  | { readonly kind: 'any' };

const ANY: Kind = { kind: 'any' };
/** BaseDataType, Number, Integer, UInteger: abstract, so on the wire always with their type (Part 6, 5.1.6). */
const ABSTRACT = new Set([24, 26, 27, 28]);
const ENUMERATION = 29;
/** Of kinds, and of encodings. Beyond it the oldest is looked up anew. */
const MOST = 2_000;
/** Encodings that one answer may have looked up: each takes several calls. */
const MOST_AT_ONCE = 256;
/** A type that is made of too much. */
const MAX_DEPTH = 16;

/** One look-up: what it has met so far, by type. Kept only when it is whole: others decode meanwhile. */
class LookUp {
  readonly met = new Map<string, Kind>();
  depth = 0;
}

export class Types {
  readonly #services: Services;
  readonly #kinds = new Map<string, Kind>();
  readonly #encodings = new Map<string, Structure | null>();

  constructor(services: Services) {
    this.#services = services;
  }

  /** What a value of this DataType is. @throws what a service throws */
  async kindOf(dataType: NodeId, signal: AbortSignal): Promise<Kind> {
    const within = new LookUp();
    const found = await this.#kindOf(dataType, signal, within);
    for (const [key, kind] of within.met) {
      limit(this.#kinds, MOST).set(key, kind);
      if (kind.kind !== 'structure') continue;
      limit(this.#encodings, MOST).set(kind.encoding.toString(), kind);
    }
    return found;
  }

  async #kindOf(dataType: NodeId, signal: AbortSignal, within: LookUp): Promise<Kind> {
    const standard = standardKind(numeric(dataType));
    if (standard !== undefined) return standard;
    const key = dataType.toString();
    const known = this.#kinds.get(key) ?? within.met.get(key);
    if (known !== undefined) return known;
    if (within.depth > MAX_DEPTH || within.met.size >= MOST) return ANY;
    within.depth += 1;
    const kind = await this.#lookUp(dataType, signal, within);
    within.depth -= 1;
    within.met.set(key, kind);
    return kind;
  }

  /** The structure with this binary encoding, if it was looked up; null: the server does not say. */
  encoded(encoding: NodeId): Structure | null | undefined {
    return this.#encodings.get(encoding.toString());
  }

  /** Looks up what {@link encoded} does not know yet; what the server does not tell stays bytes. @throws Unreachable */
  async learn(encodings: readonly NodeId[], signal: AbortSignal): Promise<void> {
    let asked = 0;
    for (const encoding of encodings) {
      const key = encoding.toString();
      if (this.#encodings.has(key)) continue;
      // The others are bytes until they are met again.
      if (asked++ >= MOST_AT_ONCE) return;
      limit(this.#encodings, MOST).set(key, await this.#structureOf(encoding, signal));
    }
  }

  async #structureOf(encoding: NodeId, signal: AbortSignal): Promise<Structure | null> {
    try {
      const dataType = await this.#services.follow(encoding, 'HasEncoding', signal);
      const kind = dataType === undefined ? ANY : await this.kindOf(dataType, signal);
      return kind.kind === 'structure' ? { ...kind, encoding } : null;
    } catch (error) {
      if (error instanceof Refused) return null;
      throw error;
    }
  }

  async #lookUp(dataType: NodeId, signal: AbortSignal, within: LookUp): Promise<Kind> {
    const [definition, name] = await this.#services.attributes(
      [
        { nodeId: dataType, attributeId: AttributeIds.DataTypeDefinition },
        { nodeId: dataType, attributeId: AttributeIds.BrowseName },
      ],
      signal,
    );
    const told: unknown = definition?.value?.value;
    if (isStructure(told)) {
      const { structure, fields } = structureOf(browseNameOf(name) ?? dataType.toString(), told);
      // A type may be made of itself.
      within.met.set(dataType.toString(), structure);
      fields.push(...(await this.#fields(told.fields ?? [], signal, within)));
      return structure;
    }
    if (isEnumeration(told)) return { kind: 'enumeration', names: namesOf(told) };
    const base = await this.#services.follow(dataType, 'HasSubtype', signal);
    if (base === undefined) return ANY;
    const kind = await this.#kindOf(base, signal, within);
    if (kind.kind !== 'enumeration') return kind;
    return { kind: 'enumeration', names: await this.#oldNames(dataType, signal) };
  }

  async #fields(
    told: readonly StructureField[],
    signal: AbortSignal,
    within: LookUp,
  ): Promise<readonly Field[]> {
    const fields: Field[] = [];
    for (const { name, dataType, valueRank, isOptional } of told) {
      const kind = await this.#kindOf(dataType, signal, within);
      fields.push({ name: name ?? '', kind, rank: valueRank, optional: isOptional });
    }
    return fields;
  }

  /** Before 1.04 the names were a property of the type: EnumStrings or EnumValues. */
  async #oldNames(dataType: NodeId, signal: AbortSignal): Promise<ReadonlyMap<number, string>> {
    const found = await this.#services.properties(dataType, ['EnumStrings', 'EnumValues'], signal);
    const strings = found.get('EnumStrings')?.value?.value as { text?: string }[] | undefined;
    if (Array.isArray(strings))
      return new Map(strings.map(({ text }, index) => [index, text ?? String(index)]));
    const values = found.get('EnumValues')?.value?.value as OldValue[] | undefined;
    return new Map(
      (Array.isArray(values) ? values : []).map(({ value, displayName }) => [
        Number(value?.[1] ?? 0),
        displayName?.text ?? '',
      ]),
    );
  }
}

function browseNameOf(data: DataValue | undefined): string | undefined {
  return (data?.value?.value as { name?: string } | null | undefined)?.name;
}

/** Its fields are yet to be filled in. */
function structureOf(
  name: string,
  definition: StructureDefinition,
): { readonly structure: Structure; readonly fields: Field[] } {
  const fields: Field[] = [];
  // StructureType: 1 with optional fields, 2 union; 3 and 4 carry subtypes in ExtensionObjects
  const type = Number(definition.structureType);
  const structure: Structure = {
    kind: 'structure',
    name,
    encoding: definition.defaultEncodingId,
    fields,
    union: type === 2 || type === 4,
    masked: type === 1,
  };
  return { structure, fields };
}

interface OldValue {
  readonly value?: readonly number[];
  readonly displayName?: { readonly text?: string };
}

/** The name of an enumeration's value; the number where it has none. */
export function nameOf({ names }: Enumeration, value: Json): Json {
  return typeof value === 'number' ? (names.get(value) ?? String(value)) : value;
}

function namesOf(definition: EnumDefinition): ReadonlyMap<number, string> {
  return new Map(
    (definition.fields ?? []).map(({ value, name }) => [
      Number((value as unknown as number[])[1] ?? 0) | 0,
      name ?? '',
    ]),
  );
}

const isStructure = (told: unknown): told is StructureDefinition =>
  typeof told === 'object' && told !== null && 'structureType' in told;
const isEnumeration = (told: unknown): told is EnumDefinition =>
  typeof told === 'object' && told !== null && 'fields' in told && !('structureType' in told);

/** What needs no looking up: built-in types, and those that bring their own type along. */
function standardKind(id: number | undefined): Kind | undefined {
  if (id === undefined) return undefined;
  if (id === 0 || ABSTRACT.has(id)) return ANY;
  if (id === ENUMERATION) return { kind: 'enumeration', names: new Map() };
  return id <= 25 ? { kind: 'builtin', type: id } : undefined;
}

function numeric({ namespace, identifierType, value }: NodeId): number | undefined {
  return namespace === 0 && identifierType === NodeIdType.NUMERIC ? Number(value) : undefined;
}

/** The map itself, with room for one more: what was put in first goes. */
export function limit<K, V>(map: Map<K, V>, most: number): Map<K, V> {
  for (const [key] of map) {
    if (map.size < most) break;
    map.delete(key);
  }
  return map;
}
