import assert from 'node:assert/strict';
import { test } from 'node:test';
import Sqlite from 'better-sqlite3';
import { StoreUnusable } from './errors.ts';
import { openFiles, unusableBy } from './open.ts';

test('a folder that cannot be made is told at once, also below /proc', () => {
  assert.throws(() => openFiles('/proc/limpet/cloud/cloud.db'), /\/proc\/limpet\/cloud/);
});

test('what passes by itself is tried again by whoever starts the service, what does not is not', () => {
  const { SqliteError } = Sqlite;
  const cases: readonly (readonly [Error, string, number])[] = [
    [new SqliteError('database or disk is full', 'SQLITE_FULL'), 'STORE_DISK', 1],
    [new SqliteError('disk I/O error', 'SQLITE_IOERR_SHMSIZE'), 'STORE_DISK', 1],
    [Object.assign(new Error('mkdir'), { code: 'ENOSPC' }), 'STORE_DISK', 1],
    [new SqliteError('database is locked', 'SQLITE_BUSY'), 'STORE_LOCKED', 1],
    [new SqliteError('file is not a database', 'SQLITE_NOTADB'), 'STORE_CORRUPT', 1],
    [new SqliteError('unable to open', 'SQLITE_CANTOPEN'), 'STORE_UNREADABLE', 78],
    [Object.assign(new Error('mkdir'), { code: 'EACCES' }), 'STORE_UNREADABLE', 78],
  ];
  for (const [error, code, exit] of cases) {
    const found = unusableBy('/data/cloud.db', error);
    assert.ok(found instanceof StoreUnusable);
    assert.deepEqual([found.code, found.exit], [code, exit]);
  }
});
