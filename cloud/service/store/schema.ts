/** The tables of the cloud's database, and how an older database becomes a present one. */
import type { Database } from 'better-sqlite3';
import { REVISIONS_SCHEMA } from '../history/revisions.ts';
import { HISTORY_SCHEMA } from '../history/tables.ts';
import { StoreUnusable } from './errors.ts';
import type { Tables } from './postgres/edition.ts';

/** The present schema, as SQLite spells it; see tables.ts for what it holds. */
const SCHEMA = `
  CREATE TABLE line (
    one INTEGER PRIMARY KEY, last INTEGER NOT NULL, forgotten INTEGER NOT NULL, objects INTEGER NOT NULL
  );
  INSERT INTO line VALUES (1, 0, 0, 0);

  CREATE TABLE objects (
    n INTEGER PRIMARY KEY, kind TEXT NOT NULL, id TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
    uid TEXT NOT NULL, node TEXT, model TEXT, rev INTEGER NOT NULL, pos INTEGER NOT NULL,
    born INTEGER NOT NULL, generation INTEGER NOT NULL, created INTEGER NOT NULL,
    UNIQUE (kind, id)
  );
  CREATE TABLE docs (n INTEGER PRIMARY KEY, doc TEXT NOT NULL);
  CREATE INDEX objects_pos ON objects (kind, node, pos);
  CREATE INDEX objects_model ON objects (namespace, model, node) WHERE kind = 'Device';

  CREATE TABLE marks (n INTEGER PRIMARY KEY, kind TEXT NOT NULL, version INTEGER NOT NULL);
  CREATE INDEX marks_version ON marks (kind, version);

  CREATE TABLE labels (n INTEGER NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (n, key)) WITHOUT ROWID;
  CREATE INDEX labels_value ON labels (key, value, n);

  CREATE TABLE owners (n INTEGER PRIMARY KEY, fields TEXT NOT NULL);

  CREATE TABLE names (n INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);

  CREATE TABLE mirrors (
    dev INTEGER NOT NULL, prop INTEGER NOT NULL, value TEXT, num REAL, text TEXT, type TEXT, quality TEXT,
    at INTEGER, reason TEXT, rev INTEGER, verdict TEXT, verdict_reason TEXT, stored INTEGER, sent INTEGER,
    confirmed INTEGER, PRIMARY KEY (dev, prop)
  ) WITHOUT ROWID;
  CREATE INDEX mirrors_num ON mirrors (prop, num, dev, quality);
  CREATE INDEX mirrors_text ON mirrors (prop, text, dev) WHERE text IS NOT NULL;
  CREATE INDEX mirrors_quality ON mirrors (prop, quality, dev) WHERE quality <> 'good';
  CREATE INDEX mirrors_verdict ON mirrors (prop, verdict, dev) WHERE verdict <> 'applied';

  CREATE TABLE conditions (n INTEGER PRIMARY KEY, state TEXT NOT NULL, reason TEXT, last_seen INTEGER);

  CREATE TABLE strays (
    node TEXT NOT NULL, device TEXT NOT NULL, property TEXT NOT NULL, row TEXT NOT NULL,
    PRIMARY KEY (node, device, property)
  ) WITHOUT ROWID;
  CREATE INDEX strays_device ON strays (device);

  CREATE TABLE desired (
    device TEXT NOT NULL, property TEXT NOT NULL, node TEXT NOT NULL, value TEXT NOT NULL, rev INTEGER NOT NULL,
    pos INTEGER NOT NULL, accepted INTEGER NOT NULL, expires INTEGER, PRIMARY KEY (device, property)
  ) WITHOUT ROWID;
  CREATE INDEX desired_pos ON desired (node, pos);
  CREATE INDEX desired_property ON desired (property, device);

  CREATE TABLE nodes (
    name TEXT PRIMARY KEY, state TEXT NOT NULL, facts TEXT NOT NULL, epoch TEXT NOT NULL, stored INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE TABLE progress (node TEXT PRIMARY KEY, seq INTEGER NOT NULL, last_seen INTEGER NOT NULL) WITHOUT ROWID;

  CREATE TABLE tombstones (
    node TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL, rev INTEGER NOT NULL, pos INTEGER NOT NULL,
    PRIMARY KEY (node, kind, id)
  ) WITHOUT ROWID;
  CREATE INDEX tombstones_pos ON tombstones (node, pos);

  CREATE TABLE deletions (
    kind TEXT NOT NULL, id TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, uid TEXT NOT NULL,
    doc TEXT NOT NULL, rev INTEGER NOT NULL, version INTEGER NOT NULL, PRIMARY KEY (kind, id)
  ) WITHOUT ROWID;
  CREATE INDEX deletions_version ON deletions (version);

  ${HISTORY_SCHEMA} ${REVISIONS_SCHEMA}
`;

/** The first schema, which older databases have. */
export const FIRST = `
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
  `;

const OLD = [
  'line',
  'objects',
  'desired',
  'mirrors',
  'conditions',
  'nodes',
  'tombstones',
  'deletions',
];
const OLD_INDEXES = [
  'objects_version',
  'objects_pos',
  'objects_model',
  'desired_pos',
  'tombstones_pos',
  'deletions_version',
];

/** What a node says of devices that are not its own becomes strays; the rest gets short names. */
const SECOND = `
  ${OLD_INDEXES.map((index) => `DROP INDEX ${index};`).join('\n')}
  ${OLD.map((table) => `ALTER TABLE ${table} RENAME TO old_${table};`).join('\n')}
  ${SCHEMA}
  UPDATE line SET (last, forgotten, objects) =
    (SELECT last, forgotten, (SELECT coalesce(max(rowid), 0) FROM old_objects) FROM old_line);
  INSERT INTO objects SELECT rowid, kind, id, namespace, name, uid, node, model, rev, pos, born, generation, created
    FROM old_objects;
  INSERT INTO docs SELECT rowid, doc FROM old_objects;
  INSERT INTO marks SELECT rowid, kind, version FROM old_objects;
  INSERT INTO labels SELECT o.rowid, l.key, l.value FROM old_objects o, json_each(o.doc, '$.metadata.labels') l;
  INSERT INTO names (name) SELECT DISTINCT property FROM old_mirrors;
  INSERT INTO mirrors
    SELECT o.n, p.n, m.reported -> '$.value',
      CASE WHEN json_type(m.reported, '$.value') IN ('integer', 'real', 'true', 'false') THEN m.reported ->> '$.value' END,
      CASE json_type(m.reported, '$.value') WHEN 'text' THEN substr(m.reported ->> '$.value', 1, 256) END,
      CASE json_type(m.reported, '$.value') WHEN 'integer' THEN 'n' WHEN 'real' THEN 'n' WHEN 'text' THEN 't'
        WHEN 'true' THEN 'b' WHEN 'false' THEN 'b' WHEN 'object' THEN 'j' WHEN 'array' THEN 'j' END,
      m.reported ->> '$.quality', m.reported ->> '$.at', m.reported -> '$.reason',
      m.judged ->> '$.rev', m.judged ->> '$.verdict', m.judged -> '$.reason', m.judged ->> '$.stages.stored',
      m.judged ->> '$.stages.sent', m.judged ->> '$.stages.confirmed'
    FROM old_mirrors m JOIN objects o ON o.kind = 'Device' AND o.id = m.device AND o.node = m.node
    JOIN names p ON p.name = m.property;
  INSERT INTO strays
    SELECT m.node, m.device, m.property, json_object('reported', json(m.reported), 'judged', json(m.judged))
    FROM old_mirrors m WHERE NOT EXISTS
      (SELECT 1 FROM objects o WHERE o.kind = 'Device' AND o.id = m.device AND o.node = m.node);
  INSERT INTO conditions SELECT o.n, c.state, c.reason, c.last_seen
    FROM old_conditions c JOIN objects o ON o.kind = 'Device' AND o.id = c.device AND o.node = c.node;
  INSERT INTO desired SELECT * FROM old_desired;
  INSERT INTO nodes SELECT name, state, facts, epoch, stored FROM old_nodes;
  INSERT INTO progress SELECT name, seq, last_seen FROM old_nodes;
  INSERT INTO tombstones SELECT * FROM old_tombstones;
  INSERT INTO deletions SELECT * FROM old_deletions;
  ${OLD.map((table) => `DROP TABLE old_${table};`).join('\n')}
`;

/** Rollouts. */
const THIRD = `
  CREATE TABLE rollouts (
    n INTEGER PRIMARY KEY, id TEXT NOT NULL, active INTEGER NOT NULL, total INTEGER NOT NULL, ended INTEGER,
    terms TEXT NOT NULL, progress TEXT NOT NULL
  );
  CREATE INDEX rollouts_active ON rollouts (n) WHERE active = 1;
  CREATE TABLE rollout_devices (
    rollout INTEGER NOT NULL, place INTEGER NOT NULL, dev INTEGER NOT NULL, device TEXT NOT NULL, state TEXT NOT NULL,
    batch INTEGER, code TEXT, message TEXT, was TEXT NOT NULL, orders TEXT, stages TEXT, sent INTEGER,
    PRIMARY KEY (rollout, place)
  ) WITHOUT ROWID;
  CREATE INDEX rollout_devices_state ON rollout_devices (rollout, state, place);
`;

/** Queries by name. */
const FOURTH = 'CREATE INDEX objects_name ON objects (kind, name);';

const MIGRATIONS: readonly string[] = [FIRST, SECOND, THIRD, FOURTH];

/**
 * The same for PostgreSQL, which never had the first schema. Texts are ordered by their bytes, as in SQLite.
 */
export const POSTGRES_TABLES: Tables = {
  version: MIGRATIONS.length,
  create: postgresText(SCHEMA + THIRD + FOURTH),
  upgrades: new Map([
    [2, postgresText(THIRD)],
    [3, FOURTH],
  ]),
};

function postgresText(text: string): string {
  return text
    .replaceAll(' INTEGER', ' BIGINT')
    .replaceAll(' REAL', ' DOUBLE PRECISION')
    .replaceAll(' TEXT', ' TEXT COLLATE "C"')
    .replaceAll(' WITHOUT ROWID', '');
}

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
