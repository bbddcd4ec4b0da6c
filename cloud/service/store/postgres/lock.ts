/** One service at a time: the lock of a database, which ends with the connection that took it. */
import { StoreUnusable } from '../errors.ts';
import type { Connection } from './connection.ts';
import type { SessionOptions } from './session.ts';

interface Holder {
  readonly pid: number;
  readonly application_name: string | null;
  readonly client: string | null;
}

/** A process that was killed is let go of within this time, unless its machine vanished. */
const WAIT_MS = 3000;
const EACH_MS = 150;

const KEY = `hashtextextended('limpet ' || $1, 0)`;

/** @throws StoreUnusable STORE_LOCKED: who holds it. */
export async function takeLock(
  connection: Connection,
  { target, name, clock }: SessionOptions,
): Promise<void> {
  let holder: Holder | undefined;
  for (let waited = 0; waited <= WAIT_MS; waited += EACH_MS) {
    const { rows } = await connection.query<{ taken: number }>(
      `SELECT pg_try_advisory_lock(${KEY}) AS taken`,
      [target.schema],
    );
    if (rows[0]?.taken === 1) return;
    holder = await holderOf(connection, target.schema);
    // Our own former connection, which the server still waits for.
    if (holder?.application_name === name)
      await connection.query('SELECT pg_terminate_backend($1::int)', [holder.pid]);
    await clock.sleep(EACH_MS);
  }
  const who = holder
    ? ` (pid ${holder.pid} of the server, "${holder.application_name}", from ${holder.client ?? 'a Unix socket'})`
    : '';
  throw new StoreUnusable(
    'STORE_LOCKED',
    `${target.shown} is in use by another cloud service${who}: stop that one first, or choose another database or ` +
      `?schema=. If its machine is gone: SELECT pg_terminate_backend(${holder?.pid ?? 'PID'}).`,
  );
}

async function holderOf(connection: Connection, schema: string): Promise<Holder | undefined> {
  const { rows } = await connection.query<Holder>(
    `SELECT s.pid, s.application_name, host(s.client_addr) AS client FROM pg_locks l JOIN pg_stat_activity s USING (pid)
      WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
        AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND (l.classid::bigint << 32) | l.objid::bigint = ${KEY}`,
    [schema],
  );
  return rows[0];
}
