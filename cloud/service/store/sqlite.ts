/**
 * The store's database as a SQLite file: the default. A thread of its own writes, so that nothing else waits for the disk;
 * readers are served here, from what is committed.
 */
import { sqliteCode, StoreFailed, storeFailed } from './errors.ts';
import { openFiles, openReader } from './open.ts';
import type { Engine, Sql, Writer } from './sql.ts';
import { SqliteConnection, SqliteWriter } from './sqlite-connection.ts';
import { startWriter } from './sqlite-thread.ts';

export interface SqliteOptions {
  readonly path: string;
  /**
   * `own` (default): in a thread of its own. `this`: in the turn that asks, so that work whose every step is a statement runs
   * from its beginning to its end without anybody between.
   */
  readonly thread?: 'own' | 'this' | undefined;
}

/** @throws StoreUnusable saying what to do. */
export async function openSqlite({ path, thread = 'own' }: SqliteOptions): Promise<Engine> {
  const writing = thread === 'own' ? await startWriter(path) : writeHere(path);
  const db = openReader(path);
  const reader = new SqliteConnection(db);
  /** One reads at a time: each is a transaction of the one connection. */
  let reading: Promise<unknown> = Promise.resolve();
  return {
    writer: writing.writer,
    read: (work) => {
      const turn = reading.then(() => snapshot(reader, work));
      reading = turn.catch(() => undefined);
      return turn;
    },
    refusal: (error) => {
      if (error instanceof StoreFailed) return error;
      const code = sqliteCode(error);
      const fault = code === undefined || code.startsWith('SQLITE_CONSTRAINT');
      return fault ? undefined : storeFailed(error as Error);
    },
    close: async () => {
      await reading;
      db.close();
      await writing.close();
    },
  };
}

/** The end of the store that writes. */
export interface Writing {
  readonly writer: Writer;
  close(): Promise<void>;
}

function writeHere(path: string): Writing {
  const opened = openFiles(path);
  return { writer: new SqliteWriter(opened.db), close: async () => opened.close() };
}

/** Reads the file of a service that runs, in another process. */
export function readSqlite(path: string): Pick<Engine, 'read'> {
  const reader = new SqliteConnection(openReader(path));
  return { read: (work) => snapshot(reader, work) };
}

async function snapshot<T>(sql: SqliteConnection, work: (sql: Sql) => Promise<T>): Promise<T> {
  await sql.run('BEGIN');
  try {
    return await work(sql);
  } finally {
    await sql.run('COMMIT');
  }
}
