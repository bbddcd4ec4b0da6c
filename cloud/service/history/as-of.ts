/**
 * The store's tables as they were at a time, under their own names: put before a statement on `objects`, `docs`, `labels`,
 * `mirrors`, `conditions`, `desired`, `nodes` and `progress`, it makes that statement one about then. Values are as the
 * edges recorded them; in a gap a good one is stale. Why a value was bad is not kept.
 */
import { readableJson } from '#protocol/query';
import type { Dialect, Sql } from '../store/sql.ts';
import { ALL } from './slices.ts';
import type { SliceRow } from './tables.ts';

/** What is kept: see `asOf`. */
export interface PastSpan {
  /** The first time that can be asked for. */
  readonly since: number;
  readonly slices: readonly SliceRow[];
}

/** Undefined where no history is kept. */
export async function pastSpan(sql: Sql): Promise<PastSpan | undefined> {
  const [past] = await sql.all<{ began: number }>('SELECT began FROM past');
  if (past === undefined) return undefined;
  const slices = await sql.all<SliceRow>('SELECT * FROM slices ORDER BY id');
  return { since: Math.max(past.began, slices[0]?.since ?? past.began), slices };
}

/**
 * `WITH …` for a time within the span. `place` is where the time is bound, such as `$3`: a parameter of type bigint, which
 * stands there several times.
 */
export function asOf(
  dialect: Dialect,
  { slices }: PastSpan,
  { time, place }: { readonly time: number; readonly place: string },
): string {
  const slice = slices.findLast(({ since }) => since <= time) ?? slices[0];
  const then = (alias: string): string =>
    `${alias}.since <= ${place} AND ${alias}.until > ${place}`;
  const parts = {
    objects: `SELECT n, kind, id, namespace, name, uid, node, model, rev, pos, born, generation, created
      FROM objects_past v WHERE ${then('v')}`,
    docs: `SELECT n, doc FROM objects_past v WHERE ${then('v')}`,
    labels: labelsOf(dialect, then('v')),
    conditions: `SELECT n, state, reason, last_seen FROM conditions_past v WHERE ${then('v')}`,
    desired: `SELECT device, property, node, value, rev, pos, accepted, expires FROM desired_past v WHERE ${then('v')}`,
    nodes: `SELECT name, state, facts FROM nodes_past v WHERE ${then('v')}`,
    progress: `SELECT name AS node, last_seen FROM nodes_past v WHERE ${then('v')}`,
    mirrors: mirrorsOf(
      dialect,
      place,
      then('j'),
      slice === undefined ? [] : chainOf(slices, slice),
    ),
  };
  const tables = Object.entries(parts).map(
    ([name, text]) => `${name} AS NOT MATERIALIZED (${text})`,
  );
  return `WITH ${tables.join(',\n')}`;
}

/** The slice of the time; while it does not have the last samples before it of all devices, the one before it too. */
function chainOf(slices: readonly SliceRow[], slice: SliceRow): readonly number[] {
  const before = slices[slices.indexOf(slice) - 1];
  return slice.carried < ALL && before !== undefined ? [slice.id, before.id] : [slice.id];
}

function labelsOf(dialect: Dialect, then: string): string {
  return dialect === 'sqlite'
    ? `SELECT v.n, l.key, l.value FROM objects_past v, json_each(v.doc, '$.metadata.labels') l WHERE ${then}`
    : `SELECT v.n, l.key COLLATE "C" AS key, l.value COLLATE "C" AS value FROM objects_past v,
         json_each_text(${readableJson('v.doc')} -> 'metadata' -> 'labels') l(key, value) WHERE ${then}`;
}

const NOTHING = { at: 'NULL', kind: 'NULL', num: 'NULL', text: 'NULL' };

function mirrorsOf(
  dialect: Dialect,
  place: string,
  then: string,
  chain: readonly number[],
): string {
  const [first, second] = chain;
  const joins = [
    `FROM series s LEFT JOIN judged_past j ON j.dev = s.dev AND j.prop = s.prop AND ${then}`,
  ];
  if (first !== undefined) joins.push(lastIn(first, 'x', place));
  if (second !== undefined) joins.push(`${lastIn(second, 'y', place)} AND x.at IS NULL`);
  const of = (column: 'at' | 'kind' | 'num' | 'text'): string => {
    if (first === undefined) return NOTHING[column];
    if (second === undefined) return `x.${column}`;
    return `CASE WHEN x.at IS NULL THEN y.${column} ELSE x.${column} END`;
  };
  const [at, kind, num, text] = [of('at'), of('kind'), of('num'), of('text')];
  const type = `(${kind}) & 12`;
  const gap = `EXISTS (SELECT 1 FROM gaps g WHERE g.dev = s.dev AND g.prop = s.prop AND g.since <= ${place}
    AND g.since >= ${at} AND (g.until IS NULL OR g.until > ${place}))`;
  return `SELECT s.dev, s.prop,
    CASE ${type} WHEN 0 THEN ${numberText(dialect, num)} WHEN 4 THEN CASE ${num} WHEN 1 THEN 'true' ELSE 'false' END
      WHEN 8 THEN ${quoted(dialect, text)} ELSE ${text} END AS value,
    ${num} AS num,
    CASE ${type} WHEN 8 THEN substr(${text}, 1, 256) END AS text,
    CASE ${type} WHEN 0 THEN 'n' WHEN 4 THEN 'b' WHEN 8 THEN 't' WHEN 12 THEN CASE WHEN ${text} IS NULL THEN NULL ELSE 'j' END END AS type,
    CASE (${kind}) & 3 WHEN 0 THEN CASE WHEN ${gap} THEN 'stale' ELSE 'good' END WHEN 1 THEN 'stale' WHEN 2 THEN 'bad' END AS quality,
    ${at} AS at, ${dialect === 'postgres' ? 'NULL::text' : 'NULL'} AS reason,
    j.rev, j.verdict, j.verdict_reason, j.stored, j.sent, j.confirmed
    ${joins.join('\n')}
    WHERE ${first === undefined ? '' : `(${at}) IS NOT NULL OR `}j.rev IS NOT NULL`;
}

/** The last sample of a series at or before the time. */
function lastIn(slice: number, alias: string, place: string): string {
  return `LEFT JOIN samples_${slice} ${alias} ON ${alias}.dev = s.dev AND ${alias}.prop = s.prop
    AND (${alias}.at, ${alias}.n) = (SELECT z.at, z.n FROM samples_${slice} z
      WHERE z.dev = s.dev AND z.prop = s.prop AND z.at <= ${place} ORDER BY z.at DESC, z.n DESC LIMIT 1)`;
}

/** As JSON, and to the last digit. */
function numberText(dialect: Dialect, num: string): string {
  if (dialect === 'postgres') return `(${num})::text`;
  return `CASE WHEN abs(${num}) < 1e15 AND ${num} = CAST(${num} AS INTEGER) THEN CAST(CAST(${num} AS INTEGER) AS TEXT)
    ELSE printf('%!.17g', ${num}) END`;
}

function quoted(dialect: Dialect, text: string): string {
  return dialect === 'postgres' ? `to_json(${text})::text` : `json_quote(${text})`;
}
