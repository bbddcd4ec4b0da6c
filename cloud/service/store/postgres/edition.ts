/** Which schema the tables have, and whose they are. */
import { StoreUnusable } from '../errors.ts';
import type { Connection } from './connection.ts';
import { quoted } from './session.ts';
import type { Target } from './target.ts';

/** The tables as PostgreSQL spells them. */
export interface Tables {
  /** Of the present version, from nothing. */
  readonly create: string;
  readonly version: number;
  /** What makes version n + 1 of n, by n. */
  readonly upgrades: ReadonlyMap<number, string>;
}

interface Edition {
  readonly version: number;
  readonly owner: string;
}

/**
 * Brings the tables to the present version, in one transaction, and makes them those of `owner`.
 * @throws StoreUnusable STORE_NEWER, STORE_NOT_OURS, STORE_DENIED
 */
export async function own(
  connection: Connection,
  target: Target,
  { tables, owner }: { tables: Tables; owner: string },
): Promise<void> {
  const held = await existing(connection, target);
  if (held !== undefined && held.version > tables.version) throw newer(target, held, tables);
  // Of much data a migration may take long.
  await connection.patient(async () => {
    await connection.query('BEGIN; SET LOCAL statement_timeout TO 0');
    try {
      if (held === undefined) await create(connection, target, tables);
      else await upgrade(connection, target, { tables, from: held.version });
      const text = 'UPDATE limpet_store SET version = $1, owner = $2';
      await connection.query(text, [tables.version, owner]);
      await connection.query('COMMIT');
    } catch (error) {
      if (connection.usable) await connection.query('ROLLBACK');
      throw error;
    }
  });
}

async function create(connection: Connection, { schema }: Target, tables: Tables): Promise<void> {
  const found = await connection.query('SELECT 1 FROM pg_namespace WHERE nspname = $1', [schema]);
  if (found.rows.length === 0) await connection.query(`CREATE SCHEMA ${quoted(schema)}`);
  await connection.query(tables.create);
  await connection.query(`
    CREATE TABLE limpet_store (one BIGINT PRIMARY KEY CHECK (one = 1), version BIGINT NOT NULL, owner TEXT NOT NULL);
    INSERT INTO limpet_store VALUES (1, 0, '')`);
}

async function upgrade(
  connection: Connection,
  target: Target,
  { tables, from }: { readonly tables: Tables; readonly from: number },
): Promise<void> {
  for (let version = from; version < tables.version; version++) {
    const step = tables.upgrades.get(version);
    if (step === undefined) throw noWay(target, version, tables);
    await connection.query(step);
  }
}

/** @throws StoreUnusable STORE_TAKEN when somebody else owned the tables since. */
export async function stillOwned(
  connection: Connection,
  target: Target,
  owner: string,
): Promise<void> {
  const held = await editionOf(connection);
  if (held?.owner === owner) return;
  throw new StoreUnusable(
    'STORE_TAKEN',
    `${target.shown} was written by another cloud service, or restored, while this one could not reach it: restart this one.`,
  );
}

async function existing(connection: Connection, target: Target): Promise<Edition | undefined> {
  const { rows } = await connection.query<{ name: string }>(
    `SELECT relname AS name FROM pg_class c WHERE relnamespace = to_regnamespace($1) AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
      AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')`,
    [quoted(target.schema)],
  );
  if (rows.length === 0) return undefined;
  if (!rows.some(({ name }) => name === 'limpet_store')) {
    throw new StoreUnusable(
      'STORE_NOT_OURS',
      `Schema ${quoted(target.schema)} of ${target.shown} holds tables of another program: choose another with ?schema=NAME.`,
    );
  }
  return editionOf(connection);
}

async function editionOf(connection: Connection): Promise<Edition | undefined> {
  return (await connection.query<Edition>('SELECT version, owner FROM limpet_store', [])).rows[0];
}

function newer({ shown }: Target, held: Edition, { version }: Tables): StoreUnusable {
  return new StoreUnusable(
    'STORE_NEWER',
    `${shown} has schema ${held.version}, this program knows ${version}: run the newer Limpet that wrote it, or restore a copy from before the upgrade.`,
  );
}

function noWay({ shown }: Target, from: number, { version }: Tables): StoreUnusable {
  const message = `${shown} has schema ${from}, from which this program knows no way to ${version}.`;
  return new StoreUnusable('STORE_NOT_OURS', message);
}
