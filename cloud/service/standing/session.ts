/**
 * One standing query and the one reader that it has, has had or may have again. Each step reads a little and says what the
 * reader has to be told. Knows no socket and no timer: `due` says when a step makes sense.
 */
import { randomBytes } from 'node:crypto';
import type { ResetReason, RowKey, StandingEvent } from '#protocol/api';
import type { SqlCatalog } from '#protocol/query';
import type { Asking } from './asking.ts';
import type { Cursor } from './cursor.ts';
import type { StandingLimits } from './limits.ts';
import { type Plan, planOf, type SelectTree } from './plan.ts';
import type { StandingReads } from './reads.ts';
import { RowsAsking } from './rows.ts';
import { type StandingTally, Teller } from './teller.ts';
import { WholeAsking } from './whole.ts';

export interface SessionParts {
  readonly reads: StandingReads;
  readonly limits: StandingLimits;
  readonly tally: StandingTally;
  /** ms since 1970. */
  readonly now: () => number;
  readonly monotonic: () => number;
  readonly makeRoom: () => void;
}

export interface SessionAsked {
  readonly query: string;
  readonly tree: SelectTree;
  readonly cursor?: Cursor | undefined;
}

export class Session {
  readonly id = randomBytes(9).toString('base64url');
  readonly query: string;
  readonly #tree: SelectTree;
  readonly #parts: SessionParts;
  readonly #teller: Teller;
  #asking: Asking | undefined;
  #plan: Plan | undefined;
  #catalog: SqlCatalog | undefined;
  /** Where the reader of a session that is not known stands: nothing is told until it is clear whether anything differs. */
  #proving: Cursor | undefined;
  #reset: ResetReason | undefined;
  #bookmark: 'owed' | 'said' = 'owed';
  #orderTold: readonly RowKey[] | undefined;
  #running: Promise<readonly StandingEvent[]> | undefined;

  /** Begins anew, or where a forgotten session left its reader. */
  constructor(asked: SessionAsked, parts: SessionParts) {
    const { limits, tally, makeRoom } = parts;
    this.query = asked.query;
    this.#tree = asked.tree;
    this.#proving = asked.cursor;
    this.#reset = asked.cursor === undefined ? 'start' : undefined;
    this.#parts = parts;
    this.#teller = new Teller({ session: this.id, query: this.query, limits, tally, makeRoom });
  }

  /** Rows that the reader has. */
  get size(): number {
    return this.#teller.size;
  }

  /** @throws QueryError */
  async open(): Promise<void> {
    this.#planned(await this.#parts.reads.catalog());
  }

  /** The reader comes back. */
  async resume(cursor: Cursor): Promise<void> {
    // What the connection before was about to be told is told to nobody.
    await this.idle();
    this.owe();
    this.#asking?.stir();
    this.#orderTold = undefined;
    // Whoever was about to be told to begin anew still is.
    if (this.#reset !== undefined) return;
    const doubt = this.#proving === undefined ? this.#teller.rewind(cursor) : undefined;
    if (doubt !== undefined) this.#asking?.doubt(doubt);
    else this.#reset = 'forgotten';
  }

  /** Nothing is being read. */
  async idle(): Promise<void> {
    await this.#running?.catch(() => undefined);
  }

  /** Something may have changed. */
  stir(): void {
    this.#asking?.stir();
  }

  /** The reader is to hear that it has everything, changed or not. */
  owe(): void {
    this.#bookmark = 'owed';
  }

  /** Lets go of what it holds. */
  end(): void {
    this.#teller.end();
  }

  /** When, by the monotonic clock, a step makes sense. */
  due(): number {
    const sure = this.#reset === undefined && this.#proving === undefined;
    if (!sure || this.#owesBookmark() || !this.#asking || !this.#plan) return 0;
    return this.#asking.due(this.#plan);
  }

  /** What the reader has to be told next; nothing: see `due`. @throws ApiError, QueryError */
  step(): Promise<readonly StandingEvent[]> {
    this.#running = this.#step();
    return this.#running;
  }

  async #step(): Promise<readonly StandingEvent[]> {
    const catalog = await this.#parts.reads.catalog();
    const plan = this.#planned(catalog);
    if (this.#reset !== undefined) return [this.#begin(plan, this.#reset)];
    this.#asking ??= this.#askingFor(plan);
    if (this.#asking.due(plan) <= this.#parts.monotonic()) {
      const events = await this.#asking.step({ plan, catalog });
      return this.#proving === undefined ? events : [];
    }
    if (this.#proving !== undefined) this.#prove(this.#proving);
    return this.#reset === undefined && this.#owesBookmark() ? [this.#sayBookmark()] : [];
  }

  #planned(catalog: SqlCatalog): Plan {
    const known = this.#plan;
    if (known !== undefined && catalog === this.#catalog && !known.clocked) return known;
    const plan = planOf(this.#tree, this.query, { catalog, now: this.#parts.now() });
    if (known !== undefined && JSON.stringify(known.columns) !== JSON.stringify(plan.columns)) {
      this.#reset ??= 'columns';
    }
    [this.#plan, this.#catalog] = [plan, catalog];
    return plan;
  }

  #begin(plan: Plan, reason: ResetReason): StandingEvent {
    this.#reset = undefined;
    this.#proving = undefined;
    this.#orderTold = undefined;
    this.#asking = this.#askingFor(plan);
    this.owe();
    return this.#teller.reset(reason, plan, 0);
  }

  #askingFor({ mode }: Plan): Asking {
    const { reads, limits, tally, monotonic } = this.#parts;
    const parts = { reads, limits, tally, monotonic, teller: this.#teller };
    return mode === 'rows' ? new RowsAsking(parts) : new WholeAsking(parts);
  }

  #prove(cursor: Cursor): void {
    this.#proving = undefined;
    if (this.#teller.agrees(cursor)) this.#teller.settle();
    else this.#reset = 'forgotten';
  }

  #owesBookmark(): boolean {
    return this.#bookmark === 'owed' || this.#asking?.order !== this.#orderTold;
  }

  #sayBookmark(): StandingEvent {
    const order = this.#asking?.order;
    const moved = order !== this.#orderTold;
    this.#bookmark = 'said';
    this.#orderTold = order;
    return this.#teller.bookmark(this.#asking?.since ?? 0, moved ? order : undefined);
  }
}
