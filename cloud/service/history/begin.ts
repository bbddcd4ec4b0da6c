/** Begins history on a database that has none, with what is so now; or ends it. Inside a transaction. */
import type { Json } from '@limpet/dmi';
import type { Quality } from '@limpet/dmi/manifest';
import type { Sql } from '../store/sql.ts';
import type { MirrorRow } from '../store/tables.ts';
import { OPEN } from './revisions.ts';
import { Slices } from './slices.ts';
import { SERIES, type SeriesRow } from './tables.ts';
import { packed } from './values.ts';

const PAGE = 2_000;

export async function beginHistory(sql: Sql, now: number): Promise<void> {
  if ((await sql.all('SELECT 1 FROM past')).length > 0) return;
  await sql.run('INSERT INTO past (one, began) VALUES (1, $1)', now);
  const columns =
    'n, kind, id, namespace, name, uid, node, model, rev, pos, born, generation, created';
  await sql.run(
    `INSERT INTO objects_past (${columns}, doc, since, until)
     SELECT o.${columns.replaceAll(', ', ', o.')}, d.doc, $1, ${OPEN} FROM objects o JOIN docs d ON d.n = o.n`,
    now,
  );
  const same = [
    ['desired', 'device, property, node, value, rev, pos, accepted, expires'],
    ['conditions', 'n, state, reason, last_seen'],
  ] as const;
  for (const [table, list] of same) {
    await sql.run(
      `INSERT INTO ${table}_past (${list}, since, until) SELECT ${list}, $1, ${OPEN} FROM ${table}`,
      now,
    );
  }
  await sql.run(
    `INSERT INTO nodes_past (name, state, facts, last_seen, since, until)
     SELECT n.name, n.state, n.facts, p.last_seen, $1, ${OPEN} FROM nodes n JOIN progress p ON p.node = n.name`,
    now,
  );
  const judged = 'dev, prop, rev, verdict, verdict_reason, stored, sent, confirmed';
  await sql.run(
    `INSERT INTO judged_past (${judged}, since, until) SELECT ${judged}, $1, ${OPEN} FROM mirrors WHERE rev IS NOT NULL`,
    now,
  );
  await beginSamples(sql, now);
}

/** What was kept is dropped. */
export async function endHistory(sql: Sql): Promise<void> {
  for (const { id } of (await Slices.open(sql)).all) await sql.run(`DROP TABLE samples_${id}`);
  const all = ['objects', 'desired', 'conditions', 'nodes', 'judged'].map((name) => `${name}_past`);
  for (const table of ['past', 'slices', 'series', 'gaps', 'past_cursors', ...all]) {
    await sql.run(`DELETE FROM ${table}`);
  }
}

/** The present value of every property, at its own time. */
async function beginSamples(sql: Sql, now: number): Promise<void> {
  const slices = await Slices.open(sql);
  for (let [dev, prop] = [-1, -1]; ;) {
    const rows = await sql.all<MirrorRow>(
      'SELECT * FROM mirrors WHERE (dev, prop) > ($1, $2) ORDER BY dev, prop LIMIT $3',
      dev,
      prop,
      PAGE,
    );
    const last = rows.at(-1);
    if (last === undefined) return;
    [dev, prop] = [last.dev, last.prop];
    const series = rows.map((row): SeriesRow => {
      return { dev: row.dev, prop: row.prop, source: 'mirror', mirrored: null };
    });
    await sql.put(SERIES, series);
    const samples = rows
      .filter(({ quality, at }) => quality !== null && at !== null)
      .map(({ at, value, quality, ...row }) => {
        const known = value === null ? null : (JSON.parse(value) as Json);
        const spot = { dev: row.dev, prop: row.prop, at: Math.min(at ?? now, now) };
        return { ...spot, n: Number.MIN_SAFE_INTEGER, ...packed(known, quality as Quality) };
      });
    await slices.add(samples);
  }
}
