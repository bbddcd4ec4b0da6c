/** What the store tells of its changes, so that it can be asked for the past. Everything runs inside a transaction. */
import type { Reported } from '@limpet/dmi/manifest';
import type { PastCursor, PastPage } from '#protocol';
import type { Names } from '../store/names.ts';
import { one, type Sql } from '../store/sql.ts';
import type { ConditionRow } from '../store/tables.ts';
import { History, type PastTaken, type Spot } from './history.ts';
import { Recorded } from './recorded.ts';
import { type JudgedPast, type NodePast, type ObjectPast, Revisions } from './revisions.ts';
import { type Retention, Slices } from './slices.ts';

/** What a node said of a property of its own device. */
export interface Said extends Spot {
  readonly property: string;
  /** `namespace/name`. */
  readonly model: string;
  readonly reported: Reported<number>;
  readonly before: Reported<number> | undefined;
  /** The edge's count. */
  readonly seq: number;
}

export interface PastOptions {
  readonly sql: Sql;
  readonly names: Names;
  readonly now: () => number;
  readonly retention: Retention;
}

export class Past {
  readonly #options: PastOptions;
  readonly #history: History;
  readonly #revisions: Revisions;
  readonly #recorded: Recorded;

  static async open(options: PastOptions): Promise<Past> {
    return new Past(options, await Slices.open(options.sql));
  }

  private constructor(options: PastOptions, slices: Slices) {
    const { sql, now } = options;
    this.#options = options;
    this.#history = new History(sql, slices, now);
    this.#revisions = new Revisions(sql, now);
    this.#recorded = new Recorded(sql);
  }

  /** Something was rolled back. */
  unsure(): void {
    this.#history.slices.unsure();
    this.#recorded.forget();
  }

  async object(row: ObjectPast): Promise<void> {
    if (row.kind === 'DeviceModel') this.#recorded.forget();
    await this.#revisions.object(row);
  }

  async objectGone(kind: string, n: number): Promise<void> {
    if (kind === 'DeviceModel') this.#recorded.forget();
    await this.#revisions.objectGone(n);
  }

  /** Something of a device's orders changed. */
  orders(device: string): Promise<void> {
    return this.#revisions.orders(device);
  }

  conditions(rows: readonly ConditionRow[]): Promise<void> {
    return this.#revisions.conditions(rows);
  }

  node(row: NodePast): Promise<void> {
    return this.#revisions.node(row);
  }

  nodeGone(name: string): Promise<void> {
    return this.#revisions.nodeGone(name);
  }

  async judged(rows: readonly JudgedPast[]): Promise<void> {
    const all = rows.filter(({ rev }) => rev !== null);
    if (all.length === 0) return;
    await this.#history.named(all);
    await this.#revisions.judged(all);
  }

  async said(all: readonly Said[]): Promise<void> {
    const changes = [];
    for (const { property, model, ...change } of all) {
      changes.push({ ...change, recorded: await this.#recorded.has(model, property) });
    }
    await this.#history.mirrored(changes);
  }

  /** Where the stream of a node goes on. */
  cursor(node: string): Promise<PastCursor | undefined> {
    return this.#history.cursor(node);
  }

  /** What a node recorded itself. */
  take(node: string, page: PastPage): Promise<PastTaken> {
    const devices = new Map<string, number | undefined>();
    return this.#history.take(node, page, async (device, property) => {
      if (!devices.has(device)) devices.set(device, await this.#deviceOf(node, device));
      const dev = devices.get(device);
      const prop = dev === undefined ? undefined : await this.#options.names.number(property);
      return dev === undefined || prop === undefined ? undefined : { dev, prop };
    });
  }

  /** One step of what keeps all of it within its bounds; true while there is more to do. */
  async keep(): Promise<boolean> {
    const { horizon } = this.#history.slices;
    const more = await this.#history.keep(this.#options.retention);
    const now = this.#history.slices.horizon;
    if (now !== undefined && now !== horizon) await this.#revisions.forget(now);
    return more;
  }

  /** A device that is, or once was, the node's: what was recorded then is told late. */
  async #deviceOf(node: string, device: string): Promise<number | undefined> {
    const row = await one(
      this.#options.sql.all<{ n: number }>(
        `SELECT n FROM objects_past WHERE id = $1 AND kind = 'Device' AND node = $2 ORDER BY until DESC LIMIT 1`,
        device,
        node,
      ),
    );
    return row?.n;
  }
}
