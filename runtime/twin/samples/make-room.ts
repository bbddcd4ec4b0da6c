/**
 * Keeps history below its ceilings: the oldest samples go first, in slices, and what goes becomes one growing gap per
 * series at its old end.
 */
import { type Database } from 'better-sqlite3';

const PAGE = 4_096;
const SLICE = 5_000;
/** Slices in one go: more waits for the next flush. */
const MOST_SLICES = 4;
/** What a flush may need at once. */
const MARGIN_BYTES = 1_048_576;
/** Gaps are small, but a device that comes and goes makes many. */
const MOST_GAPS = 20_000;
/** Series that are no longer kept, but of which something may be left. */
const MOST_ENDED = 20_000;

export interface Room {
  readonly bytes: number;
  /** What is older goes in any case, ms since 1970. */
  readonly oldest: number;
}

export function makeRoom(db: Database, room: Room): void {
  for (let slice = 0; slice < MOST_SLICES; slice++) {
    const upTo = surplus(db, room);
    if (upTo === undefined) return forgetEnded(db, room.oldest);
    db.transaction(() => drop(db, upTo))();
  }
}

/** The row up to which samples are to go; undefined when nothing has to. */
function surplus(db: Database, { bytes, oldest }: Room): number | undefined {
  const first = one(db, 'SELECT min(n) FROM sample');
  if (first === null) return gaps(db) > MOST_GAPS ? 0 : undefined;
  if (used(db) > bytes - MARGIN_BYTES || gaps(db) > MOST_GAPS) return first + SLICE;
  const stale = db
    .prepare('SELECT max(n) FROM (SELECT n, at FROM sample ORDER BY n LIMIT ?) WHERE at < ?')
    .pluck()
    .get(SLICE, oldest) as number | null;
  return stale === null ? undefined : stale + 1;
}

/** Bytes of pages that hold something. */
export function used(db: Database): number {
  const pages = db.pragma('page_count', { simple: true }) as number;
  return (pages - (db.pragma('freelist_count', { simple: true }) as number)) * PAGE;
}

function gaps(db: Database): number {
  return one(db, 'SELECT count(*) FROM gap') ?? 0;
}

function drop(db: Database, upTo: number): void {
  const spans = db
    .prepare(
      `SELECT series, min(at) AS "from", max(at) AS "to", max(n) AS position
       FROM sample WHERE n < ? GROUP BY series`,
    )
    .all(upTo) as Span[];
  for (const span of spans) fold(db, span);
  db.prepare('DELETE FROM sample WHERE n < ?').run(upTo);
  const horizon = one(db, 'SELECT at FROM sample ORDER BY n LIMIT 1');
  foldGaps(db, horizon ?? median(db));
  if (horizon === null) db.exec('UPDATE state SET turned = 0, latest = 0');
}

interface Span {
  readonly series: number;
  readonly from: number;
  readonly to: number;
  /** Of the last that it spans. */
  readonly position: number;
}

/** The series' dropped gap grows to take the span in, and stands where the last of it stood. */
function fold(db: Database, { series, from, to, position }: Span): void {
  const { changes } = db
    .prepare(
      `UPDATE gap SET "from" = min("from", ?), "to" = max("to", ?), position = max(position, ?)
       WHERE series = ? AND cause = 'dropped'`,
    )
    .run(from, to, position, series);
  if (changes > 0) return;
  db.prepare(
    `INSERT INTO gap (series, cause, "from", "to", position) VALUES (?, 'dropped', ?, ?, ?)`,
  ).run(series, from, to, position);
}

/** Gaps that ended before the oldest sample are part of what was dropped. */
function foldGaps(db: Database, horizon: number): void {
  const old = `cause <> 'dropped' AND "to" < ?`;
  const spans = db
    .prepare(
      `SELECT series, min("from") AS "from", max("to") AS "to", max(position) AS position
       FROM gap WHERE ${old} GROUP BY series`,
    )
    .all(horizon) as Span[];
  for (const span of spans) fold(db, span);
  db.prepare(`DELETE FROM gap WHERE ${old}`).run(horizon);
}

/** With no sample left, half of the gaps go. */
function median(db: Database): number {
  return one(db, `SELECT "to" FROM gap ORDER BY "to" LIMIT 1 OFFSET ${MOST_GAPS / 2}`) ?? 0;
}

/** Series that ended so long ago that nothing of them is left; of very many, the newest are remembered. */
function forgetEnded(db: Database, oldest: number): void {
  const surplus = one(
    db,
    `SELECT ended FROM series WHERE ended IS NOT NULL ORDER BY ended DESC LIMIT 1 OFFSET ${MOST_ENDED}`,
  );
  const before = Math.max(oldest, surplus ?? 0);
  const first = one(db, 'SELECT min(ended) FROM series');
  if (first === null || first >= before) return;
  db.transaction(() => {
    const ended = 'SELECT id FROM series WHERE ended < ?';
    db.prepare(`DELETE FROM gap WHERE series IN (${ended})`).run(before);
    db.prepare('DELETE FROM series WHERE ended < ?').run(before);
  })();
}

function one(db: Database, sql: string): number | null {
  return (db.prepare(sql).pluck().get() as number | null | undefined) ?? null;
}
