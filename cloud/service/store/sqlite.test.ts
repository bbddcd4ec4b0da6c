/** What is special to the store on a file of SQLite. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import Sqlite from 'better-sqlite3';
import { BOILER, BOILER_1, clockAt, silent } from '../testing.ts';
import { StoreUnusable } from './errors.ts';
import { GroupCommit } from './group-commit.ts';
import { type Engine, one, type Sql, type Table } from './sql.ts';
import { openFiles } from './open.ts';
import { openSqlite } from './sqlite.ts';
import { SqliteWriter } from './sqlite-writer.ts';
import { CloudStore } from './store.ts';
import { WriteThread } from './write-thread.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'limpet-store-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const clock = clockAt(Date.UTC(2026, 10, 21));
let file: string;
let files = 0;
beforeEach(() => {
  files += 1;
  file = path.join(folder, `${files}`, 'cloud.db');
});

const open = (): Promise<CloudStore> => CloudStore.open({ path: file, clock, log: silent });

async function refusal(): Promise<StoreUnusable> {
  try {
    await (await open()).close();
  } catch (error) {
    assert.ok(error instanceof StoreUnusable, String(error));
    return error;
  }
  throw new Error('it opened');
}

test('a database in use by another process is refused, and free again once that was killed', async () => {
  await (await open()).close();
  const script = `const D = require('better-sqlite3'); new D(${JSON.stringify(`${file}.lock`)}).exec('BEGIN EXCLUSIVE');
    console.log('held'); setInterval(() => {}, 1000);`;
  const holder = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(holder.stdout, 'readable');
  const error = await refusal();
  assert.deepEqual([error.code, error.exit], ['STORE_LOCKED', 1]);
  holder.kill('SIGKILL');
  await once(holder, 'exit');
  await (await open()).close();
});

test('a database from a newer program is refused and left as it is', async () => {
  await (await open()).close();
  const db = new Sqlite(file);
  db.pragma('user_version = 99');
  db.close();
  const error = await refusal();
  assert.deepEqual([error.code, error.exit], ['STORE_NEWER', 78]);
  assert.match(error.message, /schema 99/);
});

test('a database of another program is refused', async () => {
  await (await open()).close();
  rmSync(file);
  const db = new Sqlite(file);
  db.exec('CREATE TABLE theirs (a)');
  db.close();
  assert.equal((await refusal()).code, 'STORE_NOT_OURS');
});

test('a damaged database is left where it is, and the message says how to restore', async () => {
  await (await open()).close();
  writeFileSync(file, Buffer.alloc(8192, 'x'));
  const error = await refusal();
  assert.deepEqual([error.code, error.exit], ['STORE_CORRUPT', 1]);
  assert.match(error.message, /newest\s+copy/);
});

/** Works share transactions as they do in a store. */
function grouped(
  engine: Engine,
  outcome: (code: string | undefined) => void,
  rolledBack: () => void = () => undefined,
): GroupCommit<Sql> {
  return new GroupCommit<Sql>({
    engine,
    tx: engine.writer,
    clock,
    soon: (task) => void setImmediate(task),
    beforeCommit: async () => undefined,
    rolledBack,
    afterCommit: () => undefined,
    outcome: (failure) => outcome(failure?.code),
  });
}

test('whoever is told that work is done finds it on the disk', async () => {
  const store = await open();
  const other = new Sqlite(file, { readonly: true });
  const count = other.prepare('SELECT count(*) FROM objects').pluck();
  const seen: unknown[] = [];
  store.commit.add(
    ({ wanted }) => wanted.put('default/boiler', BOILER),
    () => seen.push(count.get()),
  );
  store.commit.add(
    ({ wanted }) => wanted.put('default/boiler-1', BOILER_1),
    () => seen.push(count.get()),
  );
  store.onChange(() => seen.push(count.get()));
  await store.commit.run(async () => seen.push(`before: ${String(count.get())}`));
  assert.deepEqual(seen, ['before: 0', 2, 2, 2]);
  other.close();
  await store.close();
});

test('a full disk fails everything of that transaction, says so once, and ends when there is room', async () => {
  const engine = await openSqlite({ path: file, log: silent, lost: assert.fail });
  const { writer } = engine;
  const count = async () => one(writer.all<{ n: number }>('SELECT count(*) n FROM names'));
  await writer.all('PRAGMA max_page_count = 50');
  const outcomes: (string | undefined)[] = [];
  const commit = grouped(engine, (code) => outcomes.push(code));
  const insert = (name: string) => (sql: Sql) =>
    sql.run('INSERT INTO names (name) VALUES ($1)', name);
  const small = commit.run(insert('small'));
  const large = commit.run(insert('x'.repeat(1_000_000)));
  await assert.rejects(small, { code: 'DISK_FULL' });
  await assert.rejects(large, { code: 'DISK_FULL' });
  assert.deepEqual(await count(), { n: 0 });
  await writer.all('PRAGMA max_page_count = 100000');
  await commit.run(insert('again'));
  assert.deepEqual(outcomes, ['DISK_FULL', undefined]);
  await engine.close();
});

test('a disk that does not keep what was written ends the service, and what was read meanwhile is not told', async () => {
  const failures: string[] = [];
  const opened = openFiles(file);
  const writer = new SqliteWriter(opened.db, {
    path: file,
    log: silent,
    lost: ({ code }) => failures.push(code),
    sync: () => Promise.reject(new Error('EIO: i/o error, fdatasync')),
  });
  await writer.begin();
  await writer.run(`INSERT INTO names (name) VALUES ('a')`);
  await assert.rejects(writer.commit(), {
    code: 'DISK_LOST',
    message: /EIO.*start the service again/,
  });
  await assert.rejects(writer.durable(), { code: 'DISK_LOST' });
  await assert.rejects(writer.begin(), { code: 'DISK_LOST' });
  assert.deepEqual(failures, ['DISK_LOST']);
  await writer.close();
  opened.close();
});

test('neither who writes nor who reads is answered before the disk has it', async () => {
  const { promise: kept, resolve: keep } = Promise.withResolvers<void>();
  const engine = await openSqlite({ path: file, log: silent, lost: assert.fail, sync: () => kept });
  const { writer } = engine;
  const answered: unknown[] = [];
  await writer.begin();
  await writer.run(`INSERT INTO names (name) VALUES ('a')`);
  const all = [
    writer.commit().then(() => answered.push('written')),
    engine.read((sql) => sql.all('SELECT name FROM names')).then((rows) => answered.push(...rows)),
  ];
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(answered, []);
  keep();
  await Promise.all(all);
  assert.deepEqual(answered, ['written', { name: 'a' }]);
  await engine.close();
});

test('the log is copied beside the writing, and begins anew', async (t) => {
  const engine = await openSqlite({ path: file, log: silent, lost: assert.fail });
  t.after(() => engine.close());
  const { writer } = engine;
  const doc = 'x'.repeat(16_000);
  let n = 0;
  /** Returns how long the log is then. A row takes four pages. */
  const write = async (rows: number): Promise<number> => {
    await writer.begin();
    for (const end = n + rows; n < end; n++) {
      await writer.run('INSERT INTO docs (n, doc) VALUES ($1, $2)', n, doc);
    }
    await writer.commit();
    const [found] = await writer.all<{ log: number }>('PRAGMA wal_checkpoint(NOOP)');
    return found?.log ?? 0;
  };
  let most = 0;
  while (most < 16_000) most = await write(200);
  let log = most;
  // Long before whoever writes would have to copy it, however late the thread gets its turn.
  for (let tries = 0; tries < 500 && log >= most; tries++) {
    most = log;
    await sleep(20);
    log = await write(1);
  }
  assert.ok(log < most, `${most} pages of log, and then ${log}`);
});

const NAMES: Table<{ readonly n: number; readonly name: string }> = {
  name: 'names',
  columns: { n: 'integer', name: 'text' },
  key: ['n'],
};
const named = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => ({ n: from + i, name: `name ${from + i}` }));

/** A transaction of one piece of work. */
async function written(writer: SqliteWriter, work: () => Promise<void>): Promise<void> {
  await writer.begin();
  await writer.savepoint();
  await work();
  await writer.release();
  await writer.commit();
}

test('what a transaction wrote it reads, wherever it was written', async () => {
  const opened = openFiles(file);
  const writer = new SqliteWriter(opened.db, { path: file, log: silent, lost: assert.fail });
  const count = async () => one(writer.all<{ n: number }>('SELECT count(*) n FROM names'));
  for (const many of [3, 300]) {
    await written(writer, async () => {
      await writer.put(NAMES, named(0, many));
      assert.deepEqual(await writer.find(NAMES, [[1], [many + 7]]), [{ n: 1, name: 'name 1' }]);
      await writer.put(NAMES, [{ n: 1, name: `one of ${many}` }]);
      assert.deepEqual(await writer.find(NAMES, [[1]]), [{ n: 1, name: `one of ${many}` }]);
    });
    assert.deepEqual(await count(), { n: many });
  }
  await written(writer, async () => {
    await writer.put(NAMES, named(300, 400));
    await writer.run('DELETE FROM names WHERE n < $1', 350);
    assert.deepEqual(await writer.find(NAMES, [[1], [349], [350]]), [{ n: 350, name: 'name 350' }]);
    assert.deepEqual(await count(), { n: 50 });
    assert.equal(await writer.change('DELETE FROM names WHERE n < 360'), 10);
  });
  assert.deepEqual(await count(), { n: 40 });
  await writer.close();
  opened.close();
});

test('work that fails takes only its own rows with it', async () => {
  const engine = await openSqlite({ path: file, log: silent, lost: assert.fail });
  const { writer } = engine;
  await writer.begin();
  await writer.savepoint();
  await writer.put(NAMES, named(0, 100));
  await writer.release();
  await writer.savepoint();
  await writer.put(NAMES, named(50, 150));
  await writer.back();
  assert.deepEqual(await writer.find(NAMES, [[120], [60]]), [{ n: 60, name: 'name 60' }]);
  await writer.release();
  await writer.commit();
  const found = await engine.read((sql) => sql.all<{ n: number }>('SELECT n FROM names'));
  assert.equal(found.length, 100);
  await engine.close();
});

test('rows that cannot be written spoil the work that wants them, not the others of its transaction', async () => {
  for (const many of [3, 300]) {
    const engine = await openSqlite({ path: `${file}-${many}`, log: silent, lost: assert.fail });
    const outcomes: unknown[] = [];
    let undone = 0;
    const commit = grouped(
      engine,
      (code) => outcomes.push(code),
      () => (undone += 1),
    );
    const put = (from: number, name?: string) => (sql: Sql) => {
      const rows = named(from, from + many).map((row) => ({ ...row, name: name ?? row.name }));
      return sql.put(NAMES, rows);
    };
    const all = [put(0), put(1000, 'twice the same'), put(2000)].map((work) => commit.run(work));
    const settled = await Promise.allSettled(all);
    assert.deepEqual(
      settled.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled'],
    );
    assert.match(String((settled[1] as PromiseRejectedResult).reason), /UNIQUE/);
    assert.deepEqual([outcomes, undone], [[undefined], 2]);
    const found = await engine.read((sql) => sql.all('SELECT * FROM names'));
    assert.equal(found.length, 2 * many);
    await engine.close();
  }
});

test('what waits when it is closed is done once, in one transaction after the other', async () => {
  const engine = await openSqlite({ path: file, log: silent, lost: assert.fail });
  const outcomes: unknown[] = [];
  const commit = grouped(engine, (code) => outcomes.push(code));
  let done = 0;
  const all = named(0, 50).map((row) =>
    commit.run(async (sql) => {
      done += 1;
      await sql.put(NAMES, [row]);
    }),
  );
  await commit.close();
  await Promise.all(all);
  assert.deepEqual([done, outcomes], [50, [undefined]]);
  await engine.close();
});

test('of what a thread was writing when it died nothing is kept, and the next goes on', async () => {
  const opened = openFiles(file);
  const count = opened.db.prepare('SELECT count(*) FROM names').pluck();
  const thread = new WriteThread(file, silent);
  const note = (many: number) => {
    const values = named(0, many).flatMap(({ n, name }) => [n, name]);
    return { text: 'INSERT INTO names (n, name) VALUES (?, ?)', width: 2, values };
  };
  const other = new Sqlite(file, { timeout: 0 });
  const locked = (): boolean => {
    try {
      other.exec('BEGIN IMMEDIATE; ROLLBACK');
      return false;
    } catch {
      return true;
    }
  };
  const dying = assert.rejects(thread.carryOut([note(200_000)]), { code: 'DISK_IO' });
  while (!locked()) await sleep(1);
  await thread.close();
  await dying;
  assert.deepEqual([locked(), count.get()], [false, 0]);
  await thread.carryOut([note(2)]);
  assert.equal(count.get(), 2);
  await thread.close();
  other.close();
  opened.close();
});
