/** The cloud's copies of twins: what the edges last said. Rows name the node that said it. */
import type { DeviceState, Reason, Reported, Stages, Verdict } from '@limpet/dmi/manifest';
import type { Database, Statement } from 'better-sqlite3';

/** What became of the order `rev`. Times in ms since 1970, edge clock. */
export interface Judged {
  readonly rev: number;
  readonly verdict: Verdict;
  readonly reason?: Reason;
  readonly stages: Omit<Stages<number>, 'accepted'>;
}

/** The mirror of one property. */
export interface Mirror {
  readonly node: string;
  readonly reported?: Reported<number>;
  readonly judged?: Judged;
}

export interface Condition {
  readonly node: string;
  readonly state: DeviceState;
  readonly reason?: Reason;
  readonly lastSeen?: number;
}

interface Row {
  readonly node: string;
  readonly reported: string | null;
  readonly judged: string | null;
}

export class Mirrors {
  readonly #get: Statement<[string, string], Row>;
  readonly #put: Statement;
  readonly #condition: Statement;
  readonly #drop: readonly Statement[];
  readonly #strays: Statement<[string, number], number>;
  readonly #dropStrays: readonly Statement[];

  constructor(db: Database) {
    this.#get = db.prepare(
      'SELECT node, reported, judged FROM mirrors WHERE device = ? AND property = ?',
    );
    this.#put = db.prepare(`
      INSERT INTO mirrors VALUES (@device, @property, @node, @reported, @judged)
      ON CONFLICT DO UPDATE SET node = excluded.node, reported = excluded.reported, judged = excluded.judged`);
    this.#condition = db.prepare(`
      INSERT INTO conditions VALUES (@device, @node, @state, @reason, @lastSeen)
      ON CONFLICT DO UPDATE SET node = excluded.node, state = excluded.state, reason = excluded.reason,
        last_seen = excluded.last_seen`);
    this.#drop = ['mirrors', 'conditions'].map((table) =>
      db.prepare(`DELETE FROM ${table} WHERE device = ?`),
    );
    this.#strays = db
      .prepare<[string, number], number>(
        `SELECT count(*) FROM (SELECT 1 FROM mirrors WHERE node = ? AND NOT EXISTS
          (SELECT 1 FROM objects WHERE kind = 'Device' AND id = mirrors.device) LIMIT ?)`,
      )
      .pluck();
    this.#dropStrays = ['mirrors', 'conditions'].map((table) =>
      db.prepare(`DELETE FROM ${table} WHERE device = ? AND node = ? AND NOT EXISTS
        (SELECT 1 FROM objects WHERE kind = 'Device' AND id = ${table}.device AND node = ${table}.node)`),
    );
  }

  get(device: string, property: string): Mirror | undefined {
    const row = this.#get.get(device, property);
    if (!row) return undefined;
    return {
      node: row.node,
      ...(row.reported !== null && { reported: JSON.parse(row.reported) as Reported<number> }),
      ...(row.judged !== null && { judged: JSON.parse(row.judged) as Judged }),
    };
  }

  put(device: string, property: string, { node, reported, judged }: Mirror): void {
    this.#put.run({
      device,
      property,
      node,
      reported: reported === undefined ? null : JSON.stringify(reported),
      judged: judged === undefined ? null : JSON.stringify(judged),
    });
  }

  putCondition(device: string, { node, state, reason, lastSeen }: Condition): void {
    this.#condition.run({
      device,
      node,
      state,
      reason: reason === undefined ? null : JSON.stringify(reason),
      lastSeen: lastSeen ?? null,
    });
  }

  drop(device: string): void {
    for (const statement of this.#drop) statement.run(device);
  }

  /** Rows of this node about devices that the cloud does not know, counted up to `limit`. */
  strays(node: string, limit: number): number {
    return this.#strays.get(node, limit) ?? 0;
  }

  /** The node has let go of the device: what it said about it meanwhile goes too. */
  dropStrays(device: string, node: string): void {
    for (const statement of this.#dropStrays) statement.run(device, node);
  }
}
