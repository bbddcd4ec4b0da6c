/** One value in one row: naive, so that it can be seen to be right. */
import type { Json } from '@limpet/dmi';
import { compareTexts, isOdd, numberOf, plainNumberOf, textOf } from './value.ts';
import { isCondition } from './check-expr.ts';
import { isLike, likeParts } from './like.ts';
import { isJsonish } from './order.ts';
import type { Condition, Leaf, Value } from './typed.ts';

/**
 * A value of a row: numbers, texts, true and false as they are; times and durations in ms; JSON. null is nothing, and
 * unknown.
 */
export type Held = Json;

/** Where values come from: a row, or a group of them. */
export interface Evaluation {
  readonly now: number;
  /** What a leaf or an aggregate holds. */
  held(value: Leaf | (Value & { readonly op: 'aggregate' })): Held;
  /** What was computed before, for a group; undefined: nothing. */
  known?(value: Value): Held | undefined;
}

/** @returns null for unknown */
export function evaluate(value: Value, from: Evaluation): Held {
  const known = from.known?.(value);
  if (known !== undefined) return known;
  if (!isCondition(value)) return from.held(value);
  switch (value.op) {
    case 'and':
    case 'or': {
      const items = value.items.map((item) => evaluate(item, from));
      return logic(value.op, items);
    }
    case 'not':
      return negated(evaluate(value.of, from));
    case 'compare':
      return compared(value, evaluate(value.left, from), evaluate(value.right, from));
    case 'isnull':
    case 'in':
    case 'like':
    case 'truth':
      return decided(value, evaluate(value.of, from));
  }
}

function decided(
  value: Condition & { readonly op: 'isnull' | 'in' | 'like' | 'truth' },
  held: Held,
): Held {
  if (value.op === 'isnull') return held === null;
  const mode = value.op === 'in' ? value.mode : value.op === 'like' ? 'text' : 'number';
  const compare = part(value.of, held, mode);
  if (compare === null) return null;
  if (value.op === 'in') return value.items.includes(compare);
  return value.op === 'like' ? isLike(String(compare), likeParts(value.pattern)) : compare !== 0;
}

/** What a value is compared by. */
export function part(value: Value, held: Held, mode: 'number' | 'text'): number | string | null {
  return mode === 'number' ? numberIn(value, held) : textIn(value, held);
}

/** Only what a property itself holds is known to be an int beyond 2^53. */
export function numberIn(value: Value, held: Held): number | null {
  return value.op === 'property' && value.path.length === 0 ? numberOf(held) : plainNumberOf(held);
}

function textIn(value: Value, held: Held): string | null {
  if (value.op === 'desired' && held !== null && isOdd(held)) return null;
  return isJsonish(value) ? textOf(held) : (held as string | null);
}

function logic(op: 'and' | 'or', items: readonly Held[]): Held {
  const decided = op === 'or';
  if (items.includes(decided)) return decided;
  return items.includes(null) ? null : !decided;
}

function negated(held: Held): Held {
  return held === null ? null : held !== true;
}

function compared(
  { by, mode, left, right }: Condition & { readonly op: 'compare' },
  a: Held,
  b: Held,
): Held {
  if (mode !== 'any') return ordered(by, part(left, a, mode), part(right, b, mode));
  const numbers = [numberIn(left, a), numberIn(right, b)] as const;
  if (numbers[0] !== null && numbers[1] !== null) return ordered(by, numbers[0], numbers[1]);
  return ordered(by, textIn(left, a), textIn(right, b));
}

function ordered(by: string, a: number | string | null, b: number | string | null): Held {
  if (a === null || b === null) return null;
  const order = typeof a === 'string' ? compareTexts(a, String(b)) : a - Number(b);
  switch (by) {
    case '=':
      return order === 0;
    case '<>':
      return order !== 0;
    case '<':
      return order < 0;
    case '<=':
      return order <= 0;
    case '>':
      return order > 0;
    default:
      return order >= 0;
  }
}
