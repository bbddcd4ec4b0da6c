/** Desired values: one row per device and property; a withdrawn one stays as `null`, so that its rev still counts. */
import type { Json } from '@limpet/dmi';
import { canonical } from '#protocol/query';
import type { Past } from '../history/past.ts';
import type { Sql } from './sql.ts';
import { DESIRED, type DesiredRow } from './tables.ts';
import { ANY_NODE } from './tombstones.ts';

/** One order. Times in ms since 1970; see tables.ts for rev and pos. */
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

export class DesiredValues {
  readonly #sql: Sql;
  readonly #past: Past | undefined;

  constructor(sql: Sql, past?: Past) {
    this.#sql = sql;
    this.#past = past;
  }

  async get(device: string, property: string): Promise<Order | undefined> {
    const [row] = await this.#sql.find(DESIRED, [[device, property]]);
    return row && orderOf(row);
  }

  async of(device: string): Promise<readonly Order[]> {
    const rows = await this.#sql.all<DesiredRow>(
      'SELECT * FROM desired WHERE device = $1 ORDER BY property',
      device,
    );
    return rows.map((row) => orderOf(row));
  }

  /** Those of these (device, property) that have one. */
  async many(keys: readonly (readonly [string, string])[]): Promise<readonly Order[]> {
    return (await this.#sql.find(DESIRED, keys)).map((row) => orderOf(row));
  }

  async put(order: Order): Promise<void> {
    const { device, property, node, value, rev, pos, accepted, expires = null } = order;
    const row = { device, property, node, value: canonical(value), rev, pos, accepted, expires };
    await this.#sql.put(DESIRED, [row]);
    await this.#past?.orders(device);
  }

  /**
   * The device is gone as of `rev`: of what was ordered before, or is still brought by an edge, nothing counts. Orders
   * that were taken later, before an edge told of the deletion, stay for whoever brings the device back.
   */
  async withdraw(device: string, rev: number, accepted: number): Promise<void> {
    await this.#sql.run(
      `UPDATE desired SET value = 'null', rev = $1, accepted = $2, expires = NULL
        WHERE device = $3 AND rev <= $4`,
      rev,
      accepted,
      device,
      rev,
    );
    await this.#sql.run(
      `UPDATE desired SET node = '${ANY_NODE}' WHERE device = $1 AND rev > $2`,
      device,
      rev,
    );
    await this.#past?.orders(device);
  }

  async move(device: string, node: string): Promise<void> {
    await this.#sql.run('UPDATE desired SET node = $1 WHERE device = $2', node, device);
    await this.#past?.orders(device);
  }

  /** What other nodes wanted of a device before anybody declared it. `kept`: orders without a node stay. */
  async dropForeign(device: string, node: string, kept: 'kept' | 'dropped'): Promise<void> {
    await this.#sql.run(
      `DELETE FROM desired WHERE device = $1 AND node NOT IN ($2, $3) AND value <> 'null'`,
      device,
      node,
      kept === 'kept' ? ANY_NODE : node,
    );
    await this.#past?.orders(device);
  }

  async drop(device: string): Promise<void> {
    await this.#sql.run('DELETE FROM desired WHERE device = $1', device);
    await this.#past?.orders(device);
  }
}

export function orderOf({ value, expires, ...row }: DesiredRow): Order {
  const { device, property, node, rev, pos, accepted } = row;
  const order = { device, property, node, rev, pos, accepted };
  return { ...order, value: JSON.parse(value) as Json, ...(expires !== null && { expires }) };
}
