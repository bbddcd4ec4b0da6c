/** What the store asks of a database, over something that runs one statement of PostgreSQL. */
import type { ColumnType, Row, Sql, SqlValue, Table } from '../sql.ts';
import type { Answer } from './connection.ts';

export type Run = <R>(text: string, values: readonly SqlValue[]) => Promise<Answer<R>>;

/** Rows of one statement: some of them are in memory as text at once. */
const MAX_ROWS = 2000;

const ARRAYS: Record<ColumnType, string> = {
  integer: 'bigint[]',
  real: 'float8[]',
  text: 'text[]',
};

export class Statements implements Sql {
  readonly dialect = 'postgres';
  readonly #run: Run;

  constructor(run: Run) {
    this.#run = run;
  }

  async all<R>(text: string, ...values: readonly SqlValue[]): Promise<readonly R[]> {
    return (await this.#run<R>(text, values)).rows;
  }

  async run(text: string, ...values: readonly SqlValue[]): Promise<void> {
    await this.#run(text, values);
  }

  async change(text: string, ...values: readonly SqlValue[]): Promise<number> {
    return (await this.#run(text, values)).changed;
  }

  async put<R extends Row>(table: Table<R>, rows: readonly R[]): Promise<void> {
    const columns = Object.keys(table.columns);
    await Promise.all(
      chunks(rows).map((chunk) => {
        const lists = columns.map((column) => listed(chunk.map((row) => row[column] ?? null)));
        return this.#run(putText(table), lists);
      }),
    );
  }

  async find<R extends Row>(
    table: Table<R>,
    keys: readonly (readonly SqlValue[])[],
  ): Promise<readonly R[]> {
    const answers = await Promise.all(
      chunks(keys).map((chunk) => {
        const lists = table.key.map((_, place) => listed(chunk.map((key) => key[place] ?? null)));
        return this.#run<R>(findText(table), lists);
      }),
    );
    return answers.flatMap(({ rows }) => rows);
  }
}

/** An array as PostgreSQL writes it. */
function listed(values: readonly SqlValue[]): string {
  const parts = values.map((value) => {
    if (value === null) return 'NULL';
    if (typeof value === 'number') return String(value);
    return `"${value.replaceAll(/["\\]/g, String.raw`\$&`)}"`;
  });
  return `{${parts.join(',')}}`;
}

function chunks<T>(items: readonly T[]): readonly (readonly T[])[] {
  const found: (readonly T[])[] = [];
  for (let at = 0; at < items.length; at += MAX_ROWS) found.push(items.slice(at, at + MAX_ROWS));
  return found;
}

const puts = new WeakMap<object, string>();
const finds = new WeakMap<object, string>();

/** One statement for any number of rows: its arrays hold a column each. */
function putText(table: Table): string {
  return remembered(puts, table, () => {
    const columns = Object.keys(table.columns);
    const rest = columns.filter((column) => !table.key.includes(column));
    const updates = rest.map((column) => `"${column}" = excluded."${column}"`).join(', ');
    return (
      `INSERT INTO "${table.name}" (${quoted(columns)}) SELECT * FROM unnest(${arrays(table, columns)}) ` +
      `ON CONFLICT (${quoted(table.key)}) DO ${updates === '' ? 'NOTHING' : `UPDATE SET ${updates}`}`
    );
  });
}

function findText(table: Table): string {
  return remembered(finds, table, () => {
    const matches = table.key
      .map((column) => `found."${column}" = wanted."${column}"`)
      .join(' AND ');
    const columns = Object.keys(table.columns)
      .map((column) => `found."${column}"`)
      .join(', ');
    return (
      `SELECT ${columns} FROM unnest(${arrays(table, table.key)}) AS wanted (${quoted(table.key)}) ` +
      `JOIN "${table.name}" AS found ON ${matches}`
    );
  });
}

function arrays(table: Table, columns: readonly string[]): string {
  return columns
    .map((column, place) => `$${place + 1}::${ARRAYS[table.columns[column] ?? 'text']}`)
    .join(', ');
}

function quoted(columns: readonly string[]): string {
  return columns.map((column) => `"${column}"`).join(', ');
}

function remembered(texts: WeakMap<object, string>, table: Table, text: () => string): string {
  const known = texts.get(table);
  if (known !== undefined) return known;
  const made = text();
  texts.set(table, made);
  return made;
}
