/** Resources as wanted, and the newest deletions of resources. Methods that change run inside a transaction. */
import type { Database, Statement } from 'better-sqlite3';
import type { DeviceModel, Device, Kind, Node } from '@limpet/dmi/manifest';

/** A resource without `spec.desired`, `status` and server-set metadata. */
export type StoredDoc = DeviceModel | Device | Node;

/** One resource as stored; see schema.ts for rev, pos and version. `id` is `namespace/name`, or a node's name. */
export interface StoredObject {
  readonly kind: Kind;
  readonly id: string;
  readonly uid: string;
  readonly doc: StoredDoc;
  readonly rev: number;
  readonly pos: number;
  readonly version: number;
  readonly born: number;
  readonly generation: number;
  /** ms since 1970. */
  readonly created: number;
}

/** What is kept of a deleted resource. `version` is that of the deletion. */
export interface Deletion {
  readonly kind: Kind;
  readonly id: string;
  readonly uid: string;
  readonly doc: StoredDoc;
  readonly rev: number;
  readonly version: number;
}

interface Row {
  readonly kind: Kind;
  readonly id: string;
  readonly uid: string;
  readonly doc: string;
  readonly rev: number;
  readonly pos: number;
  readonly version: number;
  readonly born: number;
  readonly generation: number;
  readonly created: number;
}

/** Deletions kept for watchers that come back; older ones answer 410. */
export const MAX_DELETIONS = 10_000;

export class Objects {
  readonly #get: Statement<[string, string], Row>;
  readonly #has: Statement<[string, string], number>;
  readonly #put: Statement;
  readonly #touch: Statement;
  readonly #remove: Statement;
  readonly #deleted: Statement<[string, string], Row>;
  readonly #keepDeletion: Statement;
  readonly #dropDeletion: Statement;
  readonly #oldDeletions: Statement<[number], { kind: string; id: string; version: number }>;
  readonly #forget: Statement;
  readonly #forgotten: Statement<[], number>;
  readonly #changed: Statement<[string, number, string, number], string>;
  readonly #present: Statement<[string], string>;
  readonly #users: Statement<[string, string, number], string>;
  readonly #ofNode: Statement<[string, number], string>;
  readonly #nodesOfModel: Statement<[string, string], string>;
  #deletions: number;

  constructor(db: Database) {
    this.#get = db.prepare('SELECT * FROM objects WHERE kind = ? AND id = ?');
    this.#has = db
      .prepare<[string, string], number>('SELECT 1 FROM objects WHERE kind = ? AND id = ?')
      .pluck();
    this.#put = db.prepare(`
      INSERT OR REPLACE INTO objects VALUES (@kind, @id, @namespace, @name, @uid, @doc, @node, @model,
        @rev, @pos, @version, @born, @generation, @created)`);
    this.#touch = db.prepare('UPDATE objects SET version = ? WHERE kind = ? AND id = ?');
    this.#remove = db.prepare('DELETE FROM objects WHERE kind = ? AND id = ?');
    this.#deleted = db.prepare('SELECT * FROM deletions WHERE kind = ? AND id = ?');
    this.#keepDeletion = db.prepare(
      'INSERT OR REPLACE INTO deletions VALUES (@kind, @id, @namespace, @name, @uid, @doc, @rev, @version)',
    );
    this.#dropDeletion = db.prepare('DELETE FROM deletions WHERE kind = ? AND id = ?');
    this.#oldDeletions = db.prepare(
      'SELECT kind, id, version FROM deletions ORDER BY version LIMIT ?',
    );
    this.#forget = db.prepare('UPDATE line SET forgotten = max(forgotten, ?)');
    this.#forgotten = db.prepare<[], number>('SELECT forgotten FROM line').pluck();
    this.#changed = db
      .prepare<[string, number, string, number], string>(
        `SELECT id FROM (
          SELECT id, version FROM objects WHERE kind = ? AND version > ?
          UNION ALL SELECT id, version FROM deletions WHERE kind = ? AND version > ?
        ) ORDER BY version`,
      )
      .pluck();
    this.#present = db
      .prepare<[string], string>('SELECT id FROM objects WHERE kind = ? ORDER BY version')
      .pluck();
    this.#users = db
      .prepare<[string, string, number], string>(
        `SELECT id FROM objects WHERE kind = 'Device' AND namespace = ? AND model = ? LIMIT ?`,
      )
      .pluck();
    this.#ofNode = db
      .prepare<[string, number], string>(
        `SELECT id FROM objects WHERE kind = 'Device' AND node = ? ORDER BY pos LIMIT ?`,
      )
      .pluck();
    this.#nodesOfModel = db
      .prepare<[string, string], string>(
        `SELECT DISTINCT node FROM objects WHERE kind = 'Device' AND namespace = ? AND model = ?`,
      )
      .pluck();
    this.#deletions = Number(db.prepare('SELECT count(*) FROM deletions').pluck().get());
  }

  get(kind: Kind, id: string): StoredObject | undefined {
    const row = this.#get.get(kind, id);
    return row && { ...row, doc: JSON.parse(row.doc) as StoredDoc };
  }

  has(kind: Kind, id: string): boolean {
    return this.#has.get(kind, id) !== undefined;
  }

  put(object: StoredObject): void {
    const { doc } = object;
    const device = doc.kind === 'Device' ? doc : undefined;
    this.#put.run({
      ...object,
      doc: JSON.stringify(doc),
      namespace: doc.metadata.namespace ?? '',
      name: doc.metadata.name,
      node: device?.spec.node ?? null,
      model: device?.spec.model ?? null,
    });
    if (this.#dropDeletion.run(object.kind, object.id).changes > 0) this.#deletions--;
  }

  /** Something beside the document changed. */
  touch(kind: Kind, id: string, version: number): void {
    this.#touch.run(version, kind, id);
  }

  /** Forgets a resource but for its deletion. Returns the ids of devices whose deletion was too old to keep. */
  remove(object: StoredObject, rev: number, version: number): readonly string[] {
    const { kind, id, uid, doc } = object;
    this.#remove.run(kind, id);
    this.#keepDeletion.run({
      kind,
      id,
      uid,
      rev,
      version,
      doc: JSON.stringify(doc),
      namespace: doc.metadata.namespace ?? '',
      name: doc.metadata.name,
    });
    this.#deletions++;
    return this.#prune();
  }

  deletion(kind: Kind, id: string): Deletion | undefined {
    const row = this.#deleted.get(kind, id);
    return row && { ...row, doc: JSON.parse(row.doc) as StoredDoc };
  }

  /** Deletions up to this version are not all known any more. */
  forgotten(): number {
    return this.#forgotten.get() ?? 0;
  }

  /** Ids changed or deleted after `since`, in order of version. */
  changedSince(kind: Kind, since: number): readonly string[] {
    return this.#changed.all(kind, since, kind, since);
  }

  present(kind: Kind): readonly string[] {
    return this.#present.all(kind);
  }

  /** Ids of devices of a model, `limit` at most. */
  devicesOfModel(namespace: string, model: string, limit: number): readonly string[] {
    return this.#users.all(namespace, model, limit);
  }

  devicesOfNode(node: string, limit: number): readonly string[] {
    return this.#ofNode.all(node, limit);
  }

  nodesOfModel(namespace: string, model: string): readonly string[] {
    return this.#nodesOfModel.all(namespace, model);
  }

  #prune(): readonly string[] {
    const tooMany = this.#deletions - MAX_DELETIONS;
    if (tooMany <= 0) return [];
    const devices: string[] = [];
    for (const { kind, id, version } of this.#oldDeletions.all(tooMany)) {
      this.#dropDeletion.run(kind, id);
      this.#forget.run(version);
      this.#deletions--;
      if (kind === 'Device') devices.push(id);
    }
    return devices;
  }
}
