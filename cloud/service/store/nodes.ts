/** What the cloud knows of each node: facts, and how far its two streams have come. */
import type { NodeFacts } from '@limpet/dmi/manifest';
import type { Database, Statement } from 'better-sqlite3';

export interface NodeState {
  readonly name: string;
  readonly state: 'online' | 'offline';
  /** ms since 1970, cloud clock. */
  readonly lastSeen: number;
  readonly facts: NodeFacts;
  readonly epoch: string;
  /** Of this epoch's state rows everything up to here is on disk. */
  readonly seq: number;
  /** The edge has everything wanted up to this position on disk. */
  readonly stored: number;
}

interface Row {
  readonly name: string;
  readonly state: NodeState['state'];
  readonly last_seen: number;
  readonly facts: string;
  readonly epoch: string;
  readonly seq: number;
  readonly stored: number;
}

export class Nodes {
  readonly #get: Statement<[string], Row>;
  readonly #put: Statement;
  readonly #progress: Statement;
  readonly #stored: Statement;
  readonly #online: Statement<[], string>;
  readonly #drop: Statement;

  constructor(db: Database) {
    this.#get = db.prepare('SELECT * FROM nodes WHERE name = ?');
    this.#put = db.prepare(
      'INSERT OR REPLACE INTO nodes VALUES (@name, @state, @lastSeen, @facts, @epoch, @seq, @stored)',
    );
    this.#progress = db.prepare('UPDATE nodes SET seq = ?, last_seen = ? WHERE name = ?');
    this.#stored = db.prepare('UPDATE nodes SET stored = ?, last_seen = ? WHERE name = ?');
    this.#online = db
      .prepare<[], string>(`SELECT name FROM nodes WHERE state = 'online' ORDER BY name`)
      .pluck();
    this.#drop = db.prepare('DELETE FROM nodes WHERE name = ?');
  }

  get(name: string): NodeState | undefined {
    const row = this.#get.get(name);
    if (!row) return undefined;
    const { last_seen: lastSeen, facts, ...rest } = row;
    return { ...rest, lastSeen, facts: JSON.parse(facts) as NodeFacts };
  }

  put(node: NodeState): void {
    this.#put.run({ ...node, facts: JSON.stringify(node.facts) });
  }

  progress(name: string, seq: number, lastSeen: number): void {
    this.#progress.run(seq, lastSeen, name);
  }

  stored(name: string, pos: number, lastSeen: number): void {
    this.#stored.run(pos, lastSeen, name);
  }

  online(): readonly string[] {
    return this.#online.all();
  }

  drop(name: string): void {
    this.#drop.run(name);
  }
}
