/** The tables of the cloud's database, and how an older database becomes a present one. */
import type { Database } from 'better-sqlite3';
import { StoreUnusable } from './errors.ts';

/**
 * `rev` decides which of two wanted rows counts; `pos` is where a row stands in the stream to the edges (the
 * version at which it last changed *here*, also when an edge brought it with a rev of its own); `version` is
 * the resourceVersion: the last change of anything that the API shows. All come from one line.
 */
const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE line (one INTEGER PRIMARY KEY CHECK (one = 1), last INTEGER NOT NULL, forgotten INTEGER NOT NULL);
  INSERT INTO line VALUES (1, 0, 0);

  CREATE TABLE objects (
    kind TEXT NOT NULL, id TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, uid TEXT NOT NULL,
    doc TEXT NOT NULL, node TEXT, model TEXT,
    rev INTEGER NOT NULL, pos INTEGER NOT NULL, version INTEGER NOT NULL, born INTEGER NOT NULL,
    generation INTEGER NOT NULL, created INTEGER NOT NULL,
    PRIMARY KEY (kind, id)
  );
  CREATE INDEX objects_version ON objects (kind, version);
  CREATE INDEX objects_pos ON objects (kind, node, pos);
  CREATE INDEX objects_model ON objects (namespace, model, node) WHERE kind = 'Device';

  CREATE TABLE desired (
    device TEXT NOT NULL, property TEXT NOT NULL, node TEXT NOT NULL, value TEXT NOT NULL,
    rev INTEGER NOT NULL, pos INTEGER NOT NULL, accepted INTEGER NOT NULL, expires INTEGER,
    PRIMARY KEY (device, property)
  ) WITHOUT ROWID;
  CREATE INDEX desired_pos ON desired (node, pos);

  CREATE TABLE mirrors (
    device TEXT NOT NULL, property TEXT NOT NULL, node TEXT NOT NULL, reported TEXT, judged TEXT,
    PRIMARY KEY (device, property)
  ) WITHOUT ROWID;

  CREATE TABLE conditions (
    device TEXT PRIMARY KEY, node TEXT NOT NULL, state TEXT NOT NULL, reason TEXT, last_seen INTEGER
  ) WITHOUT ROWID;

  CREATE TABLE nodes (
    name TEXT PRIMARY KEY, state TEXT NOT NULL, last_seen INTEGER NOT NULL, facts TEXT NOT NULL,
    epoch TEXT NOT NULL, seq INTEGER NOT NULL, stored INTEGER NOT NULL
  ) WITHOUT ROWID;

  CREATE TABLE tombstones (
    node TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL, rev INTEGER NOT NULL, pos INTEGER NOT NULL,
    PRIMARY KEY (node, kind, id)
  ) WITHOUT ROWID;
  CREATE INDEX tombstones_pos ON tombstones (node, pos);

  CREATE TABLE deletions (
    kind TEXT NOT NULL, id TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, uid TEXT NOT NULL,
    doc TEXT NOT NULL, rev INTEGER NOT NULL, version INTEGER NOT NULL,
    PRIMARY KEY (kind, id)
  ) WITHOUT ROWID;
  CREATE INDEX deletions_version ON deletions (version);
  `,
  `
  CREATE TABLE owners (
    kind TEXT NOT NULL, id TEXT NOT NULL, fields TEXT NOT NULL, PRIMARY KEY (kind, id)
  ) WITHOUT ROWID;
  `,
];

/** 'Limp' in ASCII: tells our database from somebody else's. */
const APPLICATION_ID = 0x4c696d70;

/**
 * Brings the database to the present schema, in one transaction.
 * @throws StoreUnusable when it is newer than this program or not ours.
 */
export function migrate(db: Database, path: string): void {
  const known = MIGRATIONS.length;
  const version = Number(db.pragma('user_version', { simple: true }));
  const owner = Number(db.pragma('application_id', { simple: true }));
  const tables = db.prepare('SELECT count(*) FROM sqlite_schema').pluck().get();
  if (owner !== APPLICATION_ID && tables !== 0) {
    throw new StoreUnusable(
      'STORE_NOT_OURS',
      `${path} is a database of another program: choose another --data folder.`,
    );
  }
  if (version > known) {
    throw new StoreUnusable(
      'STORE_NEWER',
      `${path} has schema ${version}, this program knows ${known}: run the newer Limpet that wrote it, or restore a copy from before the upgrade.`,
    );
  }
  if (version === known) return;
  db.transaction(() => {
    for (const sql of MIGRATIONS.slice(version)) db.exec(sql);
    db.pragma(`application_id = ${APPLICATION_ID}`);
    db.pragma(`user_version = ${known}`);
  }).immediate();
}
