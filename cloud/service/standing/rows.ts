/**
 * Rows each of which hangs on one device, node or model: after a first walk over all, only what a commit touched is looked at
 * again. What comes and goes by time alone is found by another walk, from time to time.
 */
import type { StandingEvent } from '#protocol/api';
import type { Candidate, Keys } from '#protocol/query';
import type { Asked, Asking, AskingParts } from './asking.ts';
import { ownerOfText, type Plan } from './plan.ts';
import {
  type Cause,
  lineOf,
  pageOf,
  rowsOf,
  startFor,
  turnOf,
  type Touched,
  touchedSince,
} from './reads.ts';

/** A walk over all rows, by pages. `unseen`: what the reader has and the walk has not come upon. */
interface Walk {
  readonly version: number;
  readonly unseen: Set<string>;
  after: Keys | undefined;
  /** Undefined: not decided yet. */
  start: { readonly at: Candidate | undefined } | undefined;
  spentMs: number;
}

/** Pages of a walk are so much larger than those of what changed. */
const WALK_PAGE = 4;
/** Part of the time that walks may take. */
const WALK_SHARE = 20;

export class RowsAsking implements Asking {
  readonly order = undefined;
  readonly #parts: AskingParts;
  #since = 0;
  #stirred = true;
  #behind = false;
  #doubt = new Set<string>();
  #walk: Walk | undefined;
  /** A walk is needed whatever the clock says. */
  #walkOwed = true;
  #walkAt = 0;
  #lookAt = 0;

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
    for (const owner of owners) this.#doubt.add(owner);
  }

  due({ clocked }: Plan): number {
    if (this.#walk !== undefined) return 0;
    // Until then, what changed is of no concern.
    if (this.#walkOwed) return this.#walkAt;
    if (this.#doubt.size > 0 || this.#behind) return 0;
    return Math.min(clocked ? this.#walkAt : Infinity, this.#stirred ? this.#lookAt : Infinity);
  }

  async step(asked: Asked): Promise<readonly StandingEvent[]> {
    if (this.#walk !== undefined) return this.#walkOn(asked, this.#walk);
    const late = this.#parts.monotonic() >= this.#walkAt;
    if (this.#walkOwed || (asked.plan.clocked && late)) return late ? this.#beginWalk() : [];
    return this.#look(asked);
  }

  async #beginWalk(): Promise<readonly StandingEvent[]> {
    const { reads, teller, tally } = this.#parts;
    tally.scans += 1;
    this.#stirred = false;
    const { version } = await reads.look((sql) => lineOf(sql));
    const unseen = new Set(teller.keys());
    this.#walk = { version, unseen, after: undefined, start: undefined, spentMs: 0 };
    this.#walkOwed = false;
    return [];
  }

  /** What changes meanwhile is looked at after the walk. */
  async #walkOn({ plan, catalog }: Asked, walk: Walk): Promise<readonly StandingEvent[]> {
    const { reads, limits, teller, monotonic } = this.#parts;
    const { after } = walk;
    const { found, last } = await reads.scan(async (sql) => {
      await turnOf(sql);
      const started = monotonic();
      walk.start ??= { at: await startFor(sql, plan, catalog) };
      const start = walk.start.at;
      const limit = limits.page * WALK_PAGE;
      const page = await pageOf(sql, plan, { catalog, limit, after, start });
      walk.spentMs += monotonic() - started;
      return page;
    });
    walk.after = last;
    const events = found.flatMap((each) => {
      walk.unseen.delete(each.text);
      return teller.row(each, walk.version);
    });
    if (last === undefined) this.#endWalk(plan, walk);
    return events;
  }

  #endWalk(plan: Plan, { version, unseen, spentMs }: Walk): void {
    const { limits, monotonic } = this.#parts;
    this.#walk = undefined;
    this.#since = version;
    this.#behind = true;
    this.#walkAt = monotonic() + Math.max(limits.tickMs, spentMs * WALK_SHARE);
    // It may be there all the same, and only have changed its place in the walk.
    for (const text of unseen) this.#doubt.add(ownerOfText(plan, text));
  }

  async #look({ plan, catalog }: Asked): Promise<readonly StandingEvent[]> {
    const { reads, limits, tally, monotonic } = this.#parts;
    tally.looks += 1;
    this.#stirred = false;
    const doubtful = [...this.#doubt].slice(0, limits.page);
    const [touched, rows] = await reads.look(async (sql) => {
      const changed = await touchedSince(sql, plan, { since: this.#since, limit: limits.page });
      const owners = [...doubtful, ...changed.causes.map(({ owner }) => owner)];
      return [changed, await rowsOf(sql, plan, { catalog, owners })] as const;
    });
    this.#lookAt = monotonic() + limits.lookMs;
    if (touched.all) {
      this.#walkOwed = true;
      this.#behind = false;
      return [];
    }
    return this.#told({ plan, touched, doubtful }, rows);
  }

  #told(
    looked: {
      readonly plan: Plan;
      readonly touched: Touched;
      readonly doubtful: readonly string[];
    },
    rows: Awaited<ReturnType<typeof rowsOf>>,
  ): readonly StandingEvent[] {
    const { teller } = this.#parts;
    const { plan, touched, doubtful } = looked;
    const again = doubtful.toSorted().map((owner): Cause => ({ owner, version: this.#since }));
    const events: StandingEvent[] = [];
    for (const { owner, version } of [...again, ...touched.causes]) {
      const found = rows.get(owner) ?? [];
      const here = new Set(found.map(({ text }) => text));
      for (const text of [...teller.keysOf(owner)].sort()) {
        if (!here.has(text)) events.push(...teller.gone(plan, { text, owner }, version));
      }
      for (const each of found) events.push(...teller.row(each, version));
    }
    for (const owner of doubtful) this.#doubt.delete(owner);
    this.#since = touched.to;
    this.#behind = touched.more;
    return events;
  }
}
