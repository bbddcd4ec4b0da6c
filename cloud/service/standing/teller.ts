/** Makes events of rows: what its reader has not been told yet, each with the cursor to come back with. */
import type { ResetReason, RowKey, StandingEvent } from '#protocol/api';
import { type Cursor, markOf, writeCursor } from './cursor.ts';
import { tooManyHeld, tooManyRows } from './errors.ts';
import type { StandingLimits } from './limits.ts';
import { keyOfText, type Plan } from './plan.ts';
import type { Found } from './reads.ts';
import { Told } from './told.ts';

/** Of all sessions together. All but `rows` since the start of the service. */
export interface StandingTally {
  /** That all sessions hold. */
  rows: number;
  events: number;
  resets: number;
  /** Looks at what changed. */
  looks: number;
  /** Looks at all rows. */
  scans: number;
}

export interface TellerOptions {
  readonly session: string;
  readonly query: string;
  readonly limits: StandingLimits;
  readonly tally: StandingTally;
  /** Lets go of what others hold, as far as it may. */
  readonly makeRoom: () => void;
}

export class Teller {
  readonly #options: TellerOptions;
  readonly #told: Told;
  readonly #mark: string;
  #ended = false;

  constructor(options: TellerOptions) {
    this.#options = options;
    this.#told = new Told(options.limits.undo);
    this.#mark = markOf(options.query);
  }

  get size(): number {
    return this.#told.size;
  }

  /** Keys of all rows that the reader has, as text. */
  keys(): Iterable<string> {
    return this.#told.keys();
  }

  /** The same of one owner's. */
  keysOf(owner: string): readonly string[] {
    return this.#told.of(owner);
  }

  /** A row as it is. @throws ApiError */
  row({ text, owner, digest, key, row }: Found, version: number): readonly StandingEvent[] {
    const type = this.#ended ? undefined : this.#told.offer({ key: text, owner, digest });
    if (type === undefined || type === 'leave') return [];
    if (type === 'enter') this.#entered();
    return [{ type, ...this.#at(version), key, row }];
  }

  /** A row that is not. */
  gone(
    plan: Plan,
    { text, owner }: Pick<Found, 'text' | 'owner'>,
    version: number,
  ): readonly StandingEvent[] {
    const type = this.#told.offer({ key: text, owner, digest: undefined });
    if (type !== 'leave') return [];
    this.#options.tally.rows -= 1;
    const key = keyOfText(plan, text);
    return [{ type, ...this.#at(version), key }];
  }

  bookmark(version: number, order: readonly RowKey[] | undefined): StandingEvent {
    return { type: 'bookmark', ...this.#at(version), ...(order && { order }) };
  }

  reset(reason: ResetReason, { columns }: Plan, version: number): StandingEvent {
    this.clear();
    this.#options.tally.resets += 1;
    return { type: 'reset', ...this.#at(version), reason, columns };
  }

  /** The reader has nothing. */
  clear(): void {
    this.#options.tally.rows -= this.#told.size;
    this.#told.clear();
  }

  /** The reader is told nothing more. */
  end(): void {
    this.clear();
    this.#ended = true;
  }

  /** Whether the reader that stands there has what it has been told. */
  agrees({ rows, digest }: Cursor): boolean {
    return this.#told.size === rows && this.#told.digest === digest;
  }

  /** What was told until now is what the reader has. */
  settle(): void {
    this.#told.settle();
  }

  /** Whose rows are in doubt, for the reader got no further; undefined: it is to begin anew. */
  rewind(cursor: Cursor): ReadonlySet<string> | undefined {
    const before = this.#told.size;
    const owners = this.#told.rewind(cursor.seq);
    this.#options.tally.rows += this.#told.size - before;
    return this.agrees(cursor) ? owners : undefined;
  }

  #entered(): void {
    const { limits, tally, makeRoom } = this.#options;
    tally.rows += 1;
    if (this.#told.size > limits.rows) throw tooManyRows(limits.rows);
    if (tally.rows > limits.allRows) makeRoom();
    if (tally.rows > limits.allRows) throw tooManyHeld(limits.allRows);
  }

  #at(version: number): { readonly cursor: string; readonly version: string } {
    const { session, tally } = this.#options;
    const { seq, size: rows, digest } = this.#told;
    tally.events += 1;
    return {
      cursor: writeCursor({ session, seq, rows, digest }, this.#mark),
      version: String(version),
    };
  }
}
