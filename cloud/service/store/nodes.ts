/** What the cloud knows of each node: facts, and how far its two streams have come. */
import type { NodeFacts } from '@limpet/dmi/manifest';
import type { Past } from '../history/past.ts';
import { one, type Sql } from './sql.ts';
import { type NodeRow, NODES, PROGRESS, type ProgressRow } from './tables.ts';

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

/** How far a node has come. */
export interface Progress {
  readonly node: string;
  readonly seq: number;
  readonly lastSeen: number;
}

export class Nodes {
  readonly #sql: Sql;
  readonly #past: Past | undefined;

  constructor(sql: Sql, past?: Past) {
    this.#sql = sql;
    this.#past = past;
  }

  async get(name: string): Promise<NodeState | undefined> {
    const row = await one(
      this.#sql.all<NodeRow & ProgressRow>(
        'SELECT n.*, p.seq, p.last_seen FROM nodes n JOIN progress p ON p.node = n.name WHERE n.name = $1',
        name,
      ),
    );
    if (!row) return undefined;
    const { epoch, seq, stored, last_seen: lastSeen } = row;
    const state = row.state as NodeState['state'];
    return { name, state, epoch, seq, stored, lastSeen, facts: JSON.parse(row.facts) as NodeFacts };
  }

  async put({ name, state, lastSeen, facts, epoch, seq, stored }: NodeState): Promise<void> {
    const text = JSON.stringify(facts);
    await this.#sql.put(NODES, [{ name, state, facts: text, epoch, stored }]);
    await this.#past?.node({ name, state, facts: text, last_seen: lastSeen });
    await this.progress([{ node: name, seq, lastSeen }]);
  }

  async progress(progress: readonly Progress[]): Promise<void> {
    await this.#sql.put(
      PROGRESS,
      progress.map(({ node, seq, lastSeen }) => ({ node, seq, last_seen: lastSeen })),
    );
  }

  async stored(name: string, pos: number, lastSeen: number): Promise<void> {
    await this.#sql.run('UPDATE nodes SET stored = $1 WHERE name = $2', pos, name);
    await this.#sql.run('UPDATE progress SET last_seen = $1 WHERE node = $2', lastSeen, name);
  }

  async online(): Promise<readonly string[]> {
    const text = `SELECT name FROM nodes WHERE state = 'online' ORDER BY name`;
    return (await this.#sql.all<{ name: string }>(text)).map(({ name }) => name);
  }

  async drop(name: string): Promise<void> {
    await this.#sql.run('DELETE FROM nodes WHERE name = $1', name);
    await this.#sql.run('DELETE FROM progress WHERE node = $1', name);
    await this.#past?.nodeGone(name);
  }
}
