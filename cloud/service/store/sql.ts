/**
 * The little that the store asks of a database, so that it can stand on SQLite or on PostgreSQL. Statements say `$1`, `$2`
 * and are the same text for both, but where `dialect` tells them apart. Only constants of this program are statements:
 * whatever a user says is a value.
 */

import type { StoreFailed } from './errors.ts';

/** Booleans are 0 and 1, JSON is text, integers are safe ones. */
export type SqlValue = string | number | null;

export type Row = Readonly<Record<string, SqlValue>>;

export type Dialect = 'sqlite' | 'postgres';

export type ColumnType = 'integer' | 'real' | 'text';

/** A table as `put` and `find` need to know it; `key` is its primary key. */
export interface Table<R extends Row = Row> {
  readonly name: string;
  readonly columns: { readonly [Column in keyof R]: ColumnType };
  readonly key: readonly (keyof R & string)[];
}

/** One connection: a transaction being written, or what is committed. */
export interface Sql {
  readonly dialect: Dialect;
  all<R>(text: string, ...values: readonly SqlValue[]): Promise<readonly R[]>;
  /** Changes rows. */
  run(text: string, ...values: readonly SqlValue[]): Promise<void>;
  /** The same, and how many rows it changed. */
  change(text: string, ...values: readonly SqlValue[]): Promise<number>;
  /** Inserts whole rows, or replaces those of the same key. The keys of one call differ. */
  put<R extends Row>(table: Table<R>, rows: readonly R[]): Promise<void>;
  /** The rows that have one of these keys (values in the order of `table.key`), in no order. */
  find<R extends Row>(
    table: Table<R>,
    keys: readonly (readonly SqlValue[])[],
  ): Promise<readonly R[]>;
}

/** Something that was to be written later could not be: nobody knows whose it was, and the transaction is to be done again, openly. */
export class Spoiled extends Error {}

/** The one connection that writes. Group commit alone begins and ends its transactions. */
export interface Writer extends Sql {
  /** `openly`: what `run` and `put` are asked comes to pass, or fails, at once, and not only with the commit. */
  begin(openly?: boolean): Promise<void>;
  /** Resolves when it is on the disk. @throws Spoiled never of what was begun openly */
  commit(): Promise<void>;
  /** Safe when the database has rolled back by itself. */
  rollback(): Promise<void>;
  /** A place inside the transaction to come `back` to; `release` forgets it. */
  savepoint(): Promise<void>;
  release(): Promise<void>;
  back(): Promise<void>;
}

export interface Engine {
  readonly writer: Writer;
  /**
   * Committed state, all of it as of one moment, on a connection that cannot write. The work waits for nothing but its own
   * statements.
   */
  read<T>(work: (sql: Sql) => Promise<T>): Promise<T>;
  /** Resolves when the disk has everything that readers can see by now, also those of other processes. */
  durable(): Promise<void>;
  /** The database itself refused (disk, connection), whatever it was asked; undefined: the statement was at fault. */
  refusal(error: unknown): StoreFailed | undefined;
  close(): Promise<void>;
}

/** The first row of what `all` found. */
export async function one<R>(rows: Promise<readonly R[]>): Promise<R | undefined> {
  return (await rows)[0];
}

/** `column` is one of the values of a JSON array, which is bound to `place`. */
export function among(dialect: Dialect, column: string, place: string, type: ColumnType): string {
  if (dialect === 'sqlite') return `${column} IN (SELECT value FROM json_each(${place}))`;
  const cast = type === 'integer' ? 'bigint' : type === 'real' ? 'double precision' : 'text';
  return `${column} = ANY(ARRAY(SELECT json_array_elements_text(${place}::json)::${cast}))`;
}
