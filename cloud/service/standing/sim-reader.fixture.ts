/**
 * A reader of a standing query that believes nothing: what it is told is held against what it has, event by event, as a plain
 * reader sees it and as the typed client does.
 */
import assert from 'node:assert/strict';
import type { Json } from '@limpet/dmi';
import { HeldRows, type RowChange, type StandingEvent, type StandingReader } from '#protocol/api';
import { canonical, evaluateSelect } from '#protocol/query';
import { catalogs } from './catalog.ts';
import { keyIn, parseStanding, planOf } from './plan.ts';
import type { World } from './world.fixture.ts';

export class SimReader {
  readonly query: string;
  readonly #world: World;
  /** What a plain reader has: by key, its row. */
  readonly #plain = new Map<string, string>();
  /** What the user of the typed client was told. */
  readonly #user = new Map<string, string>();
  readonly held = new HeldRows();
  #reader: StandingReader | undefined;
  #inbox: StandingEvent[] = [];
  #asking = false;
  /** It has heard that this is all since it last wanted to. */
  #level = false;
  resets = 0;
  events = 0;

  constructor(query: string, world: World) {
    this.query = query;
    this.#world = world;
  }

  get connected(): boolean {
    return this.#reader !== undefined;
  }

  async connect(): Promise<void> {
    const { cursor } = this.held;
    this.#level = false;
    this.#reader = await this.#world.standings.stand({ query: this.query, cursor });
  }

  /** The connection breaks after so many of the events that are under way. */
  cut(received: number): void {
    for (const event of this.#inbox.slice(0, received)) this.#take(event);
    this.#inbox = [];
    this.#reader?.close();
    this.#reader = undefined;
    this.#asking = false;
  }

  /** The service ended: nobody noticed anything. */
  orphan(): void {
    this.cut(0);
  }

  /** Takes what has come, and asks for more. */
  read(): void {
    for (const event of this.#inbox) this.#take(event);
    this.#inbox = [];
    this.#ask();
  }

  /** Whether all has been said since the last call of `want`. */
  get level(): boolean {
    return this.#level;
  }

  want(): void {
    this.#level = false;
  }

  #ask(): void {
    const reader = this.#reader;
    if (this.#asking || reader === undefined) return;
    this.#asking = true;
    void reader.next().then((events) => {
      if (this.#reader !== reader) return;
      this.#asking = false;
      this.#inbox.push(...(events ?? []));
    });
  }

  #take(event: StandingEvent): void {
    this.events += 1;
    const what = `${this.query}: ${JSON.stringify(event)}`;
    assert.notEqual(event.type, 'error', what);
    this.#plainTake(event, what);
    for (const change of this.held.take(event)) this.#userTake(change, what);
    if (event.type === 'bookmark') this.#level = true;
  }

  #plainTake(event: StandingEvent, what: string): void {
    if (event.type === 'reset') {
      this.#plain.clear();
      this.resets += 1;
    } else if (event.type === 'enter' || event.type === 'update') {
      const [key, row] = [JSON.stringify(event.key), canonical(event.row)];
      assert.equal(this.#plain.has(key), event.type === 'update', `a duplicate: ${what}`);
      assert.notEqual(this.#plain.get(key), row, `no change: ${what}`);
      this.#plain.set(key, row);
    } else if (event.type === 'leave') {
      assert.ok(this.#plain.delete(JSON.stringify(event.key)), `it had none: ${what}`);
    }
  }

  #userTake(change: RowChange, what: string): void {
    const key = JSON.stringify(change.key);
    assert.equal(this.#user.has(key), change.type !== 'enter', `to the user: ${what}`);
    if (change.type === 'leave') {
      this.#user.delete(key);
      return;
    }
    assert.notEqual(this.#user.get(key), canonical(change.row), `to the user: ${what}`);
    this.#user.set(key, canonical(change.row));
  }

  /** What it has is what the query answers now. */
  async compare(): Promise<void> {
    const { clock, store } = this.#world;
    const catalog = await catalogs((work) => store.read(({ sql }) => work(sql)))();
    const now = clock.now();
    const plan = planOf(parseStanding(this.query), this.query, { catalog, now });
    const page = { limit: plan.query.limit ?? 100_000 };
    const { rows } = evaluateSelect(plan.query, await this.#world.fleet(), page);
    const still = (row: readonly Json[]): string =>
      canonical(row.filter((_, index) => !plan.moving.has(index)));
    const expected = rows.map((row) => {
      return [JSON.stringify(keyIn(plan, row)), still(row.slice(0, plan.columns.length))] as const;
    });
    const held = [...this.held.rows()].map(
      ({ key, row }) => [JSON.stringify(key), still(row)] as const,
    );
    const order = <T extends readonly [string, string]>(all: readonly T[]): readonly T[] =>
      plan.ordered ? all : all.toSorted(([a], [b]) => (a < b ? -1 : 1));
    assert.deepEqual(order(held), order(expected), `after all, ${this.query}`);
    assert.deepEqual(new Set(this.#plain.keys()), new Set(this.#user.keys()), this.query);
    assert.deepEqual(this.held.columns, plan.columns, this.query);
  }
}
