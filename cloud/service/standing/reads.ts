/** What standing queries ask the database: what changed, and which rows some or all resources give. */
import type { Json } from '@limpet/dmi';
import type { Kind } from '@limpet/dmi/manifest';
import {
  type Candidate,
  candidatesFor,
  compileSelect,
  type Keys,
  type Source,
  type SqlCatalog,
} from '#protocol/query';
import { among, one, type Row, type Sql } from '../store/sql.ts';
import type { RowKey } from '#protocol/api';
import { keyIn, ownerOf, type Plan, steady, textOfKey } from './plan.ts';
import type { Asks } from './scan-thread.ts';
import { type Digest, digestOf } from './told.ts';

/** Committed state. */
export interface StandingReads {
  /** As of one moment; for what takes no time. */
  look<T>(work: (sql: Sql) => Promise<T>): Promise<T>;
  /** For what may take long: delays nobody but others like it. */
  scan<T>(work: (sql: Asks) => Promise<T>): Promise<T>;
  /** The same object while nothing of it has changed. */
  catalog(): Promise<SqlCatalog>;
}

/** Why a row is looked at: whose it is, and the version that touched it. */
export interface Cause {
  readonly owner: string;
  readonly version: number;
}

export interface Touched {
  /** In order of version. */
  readonly causes: readonly Cause[];
  /** Everything up to here is among them. */
  readonly to: number;
  readonly more: boolean;
  /** A model changed, or deletions are not all known: only a look at all rows tells. */
  readonly all: boolean;
}

/** A row as it is. */
export interface Found {
  readonly owner: string;
  readonly key: RowKey;
  readonly text: string;
  readonly row: readonly Json[];
  readonly digest: Digest;
}

const KIND: Readonly<Record<Source, Kind>> = {
  devices: 'Device',
  properties: 'Device',
  nodes: 'Node',
  models: 'DeviceModel',
};

/** What changed after `since`, up to `limit` resources. */
export async function touchedSince(
  sql: Sql,
  plan: Plan,
  { since, limit }: { readonly since: number; readonly limit: number },
): Promise<Touched> {
  const { version, forgotten } = await lineOf(sql);
  const own = await changesOf(sql, KIND[plan.source], { since, limit });
  const devices = KIND[plan.source] === 'Device';
  const nodes = devices ? await nodesSince(sql, plan, { since, limit }) : [];
  const full = [own, nodes].filter((each) => each.length >= limit);
  const to = Math.min(version, ...full.map((each) => each.at(-1)?.version ?? version));
  const ofNodes = await devicesOf(
    sql,
    nodes.filter((each) => each.version <= to),
  );
  const latest = new Map<string, number>();
  for (const { owner, version: at } of [...own.filter((each) => each.version <= to), ...ofNodes]) {
    latest.set(owner, Math.max(at, latest.get(owner) ?? 0));
  }
  const models = KIND[plan.source] !== 'DeviceModel' && (await anyOf(sql, 'DeviceModel', since));
  return {
    causes: [...latest].map(([owner, at]) => ({ owner, version: at })).toSorted(byVersion),
    to,
    more: full.length > 0,
    all: forgotten > since || models,
  };
}

/** Whether anything changed after `since` that any row could hang on. */
export async function isTouched(sql: Sql, { source }: Plan, since: number): Promise<boolean> {
  const kinds: readonly Kind[] =
    KIND[source] === 'Device' ? ['Device', 'Node', 'DeviceModel'] : [KIND[source]];
  for (const kind of kinds) if (await anyOf(sql, kind, since)) return true;
  return false;
}

/** How far the database is. */
export async function lineOf(
  sql: Sql,
): Promise<{ readonly version: number; readonly forgotten: number }> {
  type Line = { readonly version: number; readonly forgotten: number };
  const line = await one(sql.all<Line>('SELECT last version, forgotten FROM line'));
  return line ?? { version: 0, forgotten: 0 };
}

/** The rows that these owners give, by owner. */
export async function rowsOf(
  sql: Sql,
  plan: Plan,
  { catalog, owners }: { readonly catalog: SqlCatalog; readonly owners: readonly string[] },
): Promise<ReadonlyMap<string, readonly Found[]>> {
  if (owners.length === 0) return new Map();
  const { dialect } = sql;
  const start = startOf(plan.source, sql, owners);
  const compiled = compileSelect(plan.query, { dialect, catalog, limit: 10_000_000, start });
  const rows = await sql.all<Row>(compiled.text, ...compiled.values);
  return Map.groupBy(
    rows.map((row) => foundOf(plan, compiled.row(row))),
    ({ owner }) => owner,
  );
}

export interface PageAsked {
  readonly catalog: SqlCatalog;
  readonly limit: number;
  readonly after?: Keys | undefined;
  readonly start?: Candidate | undefined;
}

/** More rows than these are not counted one by one. */
const COUNTED = 100_000;

/** Where a walk over all rows best begins: where an index has the fewest. */
export async function startFor(
  sql: Asks,
  plan: Plan,
  catalog: SqlCatalog,
): Promise<Candidate | undefined> {
  let best: { readonly candidate: Candidate; readonly rows: number } | undefined;
  for (const candidate of candidatesFor(plan.query, catalog)) {
    const { text, values } = candidate.count(sql.dialect, catalog, best?.rows ?? COUNTED);
    const found = await one(sql.all<{ readonly n: number }>(text, ...values));
    const rows = Number(found?.n ?? 0);
    if (best === undefined || rows < best.rows) best = { candidate, rows };
  }
  return best?.candidate;
}

/** Resolves when it is one's turn: that a thread has to start, or does others' work, is not what a look costs. */
export async function turnOf(sql: Asks): Promise<void> {
  await sql.all('SELECT 1');
}

/** A page of all rows. `last`: there are more after it. */
export async function pageOf(
  sql: Asks,
  plan: Plan,
  { catalog, limit, after, start }: PageAsked,
): Promise<{ readonly found: readonly Found[]; readonly last: Keys | undefined }> {
  const compiled = compileSelect(plan.query, {
    dialect: sql.dialect,
    catalog,
    limit,
    ...(after && { after }),
    ...(start && { start }),
  });
  const rows = await sql.all<Row>(compiled.text, ...compiled.values);
  const last = rows.length > limit ? rows[limit - 1] : undefined;
  return {
    found: rows.slice(0, limit).map((row) => foundOf(plan, compiled.row(row))),
    last: last && compiled.keys(last),
  };
}

function foundOf(plan: Plan, row: readonly Json[]): Found {
  const key = keyIn(plan, row);
  const shown = row.slice(0, plan.columns.length);
  const text = textOfKey(plan, key);
  return { owner: ownerOf(plan, key), key, text, row: shown, digest: digestOf(steady(plan, row)) };
}

function byVersion(a: Cause, b: Cause): number {
  return a.version - b.version || (a.owner < b.owner ? -1 : 1);
}

interface Since {
  readonly since: number;
  readonly limit: number;
}

async function changesOf(sql: Sql, kind: Kind, { since, limit }: Since): Promise<readonly Cause[]> {
  const marked = await sql.all<Cause>(
    `SELECT o.id owner, k.version FROM marks k JOIN objects o ON o.n = k.n
      WHERE k.kind = $1 AND k.version > $2 ORDER BY k.version LIMIT $3`,
    kind,
    since,
    limit,
  );
  const gone = await deletionsOf(sql, kind, { since, limit });
  return [...marked, ...gone].toSorted(byVersion).slice(0, limit);
}

function deletionsOf(sql: Sql, kind: Kind, { since, limit }: Since): Promise<readonly Cause[]> {
  return sql.all<Cause>(
    'SELECT id owner, version FROM deletions WHERE kind = $1 AND version > $2 ORDER BY version LIMIT $3',
    kind,
    since,
    limit,
  );
}

/** A node that comes or goes touches its devices itself; not so what it says of itself, and that it was deleted. */
function nodesSince(sql: Sql, { ofNodes }: Plan, since: Since): Promise<readonly Cause[]> {
  return ofNodes ? changesOf(sql, 'Node', since) : deletionsOf(sql, 'Node', since);
}

async function devicesOf(sql: Sql, nodes: readonly Cause[]): Promise<readonly Cause[]> {
  if (nodes.length === 0) return [];
  const versions = new Map(nodes.map(({ owner, version }) => [owner, version]));
  const devices = await sql.all<{ readonly id: string; readonly node: string }>(
    `SELECT id, node FROM objects WHERE kind = 'Device' AND ${among(sql.dialect, 'node', '$1', 'text')}`,
    JSON.stringify([...versions.keys()]),
  );
  return devices.map(({ id, node }) => ({ owner: id, version: versions.get(node) ?? 0 }));
}

async function anyOf(sql: Sql, kind: Kind, since: number): Promise<boolean> {
  return (await changesOf(sql, kind, { since, limit: 1 })).length > 0;
}

/** Starts to read at some resources by id, instead of at all. */
function startOf(source: Source, { dialect }: Sql, owners: readonly string[]): Candidate {
  const kind = KIND[source];
  return {
    index: 'objects',
    count: () => ({ text: '', values: [] }),
    start: (_, params) => {
      const ids = params.text(JSON.stringify(owners));
      if (source !== 'properties') {
        const where = `o.kind = '${kind}' AND ${among(dialect, 'o.id', ids, 'text')}`;
        return { from: 'objects o', where };
      }
      const device = `x.kind = 'Device' AND ${among(dialect, 'x.id', ids, 'text')}`;
      const where = `p.quality IS NOT NULL AND p.dev IN (SELECT x.n FROM objects x WHERE ${device})`;
      return { from: 'mirrors p', where };
    },
  };
}
