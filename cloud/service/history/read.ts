/** Reads the past of one property back, in pages, from a connection that sees one moment of the database. */
import type { Json } from '@limpet/dmi';
import type { Quality } from '@limpet/dmi/manifest';
import { one, type Sql } from '../store/sql.ts';
import type { GapRow, SampleRow, SliceRow } from './tables.ts';
import { unpacked } from './values.ts';

export interface PastSample {
  readonly at: number;
  readonly value: Json;
  readonly quality: Quality;
}

/** `until` is undefined while it goes on. */
export interface PastGap {
  readonly cause: string;
  readonly since: number;
  readonly until?: number | undefined;
}

export interface Span {
  readonly dev: number;
  readonly prop: number;
  /** Both included, ms since 1970. */
  readonly from: number;
  readonly to: number;
}

/** Where a page ends, so that the next goes on behind it. */
export interface PastPlace {
  readonly at: number;
  readonly n: number;
}

/** The newest gaps that one answer tells. */
const MOST_GAPS = 1_000;

/** Samples of the span behind a place, oldest first. `last` is set where there may be more. */
export async function readSamples(
  sql: Sql,
  { dev, prop, from, to }: Span,
  { after, limit }: { readonly after?: PastPlace | undefined; readonly limit: number },
): Promise<{ readonly samples: readonly PastSample[]; readonly last?: PastPlace }> {
  const rows: Pick<SampleRow, 'at' | 'n' | 'kind' | 'num' | 'text'>[] = [];
  const begin = after ?? { at: from, n: Number.MIN_SAFE_INTEGER };
  for (const { id, since } of await slicesOf(sql)) {
    if (since > to || rows.length >= limit) break;
    // What lies in a slice from before it is what it began with.
    const found = await sql.all<SampleRow>(
      `SELECT at, n, kind, num, text FROM samples_${id}
       WHERE dev = $1 AND prop = $2 AND at >= $3 AND (at, n) > ($4, $5) AND at <= $6 ORDER BY at, n LIMIT $7`,
      dev,
      prop,
      Math.max(since, begin.at),
      begin.at,
      begin.n,
      to,
      limit - rows.length,
    );
    rows.push(...found);
  }
  const last = rows.at(-1);
  const samples = rows.map((row) => ({ at: row.at, ...unpacked(row) }));
  return last === undefined || rows.length < limit
    ? { samples }
    : { samples, last: { at: last.at, n: last.n } };
}

/** The last sample before a time. */
export async function sampleBefore(
  sql: Sql,
  { dev, prop }: Pick<Span, 'dev' | 'prop'>,
  time: number,
): Promise<PastSample | undefined> {
  const slices = (await slicesOf(sql)).filter(({ since }) => since <= time);
  for (const { id } of slices.toReversed()) {
    const row = await one(
      sql.all<SampleRow>(
        `SELECT at, kind, num, text FROM samples_${id} WHERE dev = $1 AND prop = $2 AND at < $3
         ORDER BY at DESC, n DESC LIMIT 1`,
        dev,
        prop,
        time,
      ),
    );
    if (row) return { at: row.at, ...unpacked(row) };
  }
  return undefined;
}

/** Gaps that reach into the span, oldest first. */
export async function readGaps(
  sql: Sql,
  { dev, prop, from, to }: Span,
): Promise<readonly PastGap[]> {
  const rows = await sql.all<GapRow>(
    `SELECT since, until, cause FROM gaps
     WHERE dev = $1 AND prop = $2 AND since <= $3 AND (until IS NULL OR until >= $4)
     ORDER BY since DESC LIMIT ${MOST_GAPS}`,
    dev,
    prop,
    to,
    from,
  );
  return rows
    .map(({ since, until, cause }) => ({ cause, since, ...(until !== null && { until }) }))
    .toReversed();
}

function slicesOf(sql: Sql): Promise<readonly Pick<SliceRow, 'id' | 'since'>[]> {
  return sql.all('SELECT id, since FROM slices ORDER BY id');
}
