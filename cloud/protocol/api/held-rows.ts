/**
 * The rows of a standing query as a reader holds them, over any number of connections: what a server that has forgotten its
 * reader tells anew is compared with them, so that nobody sees a row come twice or go unseen. Pure.
 */
import type { Json } from '@limpet/dmi';
import type { Column } from '../query/typed.ts';
import { canonical } from '../query/value.ts';
import type { RowKey, StandingEvent } from './standing.ts';

/** `was`: the values before. */
export type RowChange =
  | { readonly type: 'enter'; readonly key: RowKey; readonly row: readonly Json[] }
  | {
      readonly type: 'update';
      readonly key: RowKey;
      readonly row: readonly Json[];
      readonly was: readonly Json[];
    }
  | { readonly type: 'leave'; readonly key: RowKey; readonly was: readonly Json[] };

export interface HeldRow {
  readonly key: RowKey;
  readonly row: readonly Json[];
}

export class HeldRows {
  readonly #rows = new Map<string, HeldRow>();
  /** Since a reset: what has not been told again. */
  #unsure: Set<string> | undefined;
  #order: readonly RowKey[] | undefined;
  columns: readonly Column[] = [];
  /** To come back with; undefined: nothing was heard yet. */
  cursor: string | undefined;

  get size(): number {
    return this.#rows.size;
  }

  /** In the order that the query asks for; without one, in that in which they came. */
  *rows(): Iterable<HeldRow> {
    if (this.#order === undefined) {
      yield* this.#rows.values();
      return;
    }
    for (const key of this.#order) {
      const held = this.#rows.get(JSON.stringify(key));
      if (held !== undefined) yield held;
    }
  }

  /** What is different by this event. */
  take(event: StandingEvent): readonly RowChange[] {
    if (event.type === 'error') return [];
    this.cursor = event.cursor;
    switch (event.type) {
      case 'reset':
        this.columns = event.columns;
        this.#order = undefined;
        this.#unsure = new Set(this.#rows.keys());
        return [];
      case 'enter':
      case 'update':
        return this.#hold({ key: event.key, row: event.row });
      case 'leave':
        return this.#drop(JSON.stringify(event.key));
      case 'bookmark':
        this.#order = event.order ?? this.#order;
        return this.#sure();
    }
  }

  #hold(held: HeldRow): readonly RowChange[] {
    const text = JSON.stringify(held.key);
    const was = this.#rows.get(text)?.row;
    this.#unsure?.delete(text);
    this.#rows.set(text, held);
    if (was === undefined) return [{ type: 'enter', ...held }];
    return canonical(was) === canonical(held.row) ? [] : [{ type: 'update', ...held, was }];
  }

  #drop(text: string): readonly RowChange[] {
    const held = this.#rows.get(text);
    this.#unsure?.delete(text);
    this.#rows.delete(text);
    return held === undefined ? [] : [{ type: 'leave', key: held.key, was: held.row }];
  }

  #sure(): readonly RowChange[] {
    const gone = [...(this.#unsure ?? [])].flatMap((text) => this.#drop(text));
    this.#unsure = undefined;
    return gone;
  }
}
