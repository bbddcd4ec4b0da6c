/** GROUP BY: rows put together, and what they come to. */
import { keyOf } from './check-groups.ts';
import { QueryError } from './error.ts';
import { type Evaluation, evaluate, type Held, numberIn, part } from './evaluate-value.ts';
import type { Aggregate, CheckedSelect, Value } from './typed.ts';
import { canonical, compareTexts } from './value.ts';

/** The groups of these rows; without GROUP BY one, also of no rows. */
export function groupsOf(query: CheckedSelect, rows: Iterable<Evaluation>): readonly Evaluation[] {
  const groups = new Map<string, Evaluation[]>();
  if (query.groups.length === 0) groups.set('', []);
  for (const row of rows) {
    const key = query.groups.map((value) => canonical(evaluate(value, row))).join(' ');
    const group = groups.get(key);
    if (group) group.push(row);
    else groups.set(key, [row]);
  }
  return [...groups.values()].map((members) => groupOf(query, members));
}

function groupOf({ groups, now }: CheckedSelect, rows: readonly Evaluation[]): Evaluation {
  const [first] = rows;
  const known = new Map<string, Held>();
  if (first) for (const value of groups) known.set(keyOf(value), evaluate(value, first));
  return {
    now,
    held: (value) =>
      value.op === 'aggregate'
        ? aggregated(value, rows)
        : value.op === 'literal'
          ? value.value
          : null,
    known: (value) => known.get(keyOf(value)),
  };
}

function aggregated(aggregate: Aggregate, rows: readonly Evaluation[]): Held {
  const { of, fn } = aggregate;
  if (of === undefined) return rows.length;
  const held = rows.map((row) => evaluate(of, row)).filter((value) => value !== null);
  if (fn === 'count')
    return aggregate.distinct ? new Set(held.map((value) => canonical(value))).size : held.length;
  if (aggregate.kind === 'text') return extreme(fn, of, held);
  const numbers = held.map((value) => numberIn(of, value)).filter((number) => number !== null);
  if (numbers.length === 0) return null;
  return finite(
    numeric(
      aggregate,
      numbers.toSorted((a, b) => a - b),
    ),
  );
}

/** Texts are compared, and so told, by what is compared of them. */
function extreme(fn: Aggregate['fn'], of: Value, held: readonly Held[]): Held {
  const parts = held.map((value) => part(of, value, 'text'));
  const texts = parts.filter((text) => typeof text === 'string').toSorted(compareTexts);
  return (fn === 'min' ? texts[0] : texts.at(-1)) ?? null;
}

function numeric({ fn, fraction = 0 }: Aggregate, sorted: readonly number[]): number {
  const sum = sorted.reduce((total, number) => total + number, 0);
  switch (fn) {
    case 'min':
      return sorted[0] ?? 0;
    case 'max':
      return sorted.at(-1) ?? 0;
    case 'avg':
      return sum / sorted.length;
    case 'percentile': {
      const place = fraction * (sorted.length - 1);
      const [low, high] = [sorted[Math.floor(place)] ?? 0, sorted[Math.ceil(place)] ?? 0];
      return low + (place - Math.floor(place)) * (high - low);
    }
    case 'sum':
    case 'count':
      return sum;
  }
}

function finite(number: number): number {
  if (Number.isFinite(number)) return number;
  const span = { offset: 0, length: 0 };
  throw new QueryError('QUERY_RANGE', 'the numbers add up to more than a number can be', { span });
}
