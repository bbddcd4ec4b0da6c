/** Which engine a store stands on. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock, Log } from '@limpet/dmi';
import type { Target } from './postgres/target.ts';
import { POSTGRES_TABLES } from './schema.ts';
import type { Engine } from './sql.ts';
import { openSqlite } from './sqlite.ts';

/** A network's time is the real one, whatever the store is told of the hour. */
const network: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (ms, signal) => sleep(ms, undefined, { signal }),
  after: (ms, task) => {
    const timer = setTimeout(task, ms);
    return () => clearTimeout(timer);
  },
};

/**
 * `place` is a file of SQLite, or a database of PostgreSQL.
 * @throws StoreUnusable saying what to do.
 */
export async function openEngine(place: string | Target, log: Log): Promise<Engine> {
  if (typeof place === 'string') return openSqlite(place);
  // Loaded for those who use it: 5 MiB.
  const { openPostgres } = await import('./postgres/engine.ts');
  return openPostgres({ target: place, tables: POSTGRES_TABLES, clock: network, log });
}
