/** The newest deletions of resources: for watchers that come back, and against edges that bring the deleted back. */
import type { Database, Statement } from 'better-sqlite3';
import type { Kind } from '@limpet/dmi/manifest';
import type { StoredDoc } from './objects.ts';

/** What is kept of a deleted resource. `version` is that of the deletion. */
export interface Deletion {
  readonly kind: Kind;
  readonly id: string;
  readonly uid: string;
  readonly doc: StoredDoc;
  readonly rev: number;
  readonly version: number;
}

type Row = Omit<Deletion, 'doc'> & { readonly doc: string };

/** Watchers from before the oldest kept one are told to list again (410). */
export const MAX_DELETIONS = 10_000;

export class Deletions {
  readonly #get: Statement<[string, string], Row>;
  readonly #keep: Statement;
  readonly #drop: Statement;
  readonly #oldest: Statement<[number], Pick<Deletion, 'kind' | 'id' | 'version'>>;
  readonly #forget: Statement;
  readonly #forgotten: Statement<[], number>;
  readonly #count: Statement<[], number>;

  constructor(db: Database) {
    this.#get = db.prepare('SELECT * FROM deletions WHERE kind = ? AND id = ?');
    this.#keep = db.prepare(
      'INSERT OR REPLACE INTO deletions VALUES (@kind, @id, @namespace, @name, @uid, @doc, @rev, @version)',
    );
    this.#drop = db.prepare('DELETE FROM deletions WHERE kind = ? AND id = ?');
    this.#oldest = db.prepare('SELECT kind, id, version FROM deletions ORDER BY version LIMIT ?');
    this.#forget = db.prepare('UPDATE line SET forgotten = max(forgotten, ?)');
    this.#forgotten = db.prepare<[], number>('SELECT forgotten FROM line').pluck();
    this.#count = db.prepare<[], number>('SELECT count(*) FROM deletions').pluck();
  }

  get(kind: Kind, id: string): Deletion | undefined {
    const row = this.#get.get(kind, id);
    return row && { ...row, doc: JSON.parse(row.doc) as StoredDoc };
  }

  /** Returns the ids of devices whose deletion became too old to keep. */
  keep({ doc, ...deletion }: Deletion): readonly string[] {
    const { name, namespace = '' } = doc.metadata;
    this.#keep.run({ ...deletion, doc: JSON.stringify(doc), namespace, name });
    // Counted in the database: work that is rolled back must not leave another number here.
    const kept = this.#count.get() ?? 0;
    const devices: string[] = [];
    for (const { kind, id, version } of this.#oldest.all(Math.max(0, kept - MAX_DELETIONS))) {
      this.drop(kind, id);
      this.#forget.run(version);
      if (kind === 'Device') devices.push(id);
    }
    return devices;
  }

  /** The resource exists again. */
  drop(kind: Kind, id: string): void {
    this.#drop.run(kind, id);
  }

  /** Deletions up to this version are not all known any more. */
  forgotten(): number {
    return this.#forgotten.get() ?? 0;
  }
}
