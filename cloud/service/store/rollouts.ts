/** Rollouts: what each is to do, how far it has come, and what became of each of its devices. */
import type { Json } from '@limpet/dmi';
import type {
  OutcomeState,
  Reason,
  RolloutCounts,
  RolloutPhase,
  RolloutStatus,
  Stages,
} from '@limpet/dmi/manifest';
import { one, type Sql } from './sql.ts';
import { ROLLOUT_DEVICES, type RolloutDeviceRow, type RolloutRow, ROLLOUTS } from './tables.ts';

/** What a rollout is to do: its spec, read and completed. Times in ms. */
export interface Terms {
  /** Always a whole UPDATE, and so the only thing that says which devices. */
  readonly query: string;
  /** In their exact form; null withdraws. */
  readonly set: { readonly [property: string]: Json };
  readonly canary: number | { readonly percent: number };
  readonly batch: number;
  readonly maxFailures: number;
  readonly timeoutMs: number;
  readonly expiresMs?: number;
  readonly withdraw: boolean;
  readonly paused: boolean;
  readonly revert: boolean;
}

/** How far it has come. Times in ms since 1970. */
export interface Progress {
  readonly phase: RolloutPhase;
  readonly reason?: Reason;
  readonly counts: RolloutCounts;
  /** All devices are written down. */
  readonly chosen: boolean;
  /** While devices are written down: the last one's id. */
  readonly last: string;
  /** While it is reverted: up to which place. */
  readonly reverted: number;
  /** -1 before the first; 0 is the canary. */
  readonly batch: number;
  /** Devices of the batch that are still to be told. */
  readonly left: number;
  readonly forgiven: number;
  readonly started: number;
  readonly ended?: number;
}

export interface Held {
  readonly n: number;
  readonly id: string;
  readonly terms: Terms;
  readonly progress: Progress;
}

/** What was desired of a property before. */
export interface Was {
  readonly value: Json;
  readonly rev: number;
  readonly expires?: number;
}

/** `own`: placed by the rollout; otherwise it stood already and was as good. */
export interface Placed {
  readonly rev: number;
  readonly own: boolean;
}

export type ByProperty<T> = { readonly [property: string]: T };

export interface RolloutDevice {
  readonly rollout: number;
  readonly place: number;
  readonly dev: number;
  readonly device: string;
  readonly state: OutcomeState;
  readonly batch?: number;
  readonly code?: string;
  readonly message?: string;
  readonly was: ByProperty<Was>;
  readonly orders?: ByProperty<Placed>;
  readonly stages?: ByProperty<Stages<number>>;
  readonly sent?: number;
}

export class Rollouts {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  async get(n: number): Promise<Held | undefined> {
    const [row] = await this.#sql.find(ROLLOUTS, [[n]]);
    return row && heldOf(row);
  }

  /** `active`: there is something to do. */
  async put({ n, id, terms, progress }: Held, active: boolean): Promise<void> {
    await this.#sql.put(ROLLOUTS, [
      {
        n,
        id,
        active: Number(active),
        total: progress.counts.total,
        ended: progress.ended ?? null,
        terms: JSON.stringify(terms),
        progress: JSON.stringify(progress),
      },
    ]);
  }

  /** The object is gone: what is left is to be removed. */
  async abandon(n: number): Promise<void> {
    await this.#sql.run('UPDATE rollouts SET active = 1, ended = 0 WHERE n = $1', n);
  }

  async drop(n: number): Promise<void> {
    await this.#sql.run('DELETE FROM rollouts WHERE n = $1', n);
  }

  /** Those with something to do. */
  async active(): Promise<readonly number[]> {
    const text = 'SELECT n FROM rollouts WHERE active = 1 ORDER BY n';
    return (await this.#sql.all<{ n: number }>(text)).map(({ n }) => n);
  }

  /** How many have not ended. */
  async unfinished(): Promise<number> {
    const text = 'SELECT count(*) count FROM rollouts WHERE ended IS NULL';
    return (await one(this.#sql.all<{ count: number }>(text)))?.count ?? 0;
  }

  /** Those that have ended, the latest first, up to `limit`. */
  finished(limit: number): Promise<readonly Pick<RolloutRow, 'n' | 'id' | 'total'>[]> {
    const text = `SELECT n, id, total FROM rollouts WHERE ended > 0 ORDER BY ended DESC, n DESC LIMIT $1`;
    return this.#sql.all(text, limit);
  }

  async putDevices(devices: readonly RolloutDevice[]): Promise<void> {
    await this.#sql.put(
      ROLLOUT_DEVICES,
      devices.map((device) => rowOf(device)),
    );
  }

  /** The devices at these places, in no order. */
  async at(n: number, places: readonly number[]): Promise<readonly RolloutDevice[]> {
    const keys = places.map((place) => [n, place]);
    return (await this.#sql.find(ROLLOUT_DEVICES, keys)).map((row) => deviceOf(row));
  }

  /** The first `limit` in this state, in order of place. */
  inState(n: number, state: OutcomeState, limit: number): Promise<readonly RolloutDevice[]> {
    return this.#devices(
      'SELECT * FROM rollout_devices WHERE rollout = $1 AND state = $2 ORDER BY place LIMIT $3',
      n,
      state,
      limit,
    );
  }

  /** The next `limit` after a place; in this state, if it is given. */
  page(n: number, after: number, limit: number, state?: OutcomeState) {
    const text = (where: string): string =>
      `SELECT * FROM rollout_devices WHERE rollout = $1 AND place > $2 ${where} ORDER BY place LIMIT $3`;
    if (state === undefined) return this.#devices(text(''), n, after, limit);
    return this.#devices(text('AND state = $4'), n, after, limit, state);
  }

  /** The next `limit` after a place for which something is ordered. */
  ordered(n: number, after: number, limit: number): Promise<readonly RolloutDevice[]> {
    return this.#devices(
      `SELECT * FROM rollout_devices WHERE rollout = $1 AND place > $2 AND orders IS NOT NULL
        ORDER BY place LIMIT $3`,
      n,
      after,
      limit,
    );
  }

  /** Removes some devices of a rollout. How many it were. */
  clear(n: number, limit: number): Promise<number> {
    const text = `DELETE FROM rollout_devices WHERE rollout = $1 AND place <=
      (SELECT coalesce(min(place), 0) FROM rollout_devices WHERE rollout = $1) + $2`;
    return this.#sql.change(text, n, limit - 1);
  }

  async #devices(text: string, ...values: readonly (string | number)[]) {
    const rows = await this.#sql.all<RolloutDeviceRow>(text, ...values);
    return rows.map((row) => deviceOf(row));
  }
}

/** What the API shows of it. */
export function statusOf(text: string): RolloutStatus {
  const { phase, reason, counts, batch, forgiven, started, ended } = JSON.parse(text) as Progress;
  return {
    phase,
    ...(reason && { reason }),
    counts,
    ...(batch >= 0 && { batch }),
    ...(forgiven > 0 && { forgiven }),
    started: new Date(started).toISOString(),
    ...(ended !== undefined && { ended: new Date(ended).toISOString() }),
  };
}

function heldOf({ n, id, terms, progress }: RolloutRow): Held {
  return { n, id, terms: JSON.parse(terms) as Terms, progress: JSON.parse(progress) as Progress };
}

function rowOf(device: RolloutDevice): RolloutDeviceRow {
  const { rollout, place, dev, device: id, state, was, orders, stages } = device;
  const { batch = null, code = null, message = null, sent = null } = device;
  return {
    rollout,
    place,
    dev,
    device: id,
    state,
    batch,
    code,
    message,
    sent,
    was: JSON.stringify(was),
    orders: orders === undefined ? null : JSON.stringify(orders),
    stages: stages === undefined ? null : JSON.stringify(stages),
  };
}

function deviceOf(row: RolloutDeviceRow): RolloutDevice {
  const { rollout, place, dev, device, batch, code, message, orders, stages, sent } = row;
  return {
    rollout,
    place,
    dev,
    device,
    state: row.state as OutcomeState,
    was: JSON.parse(row.was) as ByProperty<Was>,
    ...(batch !== null && { batch }),
    ...(code !== null && { code }),
    ...(message !== null && { message }),
    ...(orders !== null && { orders: JSON.parse(orders) as ByProperty<Placed> }),
    ...(stages !== null && { stages: JSON.parse(stages) as ByProperty<Stages<number>> }),
    ...(sent !== null && { sent }),
  };
}
