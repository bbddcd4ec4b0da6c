/**
 * Queries of a device or two, answered in the service itself: beside SQLite a process would take longer to be asked than to
 * answer. They get a share of the service's time; beyond it they go the way of all others.
 */
import type { Clock } from '@limpet/dmi';
import { QueryError, type QueryRequest } from '#protocol/query';
import type { Engine } from '../store/sql.ts';
import { Many, QueryEngine } from './engine.ts';
import { type Said, saidOf } from './query-process.ts';

/** A text that takes long to parse is not for the service. */
const LONGEST = 1_000;
const ROWS = 200;
/** Of the service's time, and what may be taken ahead of it. */
const SHARE = 0.1;
const AHEAD_MS = 100;

export class Quick {
  readonly #engine: QueryEngine;
  readonly #clock: Pick<Clock, 'now' | 'monotonic'>;
  #taken = 0;
  #at = 0;

  constructor(read: Engine['read'], clock: Pick<Clock, 'now' | 'monotonic'>) {
    this.#clock = clock;
    this.#engine = new QueryEngine({
      read,
      now: () => clock.now(),
      monotonic: () => clock.monotonic(),
      named: ROWS,
      costCeiling: Infinity,
      slowMs: Infinity,
    });
  }

  /** Undefined: it is none, or there are too many of them. */
  async ask(request: QueryRequest): Promise<Said | undefined> {
    if (request.query.length > LONGEST || this.#spent()) return undefined;
    const began = this.#clock.monotonic();
    try {
      return { kind: 'answered', answered: await this.#engine.answer(request) };
    } catch (error) {
      if (error instanceof Many) return undefined;
      if (error instanceof QueryError) return saidOf(error, request);
      throw error;
    } finally {
      this.#taken += this.#clock.monotonic() - began;
    }
  }

  #spent(): boolean {
    const now = this.#clock.monotonic();
    this.#taken = Math.max(0, this.#taken - (now - this.#at) * SHARE);
    this.#at = now;
    return this.#taken > AHEAD_MS;
  }
}
