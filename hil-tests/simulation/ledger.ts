/** Orders that somebody was told are taken. None may be lost, unless a newer one took its place. */
import type { Json } from '@limpet/dmi';
import type { Id } from '@limpet/dmi/manifest';

export interface Taken {
  readonly device: Id;
  readonly property: string;
  readonly rev: number;
  readonly value: Json;
  /** Whose device it was for, as far as whoever took it knew. */
  readonly node: string;
}

export class Ledger {
  readonly #taken = new Map<string, Taken>();

  take(order: Taken): void {
    const key = `${order.device}/${order.property}`;
    if ((this.#taken.get(key)?.rev ?? -1) < order.rev) this.#taken.set(key, order);
  }

  /** The device was deleted or given to another node: orders that only its former node knew go with it. */
  drop(device: Id): void {
    for (const [key, taken] of this.#taken) if (taken.device === device) this.#taken.delete(key);
  }

  /** A disk was lost: only what somebody else holds can be asked for. */
  keep(held: (order: Taken) => boolean): void {
    for (const [key, taken] of this.#taken) if (!held(taken)) this.#taken.delete(key);
  }

  all(): Iterable<Taken> {
    return this.#taken.values();
  }
}
