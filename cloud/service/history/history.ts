/**
 * What was: samples of every property that the cloud mirrors. Of those that an edge records itself (`history` in the model)
 * exactly what it recorded, as soon as it has told anything of them; of all others each change of the mirror. Everything
 * here runs inside a transaction.
 */
import type { Reported } from '@limpet/dmi/manifest';
import type { PastCursor, PastItem, PastPage, SeriesPast } from '#protocol';
import type { Sql } from '../store/sql.ts';
import { Gaps } from './gaps.ts';
import type { Retention, Slices } from './slices.ts';
import { PAST_CURSORS, type SampleRow, SERIES, type SeriesRow } from './tables.ts';
import { packed } from './values.ts';

export interface Spot {
  readonly dev: number;
  readonly prop: number;
}

/** A change of a mirror. `recorded`: the model asks the edge to record the property. */
export interface MirrorChange extends Spot {
  readonly reported: Reported<number>;
  readonly before: Reported<number> | undefined;
  readonly recorded: boolean;
  /** The edge's count. */
  readonly seq: number;
}

/** Finds a property that the node may speak of; undefined when there is none. */
export type Resolve = (device: string, property: string) => Promise<Spot | undefined>;

/** What was not taken of a page, in series. */
export interface PastTaken {
  readonly unknown: number;
  /** Samples from before what is kept. */
  readonly late: number;
}

/** Numbers below zero tell changes of a mirror from an edge's own samples. */
const MIRRORED = -(2 ** 52);
/** Clocks agree within this. */
const SLACK_MS = 60_000;

export class History {
  readonly slices: Slices;
  readonly #sql: Sql;
  readonly #gaps: Gaps;
  readonly #now: () => number;

  constructor(sql: Sql, slices: Slices, now: () => number) {
    this.#sql = sql;
    this.slices = slices;
    this.#gaps = new Gaps(sql, slices);
    this.#now = now;
  }

  /** Where the node's stream goes on. */
  async cursor(node: string): Promise<PastCursor | undefined> {
    const [row] = await this.#sql.find(PAST_CURSORS, [[node]]);
    return row && { run: row.run, n: row.n };
  }

  /** A page of what an edge recorded. The same page twice is the same as once. */
  async take(node: string, { run, n, series }: PastPage, resolve: Resolve): Promise<PastTaken> {
    let unknown = 0;
    let late = 0;
    for (const past of series) {
      const spot = await resolve(past.device, past.property);
      if (spot === undefined) unknown++;
      else
        late += await this.#series(
          spot,
          past.items.map((item) => shifted(item, past)),
        );
    }
    await this.#sql.put(PAST_CURSORS, [{ node, run, n }]);
    return { unknown, late };
  }

  /** Changes of mirrors, but of what the edge records. */
  async mirrored(changes: readonly MirrorChange[]): Promise<void> {
    const news = changes.filter(({ reported, before }) => !sameReported(reported, before));
    if (news.length === 0) return;
    const known = await this.#sql.find(
      SERIES,
      news.map(({ dev, prop }) => [dev, prop]),
    );
    const series = new Map(known.map((row) => [keyOf(row), row]));
    const kept = news.filter((change) => {
      return !change.recorded || series.get(keyOf(change))?.source !== 'edge';
    });
    const fresh = kept.filter((change) => series.get(keyOf(change))?.source !== 'mirror');
    const rows = fresh.map(({ dev, prop }): SeriesRow => {
      return { dev, prop, source: 'mirror', mirrored: null };
    });
    await this.#sql.put(SERIES, [...new Map(rows.map((row) => [keyOf(row), row])).values()]);
    await this.slices.add(kept.map((change) => this.#sampleOf(change)));
  }

  /** Properties of which something is known, if no value. */
  async named(spots: readonly Spot[]): Promise<void> {
    const known = await this.#sql.find(
      SERIES,
      spots.map(({ dev, prop }) => [dev, prop]),
    );
    const held = new Set(known.map((row) => keyOf(row)));
    const fresh = spots.filter((spot) => !held.has(keyOf(spot)));
    const rows = fresh.map(({ dev, prop }): SeriesRow => {
      return { dev, prop, source: 'mirror', mirrored: null };
    });
    await this.#sql.put(SERIES, [...new Map(rows.map((row) => [keyOf(row), row])).values()]);
  }

  /** One step of what keeps history within its bounds; true while there is more to do. */
  async keep(retention: Retention): Promise<boolean> {
    const now = this.#now();
    if (await this.slices.grow(now, retention)) return true;
    if (!(await this.slices.drop(now, retention))) return false;
    const { horizon } = this.slices;
    if (horizon !== undefined) await this.#sql.run('DELETE FROM gaps WHERE until < $1', horizon);
    return true;
  }

  /** Of a value whose time did not move on, only when the cloud heard of it is known. */
  #sampleOf({ dev, prop, reported, before, seq }: MirrorChange): SampleRow {
    const { at, quality, value } = reported;
    const told = quality === 'good' && (before === undefined || at > before.at);
    return { dev, prop, at: told ? at : this.#now(), n: MIRRORED + seq, ...packed(value, quality) };
  }

  async #series(spot: Spot, items: readonly PastItem[]): Promise<number> {
    await this.#switch(spot, items);
    let rows: SampleRow[] = [];
    let late = 0;
    const flush = async (): Promise<void> => {
      if (rows.length > 0) late += rows.length - (await this.slices.add(rows));
      rows = [];
    };
    for (const item of items) {
      if ('gap' in item) {
        await flush();
        const { gap: cause, from: since, to: until } = item;
        await this.#gaps.put({ ...spot, cause, since, until });
        continue;
      }
      const [at, n, value, quality = 'good'] = item;
      rows.push({ ...spot, at, n, ...packed(value, quality) });
    }
    await flush();
    return late;
  }

  /** From here on the edge's own count; what was recorded of the mirror in the time of the page gives way. */
  async #switch(spot: Spot, items: readonly PastItem[]): Promise<void> {
    const [known] = await this.#sql.find(SERIES, [[spot.dev, spot.prop]]);
    const now = this.#now();
    const mirrored = known?.source === 'mirror' ? now + SLACK_MS : (known?.mirrored ?? null);
    if (known?.source !== 'edge') {
      await this.#sql.put<SeriesRow>(SERIES, [{ ...spot, source: 'edge', mirrored }]);
    }
    const times = items.flatMap((item) => ('gap' in item ? [] : [item[0]]));
    const first = times.reduce((least, at) => Math.min(least, at), Infinity);
    if (mirrored === null || first > mirrored) return;
    const last = times.reduce((most, at) => Math.max(most, at), -Infinity);
    for (const { id } of this.slices.all) {
      await this.#sql.run(
        `DELETE FROM samples_${id} WHERE dev = $1 AND prop = $2 AND at >= $3 AND at <= $4 AND n < 0`,
        spot.dev,
        spot.prop,
        first,
        last,
      );
    }
  }
}

function shifted(item: PastItem, { since, n }: SeriesPast): PastItem {
  if ('gap' in item) {
    return { ...item, from: item.from + since, to: item.to === null ? null : item.to + since };
  }
  const [at, place, value, quality = 'good'] = item;
  return [at + since, place + n, value, quality];
}

function sameReported(a: Reported<number>, b: Reported<number> | undefined): boolean {
  return (
    a.at === b?.at && a.quality === b.quality && JSON.stringify(a.value) === JSON.stringify(b.value)
  );
}

function keyOf({ dev, prop }: Spot): string {
  return `${dev} ${prop}`;
}
