/**
 * Where a reader stands: which session told it, how many events it has got, and what it then had in short, so that a service
 * that knows the session no more can still see whether anything is different now.
 */
import { hash } from 'node:crypto';
import { badRequest } from '#protocol/api';

export interface Cursor {
  readonly session: string;
  readonly seq: number;
  readonly rows: number;
  readonly digest: number;
}

/** `mark`: of the query. */
export function writeCursor({ session, seq, rows, digest }: Cursor, mark: string): string {
  return [session, seq.toString(36), rows.toString(36), digest.toString(36), mark].join('.');
}

/** @throws ApiError BadRequest */
export function readCursor(text: string, query: string): Cursor {
  const match =
    /^([\w-]{1,32})\.([0-9a-z]{1,11})\.([0-9a-z]{1,8})\.([0-9a-z]{1,10})\.([\w-]{8})$/.exec(text);
  const [, session = '', seq = '', rows = '', digest = '', mark] = match ?? [];
  if (match === null) {
    throw badRequest('cursor: not one of this service; leave it out to begin anew');
  }
  if (mark !== markOf(query)) {
    throw badRequest('cursor: it is of another query; leave it out to begin anew');
  }
  const [at, count, sum] = [seq, rows, digest].map((each) => Number.parseInt(each, 36));
  return { session, seq: at ?? 0, rows: count ?? 0, digest: sum ?? 0 };
}

/** Keeps a cursor from being used with another query. */
export function markOf(query: string): string {
  return hash('sha1', query, 'base64url').slice(0, 8);
}
