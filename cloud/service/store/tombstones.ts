/** What a node still has to let go of: devices deleted or moved away, models deleted. */
import type { WantedResource } from '#protocol';
import { one, type Sql } from './sql.ts';
import { TOMBSTONES } from './tables.ts';

/** `node` is `*` for models, which any node may hold. */
export interface Tombstone {
  readonly node: string;
  readonly kind: WantedResource['kind'];
  readonly id: string;
  readonly rev: number;
  readonly pos: number;
}

/** Every node. */
export const ANY_NODE = '*';

/** Beyond it the oldest are dropped and counted: a node away for that long keeps what it should drop. */
const MAX_TOMBSTONES = 100_000;

export class Tombstones {
  readonly #sql: Sql;
  /** At least how many there are; unknown at the start, and after something was rolled back. */
  #kept: number | undefined;
  /** Dropped by the ceiling since the start. */
  dropped = 0;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** Something was rolled back. */
  unsure(): void {
    this.#kept = undefined;
  }

  async put({ node, kind, id, rev, pos }: Tombstone): Promise<void> {
    await this.#sql.put(TOMBSTONES, [{ node, kind, id, rev, pos }]);
    if (this.#kept !== undefined && ++this.#kept <= MAX_TOMBSTONES) return;
    this.#kept = await countIn(this.#sql);
    const tooMany = this.#kept - MAX_TOMBSTONES;
    if (tooMany <= 0) return;
    this.dropped += await this.#sql.change(
      `DELETE FROM tombstones WHERE (node, kind, id) IN
        (SELECT node, kind, id FROM tombstones ORDER BY pos LIMIT $1)`,
      tooMany,
    );
    this.#kept = MAX_TOMBSTONES;
  }

  /** The resource is wanted there again. */
  async drop(kind: Tombstone['kind'], id: string, node: string): Promise<void> {
    await this.#sql.run(
      'DELETE FROM tombstones WHERE kind = $1 AND id = $2 AND node IN ($3, $4)',
      kind,
      id,
      node,
      ANY_NODE,
    );
  }

  /** The node has stored up to `pos`. Returns the devices it has thereby let go of. */
  async passed(node: string, pos: number): Promise<readonly string[]> {
    const gone = await this.#sql.all<{ kind: string; id: string }>(
      'DELETE FROM tombstones WHERE node = $1 AND pos <= $2 RETURNING kind, id',
      node,
      pos,
    );
    return gone.filter(({ kind }) => kind === 'Device').map(({ id }) => id);
  }

  /** Drops what every node has stored past. */
  async pruneAny(): Promise<void> {
    await this.#sql.run(
      `DELETE FROM tombstones WHERE node = '${ANY_NODE}' AND pos <= (SELECT min(stored) FROM nodes)`,
    );
  }
}

async function countIn(sql: Sql): Promise<number> {
  const row = await one(sql.all<{ count: number }>('SELECT count(*) count FROM tombstones'));
  return row?.count ?? 0;
}
