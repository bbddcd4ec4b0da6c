/** The newest deletions of resources: for watchers that come back, and against edges that bring the deleted back. */
import type { Kind } from '@limpet/dmi/manifest';
import type { StoredDoc } from './objects.ts';
import { one, type Sql } from './sql.ts';
import { type DeletionRow, DELETIONS } from './tables.ts';

/** What is kept of a deleted resource. `version` is that of the deletion. */
export interface Deletion {
  readonly kind: Kind;
  readonly id: string;
  readonly uid: string;
  readonly doc: StoredDoc;
  readonly rev: number;
  readonly version: number;
}

/** Watchers from before the oldest kept one are told to list again (410). */
export const MAX_DELETIONS = 10_000;

export class Deletions {
  readonly #sql: Sql;
  /** How many there are; unknown at the start, and after something was rolled back. */
  #kept: number | undefined;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** Something was rolled back. */
  unsure(): void {
    this.#kept = undefined;
  }

  async get(kind: Kind, id: string): Promise<Deletion | undefined> {
    const [row] = await this.#sql.find(DELETIONS, [[kind, id]]);
    return row && deletionOf(row);
  }

  /** Returns the ids of devices whose deletion became too old to keep. */
  async keep({ kind, id, uid, doc, rev, version }: Deletion): Promise<readonly string[]> {
    const { name, namespace = '' } = doc.metadata;
    const row = { kind, id, namespace, name, uid, doc: JSON.stringify(doc), rev, version };
    await this.#sql.put(DELETIONS, [row]);
    this.#kept = this.#kept === undefined ? await this.#count() : this.#kept + 1;
    if (this.#kept <= MAX_DELETIONS) return [];
    const oldest = await this.#sql.all<Pick<Deletion, 'kind' | 'id' | 'version'>>(
      'SELECT kind, id, version FROM deletions ORDER BY version LIMIT $1',
      this.#kept - MAX_DELETIONS,
    );
    for (const { kind: of, id: gone, version: at } of oldest) {
      await this.drop(of, gone);
      await this.#sql.run('UPDATE line SET forgotten = $1 WHERE forgotten < $1', at);
    }
    return oldest.filter((each) => each.kind === 'Device').map((each) => each.id);
  }

  /** The resource exists again. */
  async drop(kind: Kind, id: string): Promise<void> {
    const text = 'DELETE FROM deletions WHERE kind = $1 AND id = $2';
    const gone = await this.#sql.change(text, kind, id);
    if (this.#kept !== undefined) this.#kept -= gone;
  }

  async #count(): Promise<number> {
    const text = 'SELECT count(*) count FROM deletions';
    return (await one(this.#sql.all<{ count: number }>(text)))?.count ?? 0;
  }
}

export function deletionOf({ kind, id, uid, doc, rev, version }: DeletionRow): Deletion {
  return { kind: kind as Kind, id, uid, rev, version, doc: JSON.parse(doc) as StoredDoc };
}
