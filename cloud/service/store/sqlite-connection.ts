/** A connection of SQLite behind the store's interface. It does everything in the turn that asks. */
import type { Database, Statement } from 'better-sqlite3';
import type { Row, Sql, SqlValue, Table } from './sql.ts';

/** Statements of one connection; all are constants of this program, so there are not more of them than that has. */
const MAX_STATEMENTS = 500;

/** Which values, by number, its places take in turn. */
interface Prepared {
  readonly statement: Statement;
  readonly places: readonly number[];
}

export class SqliteConnection implements Sql {
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
