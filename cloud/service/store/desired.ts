/** Desired values: one row per device and property; a withdrawn one stays as `null`, so that its rev still counts. */
import type { Json } from '@limpet/dmi';
import type { Database, Statement } from 'better-sqlite3';
import { ANY_NODE } from './tombstones.ts';

/** One order. Times in ms since 1970; see schema.ts for rev and pos. */
export interface Order {
  readonly device: string;
  readonly property: string;
  /** The node that is to carry it out; `*` while the device is gone: whichever gets it. */
  readonly node: string;
  readonly value: Json;
  readonly rev: number;
  readonly pos: number;
  readonly accepted: number;
  readonly expires?: number;
}

interface Row {
  readonly device: string;
  readonly property: string;
  readonly node: string;
  readonly value: string;
  readonly rev: number;
  readonly pos: number;
  readonly accepted: number;
  readonly expires: number | null;
}

export class DesiredValues {
  readonly #get: Statement<[string, string], Row>;
  readonly #all: Statement<[string], Row>;
  readonly #put: Statement;
  readonly #withdraw: Statement;
  readonly #keepNewer: Statement;
  readonly #move: Statement;
  readonly #drop: Statement;
  readonly #dropForeign: Statement;
  readonly #count: Statement<[string], number>;

  constructor(db: Database) {
    this.#get = db.prepare('SELECT * FROM desired WHERE device = ? AND property = ?');
    this.#all = db.prepare('SELECT * FROM desired WHERE device = ? ORDER BY property');
    this.#put = db.prepare(
      'INSERT OR REPLACE INTO desired VALUES (@device, @property, @node, @value, @rev, @pos, @accepted, @expires)',
    );
    this.#withdraw = db.prepare(
      `UPDATE desired SET value = 'null', rev = @rev, accepted = @accepted, expires = NULL
        WHERE device = @device AND rev <= @rev`,
    );
    this.#keepNewer = db.prepare(
      `UPDATE desired SET node = '${ANY_NODE}' WHERE device = ? AND rev > ?`,
    );
    this.#move = db.prepare('UPDATE desired SET node = ? WHERE device = ?');
    this.#drop = db.prepare('DELETE FROM desired WHERE device = ?');
    this.#dropForeign = db.prepare(
      `DELETE FROM desired WHERE device = ? AND node NOT IN (?, ?) AND value <> 'null'`,
    );
    this.#count = db
      .prepare<[string], number>('SELECT count(*) FROM desired WHERE device = ?')
      .pluck();
  }

  get(device: string, property: string): Order | undefined {
    const row = this.#get.get(device, property);
    return row && fromRow(row);
  }

  of(device: string): readonly Order[] {
    return this.#all.all(device).map((row) => fromRow(row));
  }

  put(order: Order): void {
    this.#put.run({ ...order, value: JSON.stringify(order.value), expires: order.expires ?? null });
  }

  /**
   * The device is gone as of `rev`: of what was ordered before, or is still brought by an edge, nothing counts. Orders
   * that were taken later, before an edge told of the deletion, stay for whoever brings the device back.
   */
  withdraw(device: string, rev: number, accepted: number): void {
    this.#withdraw.run({ device, rev, accepted });
    this.#keepNewer.run(device, rev);
  }

  move(device: string, node: string): void {
    this.#move.run(node, device);
  }

  /** Rows of the device, withdrawn ones included. */
  count(device: string): number {
    return this.#count.get(device) ?? 0;
  }

  /** What other nodes wanted of a device before anybody declared it. `kept`: orders without a node stay. */
  dropForeign(device: string, node: string, kept: 'kept' | 'dropped'): void {
    this.#dropForeign.run(device, node, kept === 'kept' ? ANY_NODE : node);
  }

  drop(device: string): void {
    this.#drop.run(device);
  }
}

function fromRow({ value, expires, ...row }: Row): Order {
  return { ...row, value: JSON.parse(value) as Json, ...(expires !== null && { expires }) };
}
