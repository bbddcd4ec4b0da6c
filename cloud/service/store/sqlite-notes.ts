/**
 * What a transaction is to write to SQLite, noted instead of written: a transaction that only puts rows is carried out by
 * another thread, whole.
 */
import type { Row, SqlValue, Table } from './sql.ts';
import { type Note, putText } from './sqlite-connection.ts';

interface Put {
  readonly table: Table;
  readonly rows: readonly Row[];
}

/** Rows of one table by their keys, of the first so many puts. */
interface Index {
  puts: number;
  readonly rows: Map<string, Row>;
}

export class Notes {
  readonly #notes: Note[] = [];
  readonly #puts: Put[] = [];
  readonly #indexes = new Map<string, Index>();
  /** Tables that something else was noted of: what is in them is not known. */
  readonly #unsure = new Set<string>();
  /** How many notes and puts there were when the piece of work began that is under way. */
  #mark: readonly [number, number] | undefined;
  #size = 0;

  /** Rows and statements. */
  get size(): number {
    return this.#size;
  }

  put(table: Table, rows: readonly Row[]): void {
    const columns = Object.keys(table.columns);
    const values = rows.flatMap((row) => columns.map((column) => row[column] ?? null));
    this.#notes.push({ text: putText(table), width: columns.length, values });
    this.#puts.push({ table, rows });
    this.#size += rows.length;
  }

  run(text: string, note: Note): void {
    this.#notes.push(note);
    for (const table of tablesOf(text)) this.#unsure.add(table);
    this.#size += 1;
  }

  /** The database knows what a statement would find: nothing was noted of its tables. */
  silentOn(text: string): boolean {
    const put = (name: string): boolean => this.#puts.some(({ table }) => table.name === name);
    return tablesOf(text).every((name) => !this.#unsure.has(name) && !put(name));
  }

  /** What was put with these keys, and the keys to ask the database for; undefined when only the database can tell. */
  found<R extends Row>(
    table: Table<R>,
    keys: readonly (readonly SqlValue[])[],
  ): { readonly rows: readonly R[]; readonly rest: readonly (readonly SqlValue[])[] } | undefined {
    if (this.#unsure.has(table.name)) return undefined;
    const put = this.#indexOf(table.name);
    if (put.size === 0) return { rows: [], rest: keys };
    const rest: (readonly SqlValue[])[] = [];
    const rows: R[] = [];
    for (const key of keys) {
      const row = put.get(JSON.stringify(key));
      if (row === undefined) rest.push(key);
      else rows.push(row as R);
    }
    return { rows, rest };
  }

  /** A piece of work begins. */
  begin(): void {
    this.#mark = [this.#notes.length, this.#puts.length];
  }

  end(): void {
    this.#mark = undefined;
  }

  /** Of the piece of work that is under way nothing is wanted any more. */
  back(): void {
    [this.#notes.length, this.#puts.length] = this.#mark ?? [0, 0];
    this.#indexes.clear();
  }

  all(): readonly Note[] {
    return this.#notes;
  }

  /** What works that have ended noted, and the one that is under way, if one is. */
  parts(): { readonly ended: readonly Note[]; readonly under: readonly Note[] | undefined } {
    if (this.#mark === undefined) return { ended: this.#notes, under: undefined };
    const [at] = this.#mark;
    return { ended: this.#notes.slice(0, at), under: this.#notes.slice(at) };
  }

  #indexOf(name: string): ReadonlyMap<string, Row> {
    const index = this.#indexes.get(name) ?? { puts: 0, rows: new Map<string, Row>() };
    this.#indexes.set(name, index);
    for (const { table, rows } of this.#puts.slice(index.puts)) {
      if (table.name !== name) continue;
      for (const row of rows) {
        index.rows.set(JSON.stringify(table.key.map((column) => row[column])), row);
      }
    }
    index.puts = this.#puts.length;
    return index.rows;
  }
}

/** Statements are constants of this program, so there are not more of them than that has. */
const known = new Map<string, readonly string[]>();
const MAX_KNOWN = 500;

/** The tables that a statement names. */
function tablesOf(text: string): readonly string[] {
  const found = known.get(text);
  if (found !== undefined) return found;
  const tables = [...text.matchAll(/\b(?:FROM|JOIN|INTO|UPDATE)\s+(\w+)/gi)].map(
    ([, name]) => name ?? '',
  );
  if (known.size >= MAX_KNOWN) known.clear();
  known.set(text, tables);
  return tables;
}
