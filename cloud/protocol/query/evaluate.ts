/**
 * Answers a checked query from resources in memory: the edge's own, and what the SQL of the cloud is compared with in
 * tests. Reads everything, and says what it means in so many words.
 */
import type { Json } from '@limpet/dmi';
import { QueryError } from './error.ts';
import { groupsOf } from './evaluate-groups.ts';
import { leafIn } from './evaluate-leaf.ts';
import { type Evaluation, evaluate, type Held, part } from './evaluate-value.ts';
import { type Fleet, rowsOf } from './fleet.ts';
import { type Keys, type SortKey, sortKeys } from './order.ts';
import { isoOf } from './times.ts';
import type { CheckedSelect, Value } from './typed.ts';
import { canonical, compareTexts } from './value.ts';

/** Where to go on, and how many rows to give at most. */
export interface PageOf {
  readonly after?: Keys;
  readonly limit: number;
}

/** Rows in their order. `last`: the keys of the last one, when there are more. */
export interface PageRows {
  readonly rows: readonly (readonly Json[])[];
  readonly last?: Keys;
}

/** @throws QueryError QUERY_RANGE, QUERY_UNSUPPORTED */
export function evaluateSelect(query: CheckedSelect, fleet: Fleet, page: PageOf): PageRows {
  if (query.asOf !== undefined) {
    const span = { offset: 0, length: 0 };
    throw new QueryError('QUERY_UNSUPPORTED', 'AS OF: only the cloud keeps the past of the fleet', {
      span,
    });
  }
  const order = sortKeys(query);
  const found: { readonly keys: Keys; readonly row: readonly Json[] }[] = [];
  for (const from of candidates(query, fleet)) {
    const keys = order.map((key) => keyIn(key, from));
    if (page.after !== undefined && compareKeys(order, keys, page.after) <= 0) continue;
    found.push({
      keys,
      row: query.columns.map(({ value }) => shown(value, evaluate(value, from))),
    });
  }
  found.sort((a, b) => compareKeys(order, a.keys, b.keys));
  const rows = found.slice(0, page.limit);
  const last = found.length > rows.length ? rows.at(-1)?.keys : undefined;
  return { rows: rows.map(({ row }) => row), ...(last && { last }) };
}

function* candidates(query: CheckedSelect, fleet: Fleet): Generator<Evaluation> {
  if (!query.grouped) {
    yield* kept(query, fleet);
    return;
  }
  for (const group of groupsOf(query, kept(query, fleet))) {
    if (query.having === undefined || evaluate(query.having, group) === true) yield group;
  }
}

/** The rows that WHERE keeps. */
function* kept({ source, where, now }: CheckedSelect, fleet: Fleet): Generator<Evaluation> {
  for (const row of rowsOf(fleet, source)) {
    const from: Evaluation = {
      now,
      held: (value) => (value.op === 'aggregate' ? null : leafIn(row, value, now)),
    };
    if (where === undefined || evaluate(where, from) === true) yield from;
  }
}

/** A value as an answer shows it. */
function shown({ kind }: Value, held: Held): Json {
  return kind === 'time' && typeof held === 'number' ? isoOf(held) : held;
}

function keyIn({ value, part: by }: SortKey, from: Evaluation): number | string | null {
  const held = evaluate(value, from);
  if (by !== 'json') return part(value, held, by);
  return held === null ? null : canonical(held);
}

function compareKeys(order: readonly SortKey[], a: Keys, b: Keys): number {
  for (const [index, { descending }] of order.entries()) {
    const [one, other] = [a[index] ?? null, b[index] ?? null];
    if (one === other) continue;
    if (one === null) return 1;
    if (other === null) return -1;
    const way = typeof one === 'string' ? compareTexts(one, String(other)) : one - Number(other);
    if (way !== 0) return descending ? -way : way;
  }
  return 0;
}
