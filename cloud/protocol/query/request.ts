/** A query as it is asked over the API: parsed, checked, and at which page it is. */
import type { Json } from '@limpet/dmi';
import type { Catalog } from './catalog.ts';
import { check } from './check.ts';
import { expectKeys, readCursor, writeCursor } from './cursor.ts';
import { QueryError } from './error.ts';
import { QUERY_LIMITS } from './limits.ts';
import { type Keys, sortKeys } from './order.ts';
import { parse } from './parse.ts';
import type { Checked, CheckedSelect, Column } from './typed.ts';

export interface QueryRequest {
  readonly query: string;
  /** `metadata.continue` of the page before. */
  readonly continue?: string;
}

export interface Prepared {
  readonly query: CheckedSelect;
  readonly after?: Keys;
  /** Rows of this page at most. */
  readonly limit: number;
  /** Rows told before. */
  readonly told: number;
}

/** One page of an answer. */
export interface QueryPage {
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly Json[])[];
  readonly continue?: string;
}

/** @throws QueryError */
export function prepare(request: QueryRequest, catalog: Catalog, now: number): Prepared {
  const { query: text, continue: token } = request;
  const cursor = token === undefined ? undefined : readCursor(text, token);
  const tree = parse(text);
  const query = answerable(check(tree, { catalog, now: cursor?.now ?? now, text }), text);
  if (cursor) expectKeys(sortKeys(query), cursor.keys);
  const told = cursor?.told ?? 0;
  const left = Math.max(0, (query.limit ?? Infinity) - told);
  const limit = Math.min(QUERY_LIMITS.page, left);
  return { query, told, limit, ...(cursor && { after: cursor.keys }) };
}

/** To explain an UPDATE is to explain how its devices are found. @throws QueryError */
function answerable(checked: Checked, text: string): CheckedSelect {
  const { explain } = checked;
  if (checked.kind === 'select' && (explain || !checked.watch)) return checked;
  if (checked.kind === 'update' && explain) return checked.targets;
  const message =
    checked.kind === 'update'
      ? 'an UPDATE is carried out by the cloud, as a rollout: limpet rollout run'
      : 'a WATCH goes on for as long as somebody listens: limpet watch, or ask it with watch=1';
  const span = { offset: 0, length: Math.min(text.length, 6) };
  throw new QueryError('QUERY_UNSUPPORTED', message, { span });
}

/** `last`: the keys of the last row, where there are more after it. */
export function pageOf(
  text: string,
  { query, told }: Prepared,
  { rows, last }: { readonly rows: QueryPage['rows']; readonly last?: Keys | undefined },
): QueryPage {
  const now = told + rows.length;
  const more = last !== undefined && now < (query.limit ?? Infinity);
  return {
    columns: query.columns.map(({ name, type, unit }) => ({ name, type, ...(unit && { unit }) })),
    rows,
    ...(more && { continue: writeCursor(text, { now: query.began, told: now, keys: last }) }),
  };
}
