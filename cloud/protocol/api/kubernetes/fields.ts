/**
 * Sets of fields of a document, as trees: what server-side apply compares. A leaf is a value that is set as a
 * whole: text, number, list. Objects are nobody's, only what is in them.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Json } from '@limpet/dmi';
import type { Document } from '../backend.ts';

/** A leaf has no members. */
export type Fields = ReadonlyMap<string, Fields>;

export const NONE: Fields = new Map();

/** The fields that a document sets, of those that are anybody's to set. */
export function fieldsOf(doc: Document): Fields {
  const { metadata, spec } = doc;
  const { labels, annotations } = isObject(metadata) ? metadata : {};
  const own = {
    ...(labels !== undefined && { labels }),
    ...(annotations !== undefined && { annotations }),
  };
  const members: (readonly [string, Json])[] = [];
  if (!isBare(own)) members.push(['metadata', own]);
  if (spec !== undefined && !isBare(spec)) members.push(['spec', spec]);
  return new Map(members.map(([name, value]) => [name, treeOf(value)]));
}

function treeOf(value: Json): Fields {
  if (!isObject(value)) return NONE;
  const members = Object.entries(value).filter(([, member]) => !isBare(member));
  return new Map(members.map(([name, member]) => [name, treeOf(member)]));
}

/** An object without a value in it, which is nobody's. */
function isBare(value: Json): boolean {
  return isObject(value) && Object.values<Json>(value).every((member) => isBare(member));
}

/** What `after` sets to something else than `before`, or no longer sets. */
export function changedFields(before: Document, after: Document): Fields {
  const all = union(fieldsOf(before), fieldsOf(after));
  return filter(all, (path) => !isDeepStrictEqual(valueAt(before, path), valueAt(after, path)));
}

export function union(one: Fields, other: Fields): Fields {
  const both = new Map(one);
  for (const [name, members] of other) {
    const known = both.get(name);
    both.set(name, known === undefined ? members : union(known, members));
  }
  return both;
}

/** The fields that are in one and neither in, below nor above any of the other. */
export function without(one: Fields, other: Fields): Fields {
  const left = new Map<string, Fields>();
  for (const [name, members] of one) {
    const taken = other.get(name);
    if (taken === undefined) left.set(name, members);
    else if (members.size > 0 && taken.size > 0) {
      const rest = without(members, taken);
      if (rest.size > 0) left.set(name, rest);
    }
  }
  return left;
}

/** Whether one has a field that is in, below or above any of the other. */
export function touches(one: Fields, other: Fields): boolean {
  for (const [name, members] of one) {
    const met = other.get(name);
    if (met === undefined) continue;
    if (members.size === 0 || met.size === 0 || touches(members, met)) return true;
  }
  return false;
}

/** Those whose path passes. */
export function filter(fields: Fields, keep: (path: readonly string[]) => boolean): Fields {
  const within = (members: Fields, path: readonly string[]): Fields => {
    const kept = new Map<string, Fields>();
    for (const [name, below] of members) {
      const here = [...path, name];
      if (below.size === 0) {
        if (keep(here)) kept.set(name, below);
        continue;
      }
      const rest = within(below, here);
      if (rest.size > 0) kept.set(name, rest);
    }
    return kept;
  };
  return within(fields, []);
}

export function pathsOf(fields: Fields): readonly (readonly string[])[] {
  const paths: (readonly string[])[] = [];
  filter(fields, (path) => {
    paths.push(path);
    return false;
  });
  return paths;
}

/** The set with nothing but this path. */
export function only(path: readonly string[]): Fields {
  return path.reduceRight<Fields>((members, name) => new Map([[name, members]]), NONE);
}

export function valueAt(doc: Json | undefined, path: readonly string[]): Json | undefined {
  let value = doc;
  for (const name of path) {
    value = isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
  }
  return value;
}

/** As it stands in `metadata.managedFields`. */
export function encode(fields: Fields): { readonly [key: string]: Json } {
  return Object.fromEntries([...fields].map(([name, members]) => [`f:${name}`, encode(members)]));
}

/** What is no field of an object (`.`, items of lists) says nothing here. */
export function decode(text: Json | undefined): Fields {
  if (!isObject(text)) return NONE;
  const named = Object.entries(text).filter(([name]) => name.startsWith('f:'));
  return new Map(named.map(([name, members]) => [name.slice(2), decode(members)]));
}

export function isObject(value: Json | undefined): value is Document {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
