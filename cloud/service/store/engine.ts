/** Which engine a store stands on. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock, Log } from '@limpet/dmi';
import type { Target } from './postgres/target.ts';
import type { StoreFailed } from './errors.ts';
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

export interface EngineOptions {
  /** A file of SQLite, or a database of PostgreSQL. */
  readonly path: string | Target;
  readonly log: Log;
  /** Nothing can be written any more before the store is opened anew. */
  readonly lost: (failure: StoreFailed) => void;
  /** What was away can be written again. */
  readonly back?: (() => void) | undefined;
}

/** @throws StoreUnusable saying what to do. */
export async function openEngine({ path, log, lost, back }: EngineOptions): Promise<Engine> {
  if (typeof path === 'string') return openSqlite({ path, log, lost });
  // Loaded for those who use it: 5 MiB.
  const { openPostgres } = await import('./postgres/engine.ts');
  return openPostgres({ target: path, tables: POSTGRES_TABLES, clock: network, log, lost, back });
}
