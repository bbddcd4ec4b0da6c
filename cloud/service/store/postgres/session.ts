/** How the connections of the store are set up, and what is asked of the server first. */
import type { Clock, Log } from '@limpet/dmi';
import { StoreUnusable } from '../errors.ts';
import { Connection } from './connection.ts';
import type { Target } from './target.ts';

/** In ms. No statement takes longer than the first two; a server that then does not say so within the third is gone. */
export interface Limits {
  readonly write: number;
  readonly read: number;
  readonly answer: number;
}

export const LIMITS: Limits = { write: 50_000, read: 15_000, answer: 10_000 };

export interface SessionOptions {
  readonly target: Target;
  readonly clock: Clock;
  readonly limits: Limits;
  /** application_name of this service's connections. */
  readonly name: string;
}

/** More than this program has, but for those of tables that come and go. */
const PREPARED = 500;
/** Version 13, as server_version_num has it. */
const OLDEST = 130_000;

export function openWriting({ target, clock, limits, name }: SessionOptions): Promise<Connection> {
  const settings = {
    ...sessionOf(target, limits.write),
    // So that the server lets go of the lock soon after our machine vanished.
    tcp_keepalives_idle: '10',
    tcp_keepalives_interval: '5',
    tcp_keepalives_count: '3',
  };
  const silentMs = limits.write + limits.answer;
  return Connection.open({ target, clock, name, settings, prepared: PREPARED, silentMs });
}

export function openReading({ target, clock, limits, name }: SessionOptions): Promise<Connection> {
  const settings = { ...sessionOf(target, limits.read), default_transaction_read_only: 'on' };
  const silentMs = limits.read + limits.answer;
  return Connection.open({
    target,
    clock,
    name: `${name} reader`,
    settings,
    prepared: PREPARED,
    silentMs,
  });
}

function sessionOf({ schema }: Target, statementMs: number): Record<string, string> {
  return {
    client_encoding: "'UTF8'",
    standard_conforming_strings: 'on',
    search_path: quoted(schema),
    statement_timeout: String(statementMs),
    idle_in_transaction_session_timeout: '60000',
    client_min_messages: 'warning',
    // Compiling takes longer than any statement of ours.
    jit: 'off',
  };
}

interface Server {
  readonly version: number;
  readonly encoding: string;
  readonly read_only: string;
  readonly synchronous_commit: string;
}

/**
 * What is acknowledged will be on the server's disk, and texts will be what they were.
 * @throws StoreUnusable STORE_OLD, STORE_NOT_OURS, STORE_READ_ONLY
 */
export async function check(connection: Connection, { shown }: Target): Promise<void> {
  const { rows } = await connection.query<Server>(
    `SELECT current_setting('server_version_num')::int AS version, current_setting('server_encoding') AS encoding,
      current_setting('transaction_read_only') AS read_only, current_setting('synchronous_commit') AS synchronous_commit`,
    [],
  );
  const server = rows[0];
  if (!server) throw new Error('the server says nothing of itself');
  if (server.version < OLDEST) {
    const found = Math.floor(server.version / 10_000);
    const message = `${shown} is PostgreSQL ${found}: version ${OLDEST / 10_000} or later is needed.`;
    throw new StoreUnusable('STORE_OLD', message);
  }
  if (server.encoding !== 'UTF8') {
    const message = `${shown} is encoded in ${server.encoding}: CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0.`;
    throw new StoreUnusable('STORE_NOT_OURS', message);
  }
  if (server.read_only === 'on') {
    const message = `${shown} takes no writes, it is a standby or set read-only: lead --store to the primary.`;
    throw new StoreUnusable('STORE_READ_ONLY', message);
  }
  if (server.synchronous_commit === 'off') await connection.query('SET synchronous_commit TO on');
}

/** Settings of the server that no session can change. */
export async function warnOfRisks(connection: Connection, target: Target, log: Log): Promise<void> {
  for (const reason of target.warnings) log.warn('store connection', { reason });
  const { rows } = await connection.query<{ name: string }>(
    `SELECT name FROM pg_settings WHERE name IN ('fsync', 'full_page_writes') AND setting = 'off'`,
    [],
  );
  for (const { name } of rows) {
    const reason = `${name}=off on ${target.shown}: a power cut may lose or damage what was acknowledged`;
    log.warn('store is not safe', { reason });
  }
}

export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
