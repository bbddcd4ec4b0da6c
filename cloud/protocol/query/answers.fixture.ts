/** Asks a database what the evaluator is asked, by pages, from each place that a query can start at. */
import { isDeepStrictEqual } from 'node:util';
import type { Json } from '@limpet/dmi';
import type { Keys } from './order.ts';
import type { Random } from './random.fixture.ts';
import {
  type Candidate,
  candidatesFor,
  type CheckedSelect,
  compileSelect,
  type SqlCatalog,
} from './index.ts';
import type { Dialect, SqlValue } from './sql/dialect.ts';

export type Found = Readonly<Record<string, SqlValue>>;

export interface Asked {
  readonly dialect: Dialect;
  readonly catalog: SqlCatalog;
  all(text: string, values: readonly SqlValue[]): Promise<readonly Found[]>;
}

type Rows = readonly (readonly Json[])[];

/** The whole answer from each start, pages put together. */
export async function answersOf(
  query: CheckedSelect,
  asked: Asked,
  random: Random,
): Promise<ReadonlyMap<string, Rows>> {
  const answers = new Map<string, Rows>([['all rows', await paged(query, asked, { random })]]);
  for (const start of candidatesFor(query, asked.catalog)) {
    const { text, values } = start.count(asked.dialect, asked.catalog, 100);
    await asked.all(text, values);
    answers.set(start.index, await paged(query, asked, { random, start }));
  }
  return answers;
}

interface How {
  readonly random: Random;
  readonly start?: Candidate;
}

async function paged(query: CheckedSelect, asked: Asked, { random, start }: How): Promise<Rows> {
  const { dialect, catalog } = asked;
  const answer: (readonly Json[])[] = [];
  const page = 1 + random.below(30);
  let after: Keys | undefined;
  do {
    const limit = Math.min(page, (query.limit ?? Infinity) - answer.length);
    const compiled = compileSelect(query, {
      dialect,
      catalog,
      limit,
      ...(start && { start }),
      ...(after && { after }),
    });
    const found = await asked.all(compiled.text, compiled.values);
    const rows = found.slice(0, limit);
    answer.push(...rows.map((row) => compiled.row(row)));
    const last = rows.at(-1);
    after =
      last !== undefined && found.length > limit && answer.length !== query.limit
        ? compiled.keys(last)
        : undefined;
  } while (after !== undefined);
  return answer;
}

/** Equal, but for the last digits of numbers, which depend on the order in which they were added. */
export function isSameAnswer(a: Json | Rows, b: Json | Rows): boolean {
  if (typeof a === 'number' && typeof b === 'number') {
    return Math.abs(a - b) <= 1e-12 * Math.max(Math.abs(a), Math.abs(b));
  }
  if (!Array.isArray(a) || !Array.isArray(b)) return isDeepStrictEqual(a, b);
  return (
    a.length === b.length && a.every((item, index) => isSameAnswer(item as Json, b[index] as Json))
  );
}
