/**
 * The store's database as a SQLite file: the default. Everything happens in the turn that asks, so work whose every step is
 * a statement runs from its beginning to its end without anybody between.
 */
import type { Database, Statement } from 'better-sqlite3';
import { sqliteCode, storeFailed } from './errors.ts';
import { openDatabase } from './open.ts';
import type { Engine, Row, Sql, SqlValue, Table, Writer } from './sql.ts';

/** Statements of one connection; all are constants of this program, so there are not more of them than that has. */
const MAX_STATEMENTS = 500;

/** Which values, by number, its places take in turn. */
interface Prepared {
  readonly statement: Statement;
  readonly places: readonly number[];
}

class SqliteConnection implements Sql {
  readonly dialect = 'sqlite';
  readonly db: Database;
  readonly #statements = new Map<string, Prepared>();

  constructor(db: Database) {
    this.db = db;
  }

  async all<R>(text: string, ...values: readonly SqlValue[]): Promise<readonly R[]> {
    const { statement, places } = this.#prepared(text);
    return statement.all(places.map((place) => values[place - 1])) as R[];
  }

  async run(text: string, ...values: readonly SqlValue[]): Promise<number> {
    const { statement, places } = this.#prepared(text);
    return statement.run(places.map((place) => values[place - 1])).changes;
  }

  async put<R extends Row>(table: Table<R>, rows: readonly R[]): Promise<void> {
    const columns = Object.keys(table.columns);
    const places = columns.map(() => '?').join(', ');
    const rest = columns.filter((column) => !table.key.includes(column));
    const set = rest.map((column) => `${column} = excluded.${column}`).join(', ');
    const { statement } = this.#prepared(
      `INSERT INTO ${table.name} (${columns.join(', ')}) VALUES (${places})
       ON CONFLICT (${table.key.join(', ')}) DO ${set === '' ? 'NOTHING' : `UPDATE SET ${set}`}`,
    );
    for (const row of rows) statement.run(columns.map((column) => row[column]));
  }

  async find<R extends Row>(
    table: Table<R>,
    keys: readonly (readonly SqlValue[])[],
  ): Promise<readonly R[]> {
    const is = table.key.map((column) => `${column} = ?`).join(' AND ');
    const { statement } = this.#prepared(`SELECT * FROM ${table.name} WHERE ${is}`);
    return keys.map((key) => statement.get(...key) as R | undefined).filter((row) => !!row);
  }

  #prepared(text: string): Prepared {
    const known = this.#statements.get(text);
    if (known !== undefined) return known;
    const statement = this.db.prepare(text.replaceAll(/\$\d+/g, '?'));
    const places = [...text.matchAll(/\$(\d+)/g)].map(([, place]) => Number(place));
    if (this.#statements.size >= MAX_STATEMENTS) this.#statements.clear();
    this.#statements.set(text, { statement, places });
    return { statement, places };
  }
}

class SqliteWriter extends SqliteConnection implements Writer {
  begin = (): Promise<void> => this.#say('BEGIN IMMEDIATE');
  commit = (): Promise<void> => this.#say('COMMIT');
  savepoint = (): Promise<void> => this.#say('SAVEPOINT work');
  release = (): Promise<void> => this.#say('RELEASE work');
  back = (): Promise<void> => this.#say('ROLLBACK TO work');

  async rollback(): Promise<void> {
    // SQLite has often rolled back by itself after an error of the disk.
    if (this.db.inTransaction) await this.#say('ROLLBACK');
  }

  async #say(text: string): Promise<void> {
    await this.run(text);
  }
}

/** @throws StoreUnusable saying what to do. */
export function openSqlite(path: string): Engine {
  const opened = openDatabase(path);
  const reader = new SqliteConnection(opened.reader);
  /** One reads at a time: each is a transaction of the one connection. */
  let reading: Promise<unknown> = Promise.resolve();
  return {
    writer: new SqliteWriter(opened.db),
    read: (work) => {
      const turn = reading.then(() => snapshot(reader, work));
      reading = turn.catch(() => undefined);
      return turn;
    },
    refusal: (error) => {
      const code = sqliteCode(error);
      const fault = code === undefined || code.startsWith('SQLITE_CONSTRAINT');
      return fault ? undefined : storeFailed(error as Error);
    },
    close: async () => {
      await reading;
      opened.close();
    },
  };
}

async function snapshot<T>(sql: SqliteConnection, work: (sql: Sql) => Promise<T>): Promise<T> {
  await sql.run('BEGIN');
  try {
    return await work(sql);
  } finally {
    await sql.run('COMMIT');
  }
}
