/** What a node still has to let go of: devices deleted or moved away, models deleted. */
import type { Database, Statement } from 'better-sqlite3';
import type { WantedResource } from '#protocol';

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
  readonly #put: Statement;
  readonly #drop: Statement;
  readonly #passed: Statement<[string, number], string>;
  readonly #prune: Statement;
  readonly #pruneAny: Statement;
  readonly #oldest: Statement;
  readonly #count: Statement<[], number>;
  #kept: number;
  /** Dropped by the ceiling since the start. */
  dropped = 0;

  constructor(db: Database) {
    this.#put = db.prepare(
      'INSERT OR REPLACE INTO tombstones VALUES (@node, @kind, @id, @rev, @pos)',
    );
    this.#drop = db.prepare('DELETE FROM tombstones WHERE kind = ? AND id = ? AND node IN (?, ?)');
    this.#passed = db
      .prepare<[string, number], string>(
        `SELECT id FROM tombstones WHERE node = ? AND pos <= ? AND kind = 'Device'`,
      )
      .pluck();
    this.#prune = db.prepare('DELETE FROM tombstones WHERE node = ? AND pos <= ?');
    this.#pruneAny = db.prepare(
      `DELETE FROM tombstones WHERE node = '${ANY_NODE}' AND pos <= (SELECT min(stored) FROM nodes)`,
    );
    this.#oldest = db.prepare(`DELETE FROM tombstones WHERE (node, kind, id) IN
      (SELECT node, kind, id FROM tombstones ORDER BY pos LIMIT ?)`);
    this.#count = db.prepare<[], number>('SELECT count(*) FROM tombstones').pluck();
    this.#kept = this.#count.get() ?? 0;
  }

  put(tombstone: Tombstone): void {
    this.#put.run(tombstone);
    this.#kept++;
    if (this.#kept <= MAX_TOMBSTONES) return;
    this.#kept = this.#count.get() ?? 0;
    const tooMany = this.#kept - MAX_TOMBSTONES;
    if (tooMany <= 0) return;
    this.dropped += this.#oldest.run(tooMany).changes;
    this.#kept = MAX_TOMBSTONES;
  }

  /** The resource is wanted there again. */
  drop(kind: Tombstone['kind'], id: string, node: string): void {
    this.#kept -= this.#drop.run(kind, id, node, ANY_NODE).changes;
  }

  /** The node has stored up to `pos`. Returns the devices it has thereby let go of. */
  passed(node: string, pos: number): readonly string[] {
    const devices = this.#passed.all(node, pos);
    this.#kept -= this.#prune.run(node, pos).changes;
    return devices;
  }

  /** Drops what every node has stored past. */
  pruneAny(): void {
    this.#kept -= this.#pruneAny.run().changes;
  }
}
