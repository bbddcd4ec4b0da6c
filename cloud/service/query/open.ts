/** The queries of a service, on whatever its store stands. */
import type { Clock, Log } from '@limpet/dmi';
import type { CloudStore } from '../store/store.ts';
import type { Engine } from '../store/sql.ts';
import { Queries } from './queries.ts';
import { Quick } from './quick.ts';
import type { QuerySettings } from './settings.ts';
import { EngineWorker, ProcessWorker, type Worker } from './workers.ts';

export interface OpenQueries {
  readonly store: CloudStore;
  /** The file of SQLite; undefined: it is PostgreSQL. */
  readonly path: string | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly settings?: Partial<QuerySettings>;
}

/** How much longer PostgreSQL may run a query than whoever asked it waits. */
const GRACE_MS = 500;

export function openQueries({ store, path, ...options }: OpenQueries): Queries {
  const read: Engine['read'] = (work) => store.read(({ sql }) => work(sql));
  const quick = new Quick(read, options.clock);
  return new Queries({
    ...options,
    ...(path !== undefined && { quick: (request) => quick.ask(request) }),
    version: () => store.version(),
    onChange: (listener) => store.onChange(listener),
    durable: () => store.durable(),
    worker: (settings) => workerOn(store, path, settings),
  });
}

function workerOn(store: CloudStore, path: string | undefined, settings: QuerySettings): Worker {
  const { costCeiling, slowMs, longestMs } = settings;
  const limits = { costCeiling, slowMs };
  if (path !== undefined) return new ProcessWorker({ path, ...limits });
  const longest = String(longestMs + GRACE_MS);
  return new EngineWorker(
    (work) =>
      store.read(async ({ sql }) => {
        await sql.all("SELECT set_config('statement_timeout', $1, true)", longest);
        return work(sql);
      }),
    limits,
  );
}
