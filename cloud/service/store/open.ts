/** Opens the cloud's database: one process at a time, sound, of a known schema. */
import { mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import Sqlite, { type Database } from 'better-sqlite3';
import { sqliteCode, storeFailed, StoreUnusable, unusable } from './errors.ts';
import { migrate } from './schema.ts';

export interface OpenFiles {
  readonly db: Database;
  close(): void;
}

/** Larger databases are not read through at each start; damage then shows when a page is used. */
const CHECKED_BYTES = 256 * 1024 * 1024;

/**
 * `path` is a file, made with its folder when absent.
 * @throws StoreUnusable saying what to do.
 */
export function openFiles(path: string): OpenFiles {
  const opened: Database[] = [];
  const close = (): void => {
    for (const db of opened.toReversed()) db.close();
  };
  try {
    makeFolder(dirname(path));
    opened.push(takeLock(path));
    const db = openFile(path);
    opened.push(db);
    return { db, close };
  } catch (error) {
    close();
    throw unusableBy(path, error);
  }
}

/** For whoever only looks: sees what is committed, and cannot write. */
export function openReader(path: string): Database {
  const reader = new Sqlite(path, { readonly: true, timeout: 2000 });
  mapFile(reader);
  reader.pragma('query_only = 1');
  return reader;
}

/** The kernel's cache serves what it reads: that is address space, and no memory of its own. */
function mapFile(db: Database): void {
  db.pragma('mmap_size = 1073741824');
}

/** Somebody else copies the log; beyond 256 MiB of it that is done by whoever writes. */
export function tuneWriter(db: Database): void {
  db.pragma('wal_autocheckpoint = 65536');
  db.pragma('cache_size = -16000');
  // Whoever begins the log anew cuts it to this.
  db.pragma('journal_size_limit = 67108864');
}

/** Like `mkdir -p`. Node's own recursive mkdir never returns where a parent refuses children, as in /proc. */
function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return;
    if (code !== 'ENOENT' || dirname(folder) === folder) throw error;
    makeFolder(dirname(folder));
    mkdirSync(folder, { mode: 0o700 });
  }
}

/**
 * The lock is a file of its own, so that `sqlite3 cloud.db .backup` works while the service runs. SQLite's lock
 * goes with the process, also when that is killed.
 */
function takeLock(path: string): Database {
  const lock = new Sqlite(`${path}.lock`, { timeout: 0 });
  try {
    lock.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    lock.close();
    throw error;
  }
  return lock;
}

function openFile(path: string): Database {
  const db = new Sqlite(path, { timeout: 2000 });
  try {
    db.pragma('journal_mode = WAL');
    // Whoever commits waits for the disk by itself.
    db.pragma('synchronous = NORMAL');
    tuneWriter(db);
    mapFile(db);
    if (statSync(path).size <= CHECKED_BYTES) {
      const found = db.pragma('quick_check(1)', { simple: true });
      if (found !== 'ok') throw corrupt(path, String(found));
    }
    migrate(db, path);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Why the file at `path` cannot be opened. */
export function unusableBy(path: string, error: unknown): unknown {
  if (error instanceof StoreUnusable || !(error instanceof Error)) return error;
  const code = sqliteCode(error) ?? '';
  if (code.startsWith('SQLITE_CORRUPT') || code.startsWith('SQLITE_NOTADB')) {
    return corrupt(path, error.message, error);
  }
  if (code.startsWith('SQLITE_BUSY')) {
    const message = `${path} is in use by another process: stop that one first, or choose another --data folder.`;
    return new StoreUnusable('STORE_LOCKED', message, { cause: error });
  }
  const system = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  if (system === undefined) return error;
  if (/^(SQLITE_(FULL|IOERR|NOMEM)|ENOSPC|EDQUOT|EIO)/.test(system)) {
    return unusable(storeFailed(error));
  }
  return new StoreUnusable(
    'STORE_UNREADABLE',
    `${path} cannot be opened (${error.message}): check the --data folder and its permissions.`,
    { cause: error },
  );
}

function corrupt(path: string, found: string, cause?: Error): StoreUnusable {
  return new StoreUnusable(
    'STORE_CORRUPT',
    `${path} is damaged (${found}). Nothing was changed. Move ${path}, ${path}-wal and ${path}-shm aside, put the newest ` +
      `copy in place as ${path} and start again: the edges bring back what the copy lacks. Without a copy, start ` +
      'with none and apply your manifests again.',
    cause ? { cause } : undefined,
  );
}
