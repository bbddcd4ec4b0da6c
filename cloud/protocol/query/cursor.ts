/** The token of a page: which query, when it began, how many rows were told, and the keys of the last. */
import { QueryError } from './error.ts';
import type { Keys, SortKey } from './order.ts';

export interface Cursor {
  /** ms since 1970: what `now()` stays. */
  readonly now: number;
  /** Rows told before. */
  readonly told: number;
  readonly keys: Keys;
}

const LONGEST = 16_384;

export function writeCursor(text: string, { now, told, keys }: Cursor): string {
  return Buffer.from(JSON.stringify([fingerprint(text), now, told, ...keys])).toString('base64url');
}

/**
 * Trusts nothing: whatever it holds becomes parameters of the right types.
 * @throws QueryError QUERY_CURSOR
 */
export function readCursor(text: string, token: string): Cursor {
  const parts = token.length <= LONGEST ? parsed(token) : undefined;
  if (!Array.isArray(parts)) throw notOurs('this is no token of a query');
  const [print, now, told, ...keys] = parts as readonly unknown[];
  if (print !== fingerprint(text)) {
    throw notOurs('this token is of another query: send the one it was given for');
  }
  const sound = isCount(now) && isCount(told) && keys.every((key) => isKey(key));
  if (!sound) throw notOurs('this is no token of a query');
  return { now, told, keys: keys as Keys };
}

/** @throws QueryError QUERY_CURSOR */
export function expectKeys(order: readonly SortKey[], keys: Keys): void {
  const fit =
    keys.length === order.length &&
    keys.every((key, index) => {
      const wanted = order[index]?.part === 'number' ? 'number' : 'string';
      return key === null || typeof key === wanted;
    });
  if (!fit) throw notOurs('this is no token of this query');
}

function parsed(token: string): unknown {
  try {
    return JSON.parse(Buffer.from(token, 'base64url').toString());
  } catch {
    return undefined;
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isKey(value: unknown): boolean {
  return value === null || typeof value === 'string' || Number.isFinite(value);
}

/** FNV-1a: tells a slip from the right thing, and keeps no secret. */
function fingerprint(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

function notOurs(message: string): QueryError {
  return new QueryError('QUERY_CURSOR', message, { span: { offset: 0, length: 0 } });
}
