/** The store's database as a SQLite file: the default. One connection writes, another reads what is committed. */
import { isFault, StoreFailed, storeFailed } from './errors.ts';
import { openFiles, openReader } from './open.ts';
import type { Engine, Sql } from './sql.ts';
import { SqliteConnection } from './sqlite-connection.ts';
import { SqliteWriter, type WriterOptions } from './sqlite-writer.ts';

/** @throws StoreUnusable saying what to do. */
export async function openSqlite(options: WriterOptions): Promise<Engine> {
  const { path } = options;
  const opened = openFiles(path);
  const writer = new SqliteWriter(opened.db, options);
  const db = openReader(path);
  const reader = new SqliteConnection(db);
  /** One reads at a time: each is a transaction of the one connection. */
  let reading: Promise<unknown> = Promise.resolve();
  return {
    writer,
    read: (work) => {
      const turn = reading.then(() => snapshot(reader, work));
      reading = turn.catch(() => undefined);
      return turn.then(async (found) => {
        await writer.durable();
        return found;
      });
    },
    durable: () => writer.durable(),
    refusal: (error) => {
      if (error instanceof StoreFailed) return error;
      return isFault(error) ? undefined : storeFailed(error as Error);
    },
    close: async () => {
      await reading;
      db.close();
      await writer.close();
      opened.close();
    },
  };
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
