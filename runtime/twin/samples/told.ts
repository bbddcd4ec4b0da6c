/** Pages of history for whoever keeps it elsewhere: everything above a cursor, in the order in which it was recorded. */
import {
  type PastCursor,
  type PastItem,
  type PastPage,
  type SeriesPast,
} from '@limpet/dmi/manifest';
import { type Database } from 'better-sqlite3';
import { decode } from './samples-file.ts';

/** Rows that one page looks at, however small they are. */
const MOST_ROWS = 4_000;
/** What an item takes on the wire beside its value, and a series beside its names. */
const ITEM_BYTES = 20;
const SERIES_BYTES = 60;

/** The first page above the cursor, of about so many bytes and at least one item; undefined when there is nothing. */
export function pageAfter(
  db: Database,
  cursor: PastCursor | undefined,
  bytes: number,
): PastPage | undefined {
  const draft = new Draft(db);
  let n = 0;
  for (const row of rowsAfter(db, positionOf(db, cursor))) {
    n = row.n;
    draft.add(row);
    if (draft.bytes >= bytes) break;
  }
  return n === 0 ? undefined : { run: runAt(db, n), n, series: draft.series() };
}

/**
 * Where a cursor stands in this file. Positions above the first of the next run were written, told and then lost with
 * the power, or came after a copy was made that is the file now. A run that is not known here: from the beginning.
 */
function positionOf(db: Database, cursor: PastCursor | undefined): number {
  if (cursor === undefined) return 0;
  const run = db.prepare('SELECT first FROM run WHERE id = ?').pluck().get(cursor.run);
  if (typeof run !== 'number') return 0;
  const next = db.prepare('SELECT min(first) FROM run WHERE first > ?').pluck().get(run);
  return typeof next === 'number' ? Math.min(cursor.n, next - 1) : cursor.n;
}

/** Of what was written before there were runs, the first stands for all. */
function runAt(db: Database, n: number): string {
  const newest = 'SELECT id FROM run WHERE first <= ? ORDER BY first DESC LIMIT 1';
  const oldest = 'SELECT id FROM run ORDER BY first LIMIT 1';
  return (db.prepare(newest).pluck().get(n) ?? db.prepare(oldest).pluck().get()) as string;
}

interface Row {
  readonly n: number;
  readonly series: number;
  readonly at: number;
  readonly kind: number;
  readonly value: unknown;
  readonly cause: string | null;
  readonly to: number | null;
}

function rowsAfter(db: Database, position: number): IterableIterator<Row> {
  return db
    .prepare(
      `SELECT n, series, at, kind, value, NULL AS cause, NULL AS "to" FROM sample WHERE n > ?
       UNION ALL SELECT position, series, "from", 0, NULL, cause, "to" FROM gap WHERE position > ?
       ORDER BY n LIMIT ${MOST_ROWS}`,
    )
    .iterate(position, position) as IterableIterator<Row>;
}

class Draft {
  bytes = 0;
  readonly #rows = new Map<
    number,
    Omit<SeriesPast, 'device' | 'property' | 'items'> & { items: PastItem[] }
  >();
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  add(row: Row): void {
    const { series, at, cause, to } = row;
    const held = this.#rows.get(series) ?? { since: at, n: row.n, items: [] };
    if (held.items.length === 0) {
      this.#rows.set(series, held);
      this.bytes += SERIES_BYTES;
    }
    const { since, items } = held;
    this.bytes += ITEM_BYTES;
    if (cause !== null) {
      items.push({ gap: cause, from: at - since, to: to === null ? null : to - since });
      return;
    }
    const { value, quality } = decode(row.kind, row.value);
    if (typeof row.value === 'string') this.bytes += row.value.length;
    const n = row.n - held.n;
    items.push(quality === 'good' ? [at - since, n, value] : [at - since, n, value, quality]);
  }

  series(): readonly SeriesPast[] {
    const named = this.#db.prepare('SELECT device, property FROM series WHERE id = ?');
    const series: SeriesPast[] = [];
    for (const [id, past] of this.#rows) {
      const names = named.get(id) as Pick<SeriesPast, 'device' | 'property'> | undefined;
      // Of a series that ended so long ago that it was forgotten, what is left goes with it.
      if (names !== undefined) series.push({ ...names, ...past });
    }
    return series;
  }
}
