/** Intervals of which there is nothing to know, as edges tell them. Runs inside a transaction. */
import { one, type Sql } from '../store/sql.ts';
import type { SampleRow } from './tables.ts';
import type { Slices } from './slices.ts';

export interface ToldGap {
  readonly dev: number;
  readonly prop: number;
  readonly cause: string;
  readonly since: number;
  readonly until: number | null;
}

/** What such a gap's edge forgot, the cloud may still know: it begins with the last that is known here. */
const FORGOT = new Set(['dropped', 'damaged', 'down']);

export class Gaps {
  readonly #sql: Sql;
  readonly #slices: Slices;

  constructor(sql: Sql, slices: Slices) {
    this.#sql = sql;
    this.#slices = slices;
  }

  /** A gap that is known by where it begins ends later or goes on; the samples told before it are in their slices. */
  async put(gap: ToldGap): Promise<void> {
    const { cause, until } = gap;
    if (cause === 'off' && (await this.#mirrored(gap))) return;
    if (!FORGOT.has(cause)) return this.#upsert(gap);
    // The last dropped sample may itself be known; what ends another gap is the sample after it.
    const last = await this.#known(gap, cause === 'dropped' ? '<=' : '<');
    const since = Math.max(gap.since, last ?? gap.since);
    if (cause === 'dropped' && since >= (until ?? Infinity)) return;
    await this.#upsert({ ...gap, since });
  }

  async #upsert({ dev, prop, since, until, cause }: ToldGap): Promise<void> {
    await this.#sql.run(
      `INSERT INTO gaps (dev, prop, since, until, cause) VALUES ($1, $2, $3, $4, $5)
       ON CONFLICT (dev, prop, since) DO UPDATE SET cause = excluded.cause, until = CASE
         WHEN excluded.until IS NULL OR gaps.until IS NULL OR gaps.until < excluded.until THEN excluded.until
         ELSE gaps.until END`,
      dev,
      prop,
      since,
      until,
      cause,
    );
  }

  /**
   * The time of the last sample before the end of the gap. Gaps between samples that were dropped may be known already, so
   * that there is a later one proves nothing.
   */
  async #known({ dev, prop, until }: ToldGap, before: '<' | '<='): Promise<number | undefined> {
    const end = until ?? Number.MAX_SAFE_INTEGER;
    for (const { id } of this.#slices.all.toReversed()) {
      const sample = await one(
        this.#sql.all<Pick<SampleRow, 'at'>>(
          `SELECT at FROM samples_${id} WHERE dev = $1 AND prop = $2 AND at ${before} $3 ORDER BY at DESC LIMIT 1`,
          dev,
          prop,
          end,
        ),
      );
      if (sample) return sample.at;
    }
    return undefined;
  }

  /** While the edge kept none, changes of the mirror were recorded. */
  async #mirrored({ dev, prop, since, until }: ToldGap): Promise<boolean> {
    for (const { id } of this.#slices.all) {
      const found = await this.#sql.all(
        `SELECT 1 FROM samples_${id} WHERE dev = $1 AND prop = $2 AND at >= $3 AND at <= $4 AND n < 0 LIMIT 1`,
        dev,
        prop,
        since,
        until ?? Number.MAX_SAFE_INTEGER,
      );
      if (found.length > 0) return true;
    }
    return false;
  }
}
