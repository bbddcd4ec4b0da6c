/** The past of one property of the fleet, as the API asks for it. */
import type { PastGap, PastSource, PastTime } from '#protocol/api';
import { one, type Sql } from '../store/sql.ts';
import type { CloudStore } from '../store/store.ts';
import { readGaps, readSamples, sampleBefore } from './read.ts';
import type { SeriesRow } from './tables.ts';

/** A node that was away, newest first: so many are looked at. */
const MOST_AWAY = 100;
/** After a node is back, its values come within this. */
const BACK_MS = 60_000;

interface Spot {
  readonly dev: number;
  readonly prop: number;
  readonly source: SeriesRow['source'];
}

/** Undefined when nothing was ever recorded of it. Each question is answered from one moment. */
export async function pastSource(
  store: Pick<CloudStore, 'read'>,
  device: string,
  property: string,
): Promise<PastSource | undefined> {
  const spot = await store.read(({ sql }) => spotOf(sql, device, property));
  if (spot === undefined) return undefined;
  return {
    page: (time, { after, limit }) => {
      return store.read(async ({ sql }) => {
        const { samples, last } = await readSamples(
          sql,
          { ...spot, ...time },
          { after: placeOf(after), limit },
        );
        return { samples, ...(last && { next: `${last.at}.${last.n}` }) };
      });
    },
    before: (time) => store.read(({ sql }) => sampleBefore(sql, spot, time)),
    gaps: (time) => store.read(({ sql }) => gapsOf(sql, spot, time)),
  };
}

async function spotOf(sql: Sql, device: string, property: string): Promise<Spot | undefined> {
  return one(
    sql.all<Spot>(
      `SELECT s.dev, s.prop, s.source FROM objects o JOIN names n ON n.name = $2
       JOIN series s ON s.dev = o.n AND s.prop = n.n WHERE o.kind = 'Device' AND o.id = $1`,
      device,
      property,
    ),
  );
}

async function gapsOf(sql: Sql, spot: Spot, time: PastTime): Promise<readonly PastGap[]> {
  const told = await readGaps(sql, { ...spot, ...time });
  const gaps = told.map(({ cause, since, until }) => ({ cause, from: since, to: until }));
  if (spot.source === 'edge') return gaps;
  return [...gaps, ...(await unseen(sql, spot, time))].toSorted((a, b) => a.from - b.from);
}

/**
 * Of what only the cloud records: while the node was away, or the cloud itself, only the last change is known, once they are
 * back; until then nothing. Where there was none, nothing changed.
 */
async function unseen(sql: Sql, spot: Spot, { from, to }: PastTime): Promise<readonly PastGap[]> {
  const away = await sql.all<{ since: number; until: number }>(
    `SELECT v.last_seen AS since, v.until FROM nodes_past v JOIN objects o ON o.n = $1 AND o.node = v.name
     WHERE v.state <> 'online' AND v.last_seen <= $2 AND v.until >= $3
     ORDER BY v.last_seen DESC LIMIT ${MOST_AWAY}`,
    spot.dev,
    to,
    from,
  );
  const gaps: PastGap[] = [];
  for (const { since, until } of away) {
    if (until === Number.MAX_SAFE_INTEGER) {
      gaps.push({ cause: 'unseen', from: since });
      continue;
    }
    const span = { ...spot, from: since + 1, to: until + BACK_MS };
    const [next] = (await readSamples(sql, span, { limit: 1 })).samples;
    if (next !== undefined) gaps.push({ cause: 'unseen', from: since, to: next.at });
  }
  return gaps;
}

function placeOf(after: string | undefined) {
  if (after === undefined) return undefined;
  const [at, n = '0'] = after.split('.');
  return { at: Number(at), n: Number(n) };
}
