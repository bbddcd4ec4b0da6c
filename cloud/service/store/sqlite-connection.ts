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

/** A statement with question marks, for as many times `width` values as there are. */
export interface Note {
  readonly text: string;
  readonly width: number;
  readonly values: readonly SqlValue[];
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

  async run(text: string, ...values: readonly SqlValue[]): Promise<void> {
    await this.change(text, ...values);
  }

  async change(text: string, ...values: readonly SqlValue[]): Promise<number> {
    const { statement, places } = this.#prepared(text);
    return statement.run(places.map((place) => values[place - 1])).changes;
  }

  async put<R extends Row>(table: Table<R>, rows: readonly R[]): Promise<void> {
    const columns = Object.keys(table.columns);
    const { statement } = this.#prepared(putText(table));
    for (const row of rows) statement.run(columns.map((column) => row[column]));
  }

  async find<R extends Row>(
    table: Table<R>,
    keys: readonly (readonly SqlValue[])[],
  ): Promise<readonly R[]> {
    const is = table.key.map((column) => `${column} = ?`).join(' AND ');
    const { statement } = this.#prepared(`SELECT * FROM ${table.name} WHERE ${is}`);
    return this.#together(() =>
      keys.map((key) => statement.get(...key) as R | undefined).filter((row) => !!row),
    );
  }

  /** Many times the same statement. */
  write({ text, width, values }: Note): void {
    const { statement } = this.#prepared(text);
    for (let at = 0; at < values.length; at += width) {
      statement.run(values.slice(at, at + width));
    }
    if (width === 0) statement.run();
  }

  /** A statement outside of a transaction takes the file's locks for itself, which costs more than looking up a row. */
  #together<T>(work: () => T): T {
    if (this.db.inTransaction) return work();
    this.#prepared('BEGIN').statement.run();
    try {
      return work();
    } finally {
      this.#prepared('COMMIT').statement.run();
    }
  }

  #prepared(text: string): Prepared {
    const known = this.#statements.get(text);
    if (known !== undefined) return known;
    const statement = this.db.prepare(marked(text));
    const places = placesOf(text);
    if (this.#statements.size >= MAX_STATEMENTS) this.#statements.clear();
    this.#statements.set(text, { statement, places });
    return { statement, places };
  }
}

const PLACE = /\$(\d+)/g;
const LOOKED_AT = /(=|LIMIT|OFFSET) \$\d+/g;

/**
 * With question marks. Where the planner would look at the value of a place it finds an expression: a statement whose plan may
 * hang on a value is prepared anew for each (0.1 ms), as SQLite cannot tell that the plan is the same.
 */
function marked(text: string): string {
  return text.replaceAll(LOOKED_AT, '$1 coalesce(?, NULL)').replaceAll(PLACE, '?');
}

function placesOf(text: string): readonly number[] {
  return [...text.matchAll(PLACE)].map(([, place]) => Number(place));
}

/** A statement, to be carried out later. */
export function noteOf(text: string, values: readonly SqlValue[]): Note {
  const taken = placesOf(text).map((place) => values[place - 1] ?? null);
  return { text: marked(text), width: taken.length, values: taken };
}

const puts = new WeakMap<object, string>();

/** Inserts a row, or replaces that of the same key. */
export function putText(table: Table): string {
  const known = puts.get(table);
  if (known !== undefined) return known;
  const columns = Object.keys(table.columns);
  const places = columns.map(() => '?').join(', ');
  const rest = columns.filter((column) => !table.key.includes(column));
  const set = rest.map((column) => `${column} = excluded.${column}`).join(', ');
  const text = `INSERT INTO ${table.name} (${columns.join(', ')}) VALUES (${places})
    ON CONFLICT (${table.key.join(', ')}) DO ${set === '' ? 'NOTHING' : `UPDATE SET ${set}`}`;
  puts.set(table, text);
  return text;
}
