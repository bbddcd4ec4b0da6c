/** Who has set which fields of a resource: shown and kept for the API's server-side apply, of no concern to edges. */
import type { Database, Statement } from 'better-sqlite3';
import type { FieldOwner, Kind } from '@limpet/dmi/manifest';

export class Owners {
  readonly #get: Statement<[string, string], string>;
  readonly #put: Statement;
  readonly #drop: Statement;

  constructor(db: Database) {
    this.#get = db
      .prepare<[string, string], string>('SELECT fields FROM owners WHERE kind = ? AND id = ?')
      .pluck();
    this.#put = db.prepare('INSERT OR REPLACE INTO owners VALUES (?, ?, ?)');
    this.#drop = db.prepare('DELETE FROM owners WHERE kind = ? AND id = ?');
  }

  /** False when they are what they were. */
  put(kind: Kind, id: string, owners: readonly FieldOwner[]): boolean {
    const fields = owners.length === 0 ? undefined : JSON.stringify(owners);
    if (fields === this.#get.get(kind, id)) return false;
    if (fields === undefined) this.#drop.run(kind, id);
    else this.#put.run(kind, id, fields);
    return true;
  }

  drop(kind: Kind, id: string): void {
    this.#drop.run(kind, id);
  }
}
