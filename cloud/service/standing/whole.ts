/** Rows that hang on one another, being groups or ordered: looked at all together when something changed, and compared. */
import { isDeepStrictEqual } from 'node:util';
import type { RowKey, StandingEvent } from '#protocol/api';
import type { Asked, Asking, AskingParts } from './asking.ts';
import { tooManyBytes, tooManyRows } from './errors.ts';
import { ownerOfText, type Plan } from './plan.ts';
import { type Found, isTouched, lineOf, pageOf, startFor, turnOf } from './reads.ts';

/** Parts of the time that looking may take: after changes, and by the clock alone. */
const CHANGE_SHARE = 5;
const TICK_SHARE = 20;

export class WholeAsking implements Asking {
  order: readonly RowKey[] | undefined;
  readonly #parts: AskingParts;
  #since = 0;
  #stirred = true;
  /** Looks, changed or not. */
  #owed = true;
  #nextAt = 0;
  #tickAt = 0;

  constructor(parts: AskingParts) {
    this.#parts = parts;
  }

  get since(): number {
    return this.#since;
  }

  stir(): void {
    this.#stirred = true;
  }

  doubt(owners: ReadonlySet<string>): void {
    if (owners.size > 0) this.#owed = true;
  }

  due({ clocked }: Plan): number {
    if (this.#owed) return 0;
    return Math.min(this.#stirred ? this.#nextAt : Infinity, clocked ? this.#tickAt : Infinity);
  }

  async step({ plan, catalog }: Asked): Promise<readonly StandingEvent[]> {
    const { reads, tally, monotonic } = this.#parts;
    const must = this.#owed || (plan.clocked && monotonic() >= this.#tickAt);
    this.#stirred = false;
    const since = this.#since;
    const [{ version }, touched] = await reads.look(async (sql) => {
      return [await lineOf(sql), must || (await isTouched(sql, plan, since))] as const;
    });
    if (!touched) {
      this.#since = version;
      return [];
    }
    tally.scans += 1;
    const { found, last } = await reads.scan(async (sql) => {
      await turnOf(sql);
      const started = monotonic();
      const start = await startFor(sql, plan, catalog);
      const page = await pageOf(sql, plan, { catalog, limit: this.#limit(plan), start });
      this.#spent(monotonic() - started);
      return page;
    });
    this.#refuseLarge(plan, found, last !== undefined);
    const events = this.#told(plan, found, version);
    // The reader takes these first; the rest is then as it then is.
    this.#owed = events.length >= this.#most;
    if (!this.#owed) this.#since = version;
    if (!this.#owed && plan.ordered) this.#ordered(found.map(({ key }) => key));
    return events;
  }

  get #most(): number {
    return this.#parts.limits.page * 4;
  }

  #told(plan: Plan, found: readonly Found[], version: number): readonly StandingEvent[] {
    const { teller } = this.#parts;
    const here = new Set(found.map(({ text }) => text));
    const gone = [...teller.keys()].filter((text) => !here.has(text)).sort();
    const events: StandingEvent[] = [];
    for (const text of gone) {
      if (events.length >= this.#most) break;
      events.push(...teller.gone(plan, { text, owner: ownerOfText(plan, text) }, version));
    }
    for (const each of found) {
      if (events.length < this.#most) events.push(...teller.row(each, version));
    }
    return events;
  }

  /** The same list while nothing of it has changed. */
  #ordered(keys: readonly RowKey[]): void {
    if (!isDeepStrictEqual(keys, this.order)) this.order = keys;
  }

  #limit({ query }: Plan): number {
    return Math.min(query.limit ?? Infinity, this.#parts.limits.rows);
  }

  #refuseLarge({ query }: Plan, found: readonly Found[], more: boolean): void {
    const { rows, bytes } = this.#parts.limits;
    if (more && (query.limit ?? Infinity) > rows) throw tooManyRows(rows);
    let held = 0;
    for (const { row } of found) held += JSON.stringify(row).length;
    if (held > bytes) throw tooManyBytes(bytes);
  }

  #spent(ms: number): void {
    const { limits, monotonic } = this.#parts;
    const now = monotonic();
    this.#nextAt = now + Math.max(limits.wholeMs, ms * CHANGE_SHARE);
    this.#tickAt = now + Math.max(limits.tickMs, ms * TICK_SHARE);
  }
}
