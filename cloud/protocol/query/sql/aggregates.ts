/** Aggregates in SQL. */
import { isJsonish } from '../order.ts';
import type { Aggregate, Value } from '../typed.ts';
import { type Ground, partsIn } from './conditions.ts';

export function aggregateSql(ground: Ground, aggregate: Aggregate): string {
  const { fn, of, distinct, fraction = 0 } = aggregate;
  if (of === undefined) return 'count(*)';
  const parts = partsIn(ground, of);
  if (fn === 'count')
    return distinct ? `count(DISTINCT ${told(ground, of)})` : `count(${parts.presence()})`;
  if (aggregate.kind === 'text') return `${fn}(${parts.text()})`;
  const number = real(ground, of, parts.number());
  if (fn !== 'percentile') return `${fn}(${number})`;
  const place = ground.params.number(fraction);
  if (ground.params.dialect === 'sqlite') return `percentile_cont(${number}, ${place})`;
  return `percentile_cont(${place}) WITHIN GROUP (ORDER BY ${number})`;
}

/** What tells values apart. */
function told(ground: Ground, of: Value): string {
  const parts = partsIn(ground, of);
  if (isJsonish(of)) return parts.json();
  return of.kind === 'text' ? parts.text() : parts.number();
}

/** Integers are added as what all numbers of the language are. */
function real({ params }: Ground, of: Value, sql: string): string {
  if (params.dialect === 'postgres') return `(${sql})::float8`;
  return isJsonish(of) ? sql : `CAST(${sql} AS REAL)`;
}
