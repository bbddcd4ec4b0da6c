/** Where a page goes on: after the keys of the last row of the one before. */
import type { Keys, SortKey } from '../order.ts';
import type { Params } from './dialect.ts';

/** The condition that a row comes after `last`, whose keys these expressions are. NULLs are last. */
export function afterKeys(
  order: readonly (SortKey & { readonly sql: string })[],
  last: Keys,
  params: Params,
): string {
  let condition = '(1 = 0)';
  for (const [index, { sql, descending, part }] of [...order.entries()].toReversed()) {
    const value = last[index] ?? null;
    if (value === null) {
      condition = `(${sql} IS NULL AND ${condition})`;
      continue;
    }
    const place = part === 'number' ? params.number(Number(value)) : params.text(String(value));
    const beyond = `${sql} ${descending ? '<' : '>'} ${place} OR ${sql} IS NULL`;
    condition = `(${beyond} OR (${sql} = ${place} AND ${condition}))`;
  }
  return condition;
}
