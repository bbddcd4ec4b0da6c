/** What a checked query is made of: for whoever has to know what its answer hangs on. */
import { partsOf } from './check-groups.ts';
import { COLUMNS, IDENTITY } from './columns.ts';
import type { CheckedSelect, Leaf, Value } from './typed.ts';

/** The values that tell its rows apart. */
export function identityOf({ source, grouped, groups }: CheckedSelect): readonly Value[] {
  if (grouped) return groups;
  return IDENTITY[source].map((name) => {
    return { op: 'column', kind: COLUMNS[source][name] ?? 'text', name };
  });
}

/** Every value that decides on its rows, their order or what they show. */
export function valuesOf(query: CheckedSelect): readonly Value[] {
  const { columns, where, groups, having, order } = query;
  const conditions = [where, having].filter((value) => value !== undefined);
  const shown = columns.map(({ value }) => value);
  return [...shown, ...conditions, ...groups, ...order.map(({ value }) => value)];
}

/** What a value is made of in the end. */
export function leavesOf(value: Value): readonly Leaf[] {
  const parts = partsOf(value);
  if (parts.length > 0) return parts.flatMap((part) => leavesOf(part));
  return isLeaf(value) ? [value] : [];
}

function isLeaf(value: Value): value is Leaf {
  return value.op !== 'aggregate' && partsOf(value).length === 0;
}
