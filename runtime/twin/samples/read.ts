/** Reads history back in pages: each looks at a bounded number of rows and answers with a bounded number of samples. */
import { type Database } from 'better-sqlite3';
import { CLOCK_SLACK_MS, decode } from './samples-file.ts';
import { type GapCause, type Sample } from './track.ts';

/** Rows that one page looks at: about 10 ms on a small board. */
const SCAN = 50_000;
/** Of values in one page, whatever its limit: a text may have 64 KiB. */
const PAGE_BYTES = 256 * 1024;
/** The newest gaps that one answer tells. */
const MOST_GAPS = 1_000;

export interface PageQuery {
  readonly series: number;
  /** ms since 1970. */
  readonly since: number;
  /** `next` of the page before. */
  readonly after?: number | undefined;
  readonly limit: number;
}

export interface SamplesPage {
  readonly samples: readonly Sample[];
  /** There may be more after this. */
  readonly next?: number;
}

export function readSamples(db: Database, { series, since, after, limit }: PageQuery): SamplesPage {
  const last = edge(db, 'max');
  if (last === null) return { samples: [] };
  const from = after ?? firstSince(db, since, last) - 1;
  const found = db
    .prepare(
      `SELECT n, at, kind, value FROM sample
       WHERE n > ? AND n <= ? AND series = ? AND at >= ? ORDER BY n LIMIT ?`,
    )
    .iterate(from, from + SCAN, series, since, limit) as IterableIterator<Row>;
  const samples: Sample[] = [];
  let bytes = 0;
  let reached = from + SCAN;
  for (const { n, at, kind, value } of found) {
    samples.push({ at, ...decode(kind, value) });
    bytes += typeof value === 'string' ? value.length : 0;
    if (samples.length < limit && bytes < PAGE_BYTES) continue;
    reached = n;
    break;
  }
  return reached < last ? { samples, next: reached } : { samples };
}

interface Row {
  readonly n: number;
  readonly at: number;
  readonly kind: number;
  readonly value: unknown;
}

/** The last sample before a time, if it is among the rows before it that one page would look at. */
export function sampleBefore(db: Database, series: number, time: number): Sample | undefined {
  const last = edge(db, 'max');
  if (last === null) return undefined;
  const upTo = firstSince(db, time + 2 * CLOCK_SLACK_MS, last);
  const row = db
    .prepare(
      `SELECT at, kind, value FROM sample WHERE n > ? AND n <= ? AND series = ? AND at < ?
       ORDER BY n DESC LIMIT 1`,
    )
    .get(upTo - SCAN, upTo, series, time) as Row | undefined;
  return row && { at: row.at, ...decode(row.kind, row.value) };
}

/** Gaps that reach into the time since, oldest first; one without `to` goes on. */
export function readGaps(
  db: Database,
  series: number,
  since: number,
): readonly { readonly cause: GapCause; readonly from: number; readonly to?: number }[] {
  const rows = db
    .prepare(
      `SELECT cause, "from", "to" FROM gap WHERE series = ? AND ("to" IS NULL OR "to" >= ?)
       ORDER BY coalesce("to", 9e15) DESC LIMIT ${MOST_GAPS}`,
    )
    .all(series, since) as { cause: GapCause; from: number; to: number | null }[];
  return rows
    .map(({ to, ...gap }) => (to === null ? gap : { ...gap, to }))
    .toSorted((a, b) => a.from - b.from);
}

/** The first row that can be of this time. Rows are in the order of time but where the clock was set back. */
function firstSince(db: Database, since: number, last: number): number {
  const first = edge(db, 'min') ?? last;
  const { turned, latest } = db.prepare('SELECT turned, latest FROM state').get() as Clock;
  const atOf = db.prepare('SELECT at FROM sample WHERE n >= ? ORDER BY n LIMIT 1').pluck();
  const early = (n: number): boolean => (atOf.get(n) as number) < since - CLOCK_SLACK_MS;
  // Before the clock was set back it said later times than after: then all of it is looked through.
  const ordered = turned <= first || since - CLOCK_SLACK_MS > latest;
  let low = Math.max(first, turned);
  if (!ordered || !early(low)) return first;
  for (let high = last; low < high;) {
    const middle = Math.ceil((low + high) / 2);
    if (early(middle)) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** `turned`: the row at which the clock was last set back, from `latest` at most. */
interface Clock {
  readonly turned: number;
  readonly latest: number;
}

function edge(db: Database, which: 'min' | 'max'): number | null {
  return db.prepare(`SELECT ${which}(n) FROM sample`).pluck().get() as number | null;
}
