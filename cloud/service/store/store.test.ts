import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, beforeEach, test } from 'node:test';
import Sqlite from 'better-sqlite3';
import { BOILER, BOILER_1, clockAt, FACTS, silent } from '../testing.ts';
import { MAX_DELETIONS } from './deletions.ts';
import { StoreUnusable } from './errors.ts';
import { GroupCommit } from './group-commit.ts';
import { one, type Sql } from './sql.ts';
import { openSqlite } from './sqlite.ts';
import { CloudStore, type Writing } from './store.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'limpet-store-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const clock = clockAt(Date.UTC(2026, 10, 21));
let file: string;
let files = 0;
beforeEach(() => {
  files += 1;
  file = path.join(folder, `${files}`, 'cloud.db');
});

const open = (at = file): Promise<CloudStore> => CloudStore.open({ path: at, clock, log: silent });

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

test('versions go on above the last one after a restart, also when the clock went back', async () => {
  const first = await open();
  const { version } = await first.commit.run(({ wanted }) => wanted.put('default/boiler', BOILER));
  await first.close();
  const early = await CloudStore.open({ path: file, clock: clockAt(0), log: silent });
  assert.ok(early.version() >= version);
  const next = await early.commit.run(({ wanted }) => wanted.put('default/boiler-1', BOILER_1));
  assert.ok(next.version > version);
  await early.close();
});

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

test('work that throws spoils only itself', async () => {
  const store = await open();
  const outcomes = await Promise.allSettled([
    store.commit.run(({ wanted }) => wanted.put('default/boiler', BOILER)),
    store.commit.run(async ({ wanted }) => {
      await wanted.put('default/boiler-1', BOILER_1);
      throw new Error('no');
    }),
  ]);
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ['fulfilled', 'rejected'],
  );
  assert.equal(
    await store.read(({ objects }) => objects.has('DeviceModel', 'default/boiler')),
    true,
  );
  assert.equal(await store.read(({ objects }) => objects.has('Device', 'default/boiler-1')), false);
  await store.close();
});

test('a full disk fails everything of that transaction, says so once, and ends when there is room', async () => {
  const engine = openSqlite(file);
  const { writer } = engine;
  const count = async () => one(writer.all<{ n: number }>('SELECT count(*) n FROM names'));
  await writer.all('PRAGMA max_page_count = 50');
  const outcomes: (string | undefined)[] = [];
  const commit = new GroupCommit({
    engine,
    tx: writer,
    clock,
    soon: (task) => void setImmediate(task),
    beforeCommit: async () => undefined,
    rolledBack: () => undefined,
    afterCommit: () => undefined,
    outcome: (failure) => outcomes.push(failure?.code),
  });
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

test('the newest deletions are kept, and with older ones the withdrawn desired values go too', async () => {
  const store = await open();
  const deleteOne = async ({ wanted }: Writing, index: number): Promise<void> => {
    const id = `default/d-${index}`;
    const doc = { ...BOILER_1, metadata: { name: `d-${index}`, namespace: 'default' } };
    const object = await wanted.put(id, doc);
    const order = { device: id, property: 'pump', node: 'gateway-1', value: true, accepted: 0 };
    await wanted.order(order);
    await wanted.remove(object);
  };
  for (let from = 0; from < MAX_DELETIONS + 5; from += 500) {
    await store.commit.run(async (tx) => {
      for (let index = from; index < Math.min(from + 500, MAX_DELETIONS + 5); index++)
        await deleteOne(tx, index);
    });
  }
  await store.commit.run(async ({ deletions, desired }) => {
    assert.equal(await deletions.get('Device', 'default/d-4'), undefined);
    assert.equal(await desired.get('default/d-4', 'pump'), undefined);
    assert.equal((await deletions.get('Device', 'default/d-5'))?.id, 'default/d-5');
    assert.equal((await desired.get('default/d-5', 'pump'))?.value, null);
  });
  assert.ok((await store.read(({ view }) => view.line())).forgotten > 0);
  await store.close();
});

test('orders newer than a deletion wait for the device and go to its node, unless a user declares it anew', async () => {
  const store = await open();
  await store.commit.run(async ({ wanted, desired, line }) => {
    const id = 'default/boiler-1';
    const elsewhere = { ...BOILER_1, spec: { ...BOILER_1.spec, node: 'gateway-2' } };
    const of = { device: id, node: 'gateway-1', accepted: 0 };
    const values = async () => (await desired.of(id)).map(({ value, node }) => ({ value, node }));
    const older = await wanted.put(id, BOILER_1);
    await wanted.order({ ...of, property: 'pump', value: true });
    const deletion = line.next();
    await wanted.order({ ...of, property: 'setpoint', value: 61 });
    await wanted.remove(older, deletion);
    assert.deepEqual(await values(), [
      { value: null, node: 'gateway-1' },
      { value: 61, node: '*' },
    ]);
    const found = await wanted.put(id, elsewhere, deletion);
    assert.deepEqual(await values(), [
      { value: null, node: 'gateway-2' },
      { value: 61, node: 'gateway-2' },
    ]);
    await wanted.remove(found, deletion);
    await wanted.put(id, elsewhere);
    assert.deepEqual(await values(), [{ value: null, node: 'gateway-2' }]);
  });
  await store.close();
});

test('a node is kept with its facts and streams', async () => {
  const store = await open();
  const node = {
    name: 'n',
    state: 'online',
    lastSeen: 1,
    facts: FACTS,
    epoch: 'e',
    seq: 3,
    stored: 4,
  } as const;
  await store.commit.run(({ nodes }) => nodes.put(node));
  await store.close();
  const again = await open();
  assert.deepEqual(await again.read(({ nodes }) => nodes.get('n')), node);
  await again.close();
});
