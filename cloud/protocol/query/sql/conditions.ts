/** Conditions in SQL: true, false or NULL, as SQL has it. */
import { keyOf } from '../check-groups.ts';
import { isCondition } from '../check-expr.ts';
import { escapedLike, globOf, likeParts } from '../like.ts';
import type { Aggregate, Condition, Leaf, Value } from '../typed.ts';
import type { Params, Parts } from './dialect.ts';

/** Where values come from: the tables, or the groups made of their rows. */
export interface Ground {
  readonly params: Params;
  parts(value: Leaf | Aggregate): Parts;
  /** Of a value that groups are made by. */
  known?(key: string): Parts | undefined;
}

/** A value of any kind; what is true or false is a number, 1 or 0. */
export function partsIn(ground: Ground, value: Value): Parts {
  const known = ground.known?.(keyOf(value));
  if (known !== undefined) return known;
  if (!isCondition(value)) return ground.parts(value);
  const truth = conditionIn(ground, value);
  const sql = `CASE WHEN ${truth} THEN 1 WHEN NOT (${truth}) THEN 0 END`;
  return { number: () => sql, text: () => 'NULL', json: () => sql, presence: () => sql };
}

/** Something that can stand after WHERE. */
export function conditionIn(ground: Ground, value: Value): string {
  if (!isCondition(value) || ground.known?.(keyOf(value)) !== undefined) {
    return `(${partsIn(ground, value).number()} <> 0)`;
  }
  switch (value.op) {
    case 'and':
      return `(${value.items.map((item) => conditionIn(ground, item)).join(' AND ')})`;
    case 'or':
      return `(${value.items.map((item) => conditionIn(ground, item)).join(' OR ')})`;
    case 'not':
      return `(NOT ${conditionIn(ground, value.of)})`;
    case 'compare':
      return compared(ground, value);
    case 'isnull':
      return `(${partsIn(ground, value.of).presence()} IS NULL)`;
    case 'in':
      return within(ground, value);
    case 'like':
      return liked(ground, value);
    case 'truth':
      return `(${partsIn(ground, value.of).number()} <> 0)`;
  }
}

function within(ground: Ground, { of, mode, items }: Condition & { readonly op: 'in' }): string {
  const places = items.map((item) => {
    return typeof item === 'number' ? ground.params.number(item) : ground.params.text(item);
  });
  return `(${partOf(ground, of, mode)} IN (${places.join(', ')}))`;
}

function compared(
  ground: Ground,
  { by, mode, left, right }: Condition & { readonly op: 'compare' },
): string {
  if (mode !== 'any') return `(${partOf(ground, left, mode)} ${by} ${partOf(ground, right, mode)})`;
  const [a, b] = [partsIn(ground, left), partsIn(ground, right)];
  const numbers = `${a.number()} IS NOT NULL AND ${b.number()} IS NOT NULL`;
  return `(CASE WHEN ${numbers} THEN ${a.number()} ${by} ${b.number()} ELSE ${a.text()} ${by} ${b.text()} END)`;
}

function partOf(ground: Ground, value: Value, mode: 'number' | 'text'): string {
  const parts = partsIn(ground, value);
  return mode === 'number' ? parts.number() : parts.text();
}

/** SQLite's LIKE is blind for case; its GLOB is not. */
function liked(ground: Ground, { of, pattern }: Condition & { readonly op: 'like' }): string {
  const text = partsIn(ground, of).text();
  const parts = likeParts(pattern);
  const { params } = ground;
  if (params.dialect === 'sqlite') return `(${text} GLOB ${params.text(globOf(parts))})`;
  return `(${text} LIKE ${params.text(escapedLike(parts))} ESCAPE '\\')`;
}
