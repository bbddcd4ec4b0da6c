/** What the tests of the store's engine on PostgreSQL share: a server, a table, engines that are closed after each test. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { type StoreFailed, StoreUnusable } from '#cloud/service/store/errors.ts';
import {
  openPostgres,
  type PostgresEngine,
  type PostgresOptions,
} from '#cloud/service/store/postgres/engine.ts';
import { parseTarget } from '#cloud/service/store/postgres/target.ts';
import type { Table } from '#cloud/service/store/sql.ts';
import type { Clock, Log } from '@limpet/dmi';
import { PostgresServer, type PostgresServerOptions } from '../rig/postgres.ts';

export type Thing = {
  readonly id: string;
  readonly size: number | null;
  readonly many: number | null;
};

export const THINGS: Table<Thing> = {
  name: 'things',
  columns: { id: 'text', size: 'real', many: 'integer' },
  key: ['id'],
};
export const CREATE =
  'CREATE TABLE things (id TEXT COLLATE "C" PRIMARY KEY, size DOUBLE PRECISION, many BIGINT)';

const clock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (ms, signal) => sleep(ms, undefined, { signal }),
  after: (ms, task) => {
    const timer = setTimeout(task, ms);
    return () => clearTimeout(timer);
  },
};

export class Bench {
  readonly server: PostgresServer;
  /** What the engines logged since the last {@link clear}. */
  readonly said: string[] = [];
  readonly #engines = new Set<PostgresEngine>();
  readonly #log: Log;
  #schemas = 0;

  static async start(server: PostgresServerOptions = {}): Promise<Bench> {
    return new Bench(await PostgresServer.start(server));
  }

  private constructor(server: PostgresServer) {
    this.server = server;
    const note = (message: string, fields?: Record<string, unknown>): void => {
      this.said.push(`${message} ${JSON.stringify(fields)}`);
    };
    this.#log = { debug: note, info: note, warn: note, error: note, with: () => this.#log };
  }

  /** URL and name of a schema that nobody used yet. */
  fresh(): { readonly url: string; readonly schema: string } {
    const schema = `test_${(this.#schemas += 1)}`;
    return { url: this.server.url('postgres', { schema }), schema };
  }

  async open(url = this.fresh().url, more: Partial<PostgresOptions> = {}): Promise<PostgresEngine> {
    const tables = { version: 1, create: CREATE, upgrades: new Map<number, string>() };
    const target = parseTarget(url, { env: {} });
    const lost = (failure: StoreFailed): void => void this.said.push(`lost ${failure.code}`);
    const engine = await openPostgres({ target, tables, clock, log: this.#log, ...more, lost });
    this.#engines.add(engine);
    return engine;
  }

  /** Why it did not open. */
  async refusal(url: string, more: Partial<PostgresOptions> = {}): Promise<StoreUnusable> {
    try {
      await this.open(url, more);
    } catch (error) {
      assert.ok(error instanceof StoreUnusable, String(error));
      return error;
    }
    throw new Error('it opened');
  }

  logged(message: string): number {
    return this.said.filter((line) => line.startsWith(message)).length;
  }

  /** After each test. */
  async clear(): Promise<void> {
    if (!this.server.running) await this.server.restart();
    await Promise.all([...this.#engines].map((engine) => engine.close()));
    this.#engines.clear();
    this.said.length = 0;
  }

  stop(): Promise<void> {
    return this.server.stop();
  }
}

export function thing(id: string, size: number | null = null, many: number | null = null): Thing {
  return { id, size, many };
}

export async function store(engine: PostgresEngine, ...things: readonly Thing[]): Promise<void> {
  await engine.writer.begin();
  await engine.writer.put(THINGS, things);
  await engine.writer.commit();
}

/** Of all things, in order. */
export function ids(engine: PostgresEngine): Promise<readonly string[]> {
  return engine.read(async (sql) => {
    const rows = await sql.all<Thing>('SELECT id FROM things ORDER BY id');
    return rows.map(({ id }) => id);
  });
}
