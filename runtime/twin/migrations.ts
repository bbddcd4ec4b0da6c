/** The shapes the store's file has had, each as the step from the one before. Steps are never edited, only added. */
import { type Database } from 'better-sqlite3';
import { StoreError } from './store-error.ts';

const STEPS: readonly string[] = [
  // 1. JSON columns: reported, desired, read_back, reason, doc.
  `CREATE TABLE resource (
     type TEXT NOT NULL, id TEXT NOT NULL, rev INTEGER NOT NULL, doc TEXT,
     PRIMARY KEY (type, id)) WITHOUT ROWID, STRICT;
   CREATE TABLE property (
     device TEXT NOT NULL, name TEXT NOT NULL,
     reported TEXT, desired TEXT, deadline INTEGER, read_back TEXT,
     PRIMARY KEY (device, name)) STRICT;
   CREATE TABLE device (
     id TEXT NOT NULL PRIMARY KEY, state TEXT NOT NULL, reason TEXT, last_seen INTEGER)
     WITHOUT ROWID, STRICT;
   CREATE TABLE manifest (
     source TEXT NOT NULL, type TEXT NOT NULL, id TEXT NOT NULL,
     hash TEXT NOT NULL, desired TEXT NOT NULL,
     PRIMARY KEY (source, type, id)) WITHOUT ROWID, STRICT;
   CREATE TABLE cursor (
     one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
     cloud INTEGER NOT NULL, highest INTEGER NOT NULL) STRICT;
   INSERT INTO cursor VALUES (1, 0, 0);`,
];

/** Brings the file to the newest shape. @throws StoreError SCHEMA_NEWER, NOT_A_STORE */
export function migrate(db: Database): void {
  const version = db.pragma('user_version', { simple: true }) as number;
  if (version > STEPS.length) {
    throw new StoreError(
      'SCHEMA_NEWER',
      `${db.name} has schema ${version}, this Limpet knows up to ${STEPS.length}: run the newer version, or move the file away to start empty`,
    );
  }
  const tables = db.prepare('SELECT count(*) FROM sqlite_schema').pluck().get() as number;
  if (version === 0 && tables > 0) {
    throw new StoreError(
      'NOT_A_STORE',
      `${db.name} is a database of something else: name another file or folder`,
    );
  }
  for (let at = version; at < STEPS.length; at++) {
    db.transaction(() => {
      db.exec(STEPS[at] as string);
      db.pragma(`user_version = ${at + 1}`);
    })();
  }
}
