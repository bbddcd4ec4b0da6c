/** What a JSON value is in a query: its number, its text, and its one way of being written. */
import type { Json } from '@limpet/dmi';
import { QUERY_LIMITS } from './limits.ts';

/** An int beyond 2^53, which twins hold as decimal digits. */
const HUGE = /^-?[1-9]\d{15,39}$/;

/** The number of a value: itself; 1 and 0 for true and false. Else null. */
export function plainNumberOf(value: Json | undefined): number | null {
  if (typeof value === 'number') return value;
  return typeof value === 'boolean' ? Number(value) : null;
}

/** The number of what a property holds, too: the nearest double of an int beyond 2^53. */
export function numberOf(value: Json | undefined): number | null {
  if (typeof value !== 'string' || !HUGE.test(value)) return plainNumberOf(value);
  const near = Number(value);
  return Number.isSafeInteger(near) ? null : near;
}

/** What is compared of a text, in characters that every database has. Else null. */
export function textOf(value: Json | undefined): string | null {
  return typeof value === 'string'
    ? clipped(value).toWellFormed().replaceAll('\0', '\uFFFD')
    : null;
}

/** As much of a text as is compared. */
export function clipped(text: string): string {
  const most = QUERY_LIMITS.comparedText;
  // At most two code units a character.
  if (text.length <= most) return text;
  return Array.from(text.slice(0, most * 2))
    .slice(0, most)
    .join('');
}

/** Whether JSON holds what some databases have no text for: U+0000, or half a surrogate pair. It is not looked into. */
export function isOdd(value: Json): boolean {
  const plain = canonical(value).replaceAll('\\\\', '');
  return plain.includes('\\u0000') || plain.includes('\\ud');
}

/** How a mirror holds a value, so that indexes know it: canonical JSON, and what it is compared by. */
export function mirrored(value: Json): {
  readonly value: string | null;
  readonly num: number | null;
  readonly text: string | null;
  readonly type: 'n' | 't' | 'b' | 'j' | null;
} {
  const held = { value: canonical(value), num: numberOf(value), text: textOf(value) };
  if (value === null) return { ...held, value: null, type: null };
  if (typeof value === 'number') return { ...held, type: 'n' };
  if (typeof value === 'boolean') return { ...held, type: 'b' };
  return { ...held, type: typeof value === 'string' ? 't' : 'j' };
}

/** JSON with sorted keys: equal values are equal texts. */
export function canonical(value: Json): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map((item) => canonical(item as Json)).join(',')}]`;
  const members = Object.entries(value as Readonly<Record<string, Json>>);
  const sorted = members.toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `{${sorted.map(([key, item]) => `${JSON.stringify(key)}:${canonical(item)}`).join(',')}}`;
}

/** By code point, which is the order of the bytes of UTF-8. */
export function compareTexts(a: string, b: string): number {
  const most = Math.min(a.length, b.length);
  let index = 0;
  while (index < most && a.charCodeAt(index) === b.charCodeAt(index)) index += 1;
  if (index === most) return a.length - b.length;
  return weight(a.charCodeAt(index)) - weight(b.charCodeAt(index));
}

/** Halves of surrogate pairs stand for what is above all other code units. */
function weight(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10_000 : unit;
}

/** What stands at a path; undefined where it leads nowhere. */
export function at(value: Json | undefined, path: readonly (string | number)[]): Json | undefined {
  let here: Json | undefined = value;
  for (const step of path) {
    if (typeof here !== 'object' || here === null) return undefined;
    if (typeof step === 'number') {
      here = Array.isArray(here) ? (here as readonly Json[])[step] : undefined;
    } else {
      const members = here as Readonly<Record<string, Json>>;
      here = !Array.isArray(here) && Object.hasOwn(here, step) ? members[step] : undefined;
    }
  }
  return here;
}
