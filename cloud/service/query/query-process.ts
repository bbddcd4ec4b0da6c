/**
 * A process that answers queries from the service's SQLite file, one at a time: no query delays an acknowledgement, and one
 * that takes too long is stopped by ending the process, for a statement of SQLite cannot be told to stop.
 */
import { faultOf, QueryError, type QueryFault, type QueryRequest } from '#protocol/query';
import { readSqlite } from '../store/sqlite.ts';
import { type Answered, QueryEngine } from './engine.ts';
import type { QuerySettings } from './settings.ts';

/** What it is told first. */
export interface Start extends Pick<QuerySettings, 'costCeiling' | 'slowMs'> {
  readonly path: string;
}

/** What it says of a query; `bug`: of an error that is none of the query's. */
export type Said =
  | { readonly kind: 'answered'; readonly answered: Answered }
  | { readonly kind: 'refused'; readonly fault: QueryFault }
  | { readonly kind: 'bug'; readonly message: string };

export function saidOf(error: unknown, { query }: QueryRequest): Said {
  if (error instanceof QueryError) return { kind: 'refused', fault: faultOf(error, query) };
  // PostgreSQL adds up numbers to an error where SQLite has infinity.
  if ((error as { readonly code?: unknown }).code === '22003') {
    const span = { offset: 0, length: 0 };
    const beyond = 'the numbers add up to more than a number can be';
    return {
      kind: 'refused',
      fault: faultOf(new QueryError('QUERY_RANGE', beyond, { span }), query),
    };
  }
  return {
    kind: 'bug',
    message: error instanceof Error ? (error.stack ?? error.message) : String(error),
  };
}

function serve({ path, ...limits }: Start): void {
  const { read } = readSqlite(path);
  const engine = new QueryEngine({
    read,
    ...limits,
    now: () => Date.now(),
    monotonic: () => performance.now(),
  });
  process.on('message', (request: QueryRequest) => {
    void engine.answer(request).then(
      (answered) => process.send?.({ kind: 'answered', answered } satisfies Said),
      (error: unknown) => process.send?.(saidOf(error, request)),
    );
  });
}

if (import.meta.main) {
  process.once('message', (start: Start) => serve(start));
  // The service has gone.
  process.once('disconnect', () => process.exit());
}
