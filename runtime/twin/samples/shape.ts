/** The tables of the file of history, and how an older file comes to have them. */
import { type Database } from 'better-sqlite3';
import { randomUUID } from 'node:crypto';

const VERSION = 2;
/** Runs that a cursor can be found again by; of an older one everything is told again. */
const MOST_RUNS = 1_000;

/** `run`: which run of the process wrote from this position on, so that positions given out twice can be told apart. */
const RUN = 'CREATE TABLE run (first INTEGER PRIMARY KEY, id TEXT NOT NULL) STRICT;';
const GAP_POSITION = 'CREATE INDEX gap_position ON gap (position);';

const SHAPE = `
  CREATE TABLE series (
    id INTEGER PRIMARY KEY, device TEXT NOT NULL, property TEXT NOT NULL, ended INTEGER,
    UNIQUE (device, property)) STRICT;
  CREATE TABLE sample (
    n INTEGER PRIMARY KEY, series INTEGER NOT NULL, at INTEGER NOT NULL, kind INTEGER NOT NULL, value ANY) STRICT;
  CREATE TABLE gap (
    n INTEGER PRIMARY KEY, series INTEGER NOT NULL, cause TEXT NOT NULL, "from" INTEGER NOT NULL, "to" INTEGER,
    position INTEGER NOT NULL) STRICT;
  CREATE UNIQUE INDEX gap_dropped ON gap (series) WHERE cause = 'dropped';
  CREATE UNIQUE INDEX gap_open ON gap (series) WHERE "to" IS NULL;
  CREATE INDEX gap_series ON gap (series, "to");
  CREATE TABLE state (one INTEGER PRIMARY KEY CHECK (one = 1), alive INTEGER NOT NULL,
    turned INTEGER NOT NULL, latest INTEGER NOT NULL, position INTEGER NOT NULL) STRICT;
  ${GAP_POSITION} ${RUN}
  PRAGMA user_version = ${VERSION};`;

/** Samples were their own count; gaps had no place in it, and get one after all of them. */
const FROM_1 = `
  ALTER TABLE gap ADD COLUMN position INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE state ADD COLUMN position INTEGER NOT NULL DEFAULT 0;
  UPDATE gap SET position = n + (SELECT coalesce(max(n), 0) FROM sample);
  UPDATE state SET position = max(
    (SELECT coalesce(max(n), 0) FROM sample), (SELECT coalesce(max(position), 0) FROM gap));
  ${GAP_POSITION} ${RUN}
  PRAGMA user_version = ${VERSION};`;

/** A file of another version: history is not worth keeping a board from starting. */
export class UnknownShape extends Error {}

/** Makes the tables, or brings them up to date, and begins a run. True when there were none. @throws UnknownShape */
export function prepareShape(db: Database, now: number): boolean {
  const version = db.pragma('user_version', { simple: true }) as number;
  if (version > VERSION) throw new UnknownShape(`samples.db has shape ${version}`);
  db.transaction(() => {
    if (version === 0) {
      db.exec(SHAPE);
      db.prepare('INSERT INTO state VALUES (1, ?, 0, 0, 0)').run(now);
    } else if (version === 1) db.exec(FROM_1);
    // A run that wrote nothing leaves no trace.
    db.prepare('INSERT OR REPLACE INTO run SELECT position + 1, ? FROM state').run(randomUUID());
    db.prepare(
      'DELETE FROM run WHERE first <= (SELECT first FROM run ORDER BY first DESC LIMIT 1 OFFSET ?)',
    ).run(MOST_RUNS);
  })();
  return version === 0;
}
