/** The one order of an answer's rows: what a query asks for, then what tells rows apart. NULLs are last both ways. */
import { resolve } from './check-names.ts';
import { keyOf } from './check-groups.ts';
import { IDENTITY } from './columns.ts';
import { catalogOf } from './catalog.ts';
import type { CheckedSelect, Kind, Value } from './typed.ts';

/** One thing that rows are ordered by. `json`: by how it is written. */
export interface SortKey {
  readonly value: Value;
  readonly part: 'number' | 'text' | 'json';
  readonly descending: boolean;
}

/** What a row is ordered by, in the order of `sortKeys`. */
export type Keys = readonly (number | string | null)[];

export function sortKeys(query: CheckedSelect): readonly SortKey[] {
  const asked = query.order.flatMap(({ value, descending }) => keysOf(value, descending));
  const last = query.grouped ? query.groups.flatMap((value) => groupKeys(value)) : identity(query);
  const seen = new Set<string>();
  return [...asked, ...last].filter(({ value, part }) => {
    const key = `${part} ${keyOf(value)}`;
    return seen.has(key) ? false : seen.add(key);
  });
}

function keysOf(value: Value, descending: boolean): readonly SortKey[] {
  return partsOf(value.kind).map((part) => ({ value, part, descending }));
}

function partsOf(kind: Kind): readonly ('number' | 'text')[] {
  if (kind === 'any') return ['number', 'text'];
  return kind === 'text' ? ['text'] : ['number'];
}

function groupKeys(value: Value): readonly SortKey[] {
  const keys = keysOf(value, false);
  return isJsonish(value) ? [...keys, { value, part: 'json', descending: false }] : keys;
}

/** What a property holds may be of another type than its models say. */
export function isJsonish({ op }: Value): boolean {
  return op === 'property' || op === 'desired' || op === 'fact';
}

function identity({ source }: CheckedSelect): readonly SortKey[] {
  const scope = { source, catalog: catalogOf([]) };
  return IDENTITY[source].map((name) => {
    const value = resolve(scope, {
      kind: 'name',
      path: [name],
      quoted: false,
      offset: 0,
      length: 0,
    });
    return { value, part: 'text', descending: false };
  });
}
