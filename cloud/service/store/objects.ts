/** Resources as wanted. Methods that change run inside a transaction. */
import type { Database, Statement } from 'better-sqlite3';
import type { DeviceModel, Device, Kind, Node } from '@limpet/dmi/manifest';
import type { Reach } from '#protocol/api';

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

export class Objects {
  readonly #get: Statement<[string, string], Row>;
  readonly #has: Statement<[string, string], number>;
  readonly #nodeOf: Statement<[string], string>;
  readonly #put: Statement;
  readonly #touch: Statement;
  readonly #remove: Statement;
  readonly #changed: Statement<[Record<string, string | number | null>], string>;
  readonly #users: Statement<[string, string, number], string>;
  readonly #ofNode: Statement<[string, number], string>;
  readonly #nodesOfModel: Statement<[string, string], string>;

  constructor(db: Database) {
    this.#get = db.prepare('SELECT * FROM objects WHERE kind = ? AND id = ?');
    this.#has = db
      .prepare<[string, string], number>('SELECT 1 FROM objects WHERE kind = ? AND id = ?')
      .pluck();
    this.#nodeOf = db
      .prepare<[string], string>(`SELECT node FROM objects WHERE kind = 'Device' AND id = ?`)
      .pluck();
    this.#put = db.prepare(`
      INSERT OR REPLACE INTO objects VALUES (@kind, @id, @namespace, @name, @uid, @doc, @node, @model,
        @rev, @pos, @version, @born, @generation, @created)`);
    this.#touch = db.prepare('UPDATE objects SET version = ? WHERE kind = ? AND id = ?');
    this.#remove = db.prepare('DELETE FROM objects WHERE kind = ? AND id = ?');
    this.#changed = db
      .prepare<[Record<string, string | number | null>], string>(
        `SELECT id FROM (
          SELECT id, version FROM objects WHERE kind = @kind AND version > @since
            AND (@namespace IS NULL OR namespace = @namespace) AND (@name IS NULL OR name = @name)
          UNION ALL SELECT id, version FROM deletions WHERE kind = @kind AND version > @since
            AND (@namespace IS NULL OR namespace = @namespace) AND (@name IS NULL OR name = @name)
        ) ORDER BY version LIMIT @limit`,
      )
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
  }

  /** The node of a declared device. */
  nodeOf(device: string): string | undefined {
    return this.#nodeOf.get(device);
  }

  /** Something beside the document changed. */
  touch(kind: Kind, id: string, version: number): void {
    this.#touch.run(version, kind, id);
  }

  remove(kind: Kind, id: string): void {
    this.#remove.run(kind, id);
  }

  /** Ids of resources changed or deleted after `since`, `limit` at most, in order of version. */
  changedSince({ kind, namespace, name }: Reach, since: number, limit: number): readonly string[] {
    const within = { namespace: namespace ?? null, name: name ?? null };
    return this.#changed.all({ kind, ...within, since, limit });
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
}
