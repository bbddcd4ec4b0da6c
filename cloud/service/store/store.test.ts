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
import { CloudStore } from './store.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'limpet-store-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const clock = clockAt(Date.UTC(2026, 10, 21));
let file: string;
let files = 0;
beforeEach(() => {
  files += 1;
  file = path.join(folder, `${files}`, 'cloud.db');
});

const open = (at = file): CloudStore => CloudStore.open({ path: at, clock, log: silent });

function refusal(): StoreUnusable {
  try {
    open().close();
  } catch (error) {
    assert.ok(error instanceof StoreUnusable, String(error));
    return error;
  }
  throw new Error('it opened');
}

test('a database in use by another process is refused, and free again once that was killed', async () => {
  open().close();
  const script = `const D = require('better-sqlite3'); new D(${JSON.stringify(`${file}.lock`)}).exec('BEGIN EXCLUSIVE');
    console.log('held'); setInterval(() => {}, 1000);`;
  const holder = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(holder.stdout, 'readable');
  const error = refusal();
  assert.deepEqual([error.code, error.exit], ['STORE_LOCKED', 1]);
  holder.kill('SIGKILL');
  await once(holder, 'exit');
  open().close();
});

test('a database from a newer program is refused and left as it is', () => {
  open().close();
  const db = new Sqlite(file);
  db.pragma('user_version = 99');
  db.close();
  const error = refusal();
  assert.deepEqual([error.code, error.exit], ['STORE_NEWER', 78]);
  assert.match(error.message, /schema 99/);
});

test('a database of another program is refused', () => {
  open().close();
  rmSync(file);
  const db = new Sqlite(file);
  db.exec('CREATE TABLE theirs (a)');
  db.close();
  assert.equal(refusal().code, 'STORE_NOT_OURS');
});

test('a damaged database is left where it is, and the message says how to restore', () => {
  open().close();
  writeFileSync(file, Buffer.alloc(8192, 'x'));
  const error = refusal();
  assert.deepEqual([error.code, error.exit], ['STORE_CORRUPT', 1]);
  assert.match(error.message, /newest\s+copy/);
});

test('versions go on above the last one after a restart, also when the clock went back', async () => {
  const first = open();
  const { version } = await first.commit.run(() => first.wanted.put('default/boiler', BOILER));
  first.close();
  const early = CloudStore.open({ path: file, clock: clockAt(0), log: silent });
  assert.ok(early.version() >= version);
  const next = await early.commit.run(() => early.wanted.put('default/boiler-1', BOILER_1));
  assert.ok(next.version > version);
  early.close();
});

test('whoever is told that work is done finds it on the disk', async () => {
  const store = open();
  const other = new Sqlite(file, { readonly: true });
  const count = other.prepare('SELECT count(*) FROM objects').pluck();
  const seen: unknown[] = [];
  store.commit.add(
    () => store.wanted.put('default/boiler', BOILER),
    () => seen.push(count.get()),
  );
  store.commit.add(
    () => store.wanted.put('default/boiler-1', BOILER_1),
    () => seen.push(count.get()),
  );
  store.onChange(() => seen.push(count.get()));
  await store.commit.run(() => seen.push(`before: ${String(count.get())}`));
  assert.deepEqual(seen, ['before: 0', 2, 2, 2]);
  other.close();
  store.close();
});

test('work that throws spoils only itself', async () => {
  const store = open();
  const outcomes = await Promise.allSettled([
    store.commit.run(() => store.wanted.put('default/boiler', BOILER)),
    store.commit.run(() => {
      store.wanted.put('default/boiler-1', BOILER_1);
      throw new Error('no');
    }),
  ]);
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ['fulfilled', 'rejected'],
  );
  assert.equal(store.objects.has('DeviceModel', 'default/boiler'), true);
  assert.equal(store.objects.has('Device', 'default/boiler-1'), false);
  store.close();
});

test('a full disk fails everything of that transaction, says so once, and ends when there is room', async () => {
  const db = new Sqlite(path.join(folder, 'full.db'));
  db.pragma('journal_mode = WAL');
  db.exec('CREATE TABLE t (a)');
  db.pragma('max_page_count = 4');
  const outcomes: (string | undefined)[] = [];
  const commit = new GroupCommit(db, {
    clock,
    soon: (task) => void setImmediate(task),
    beforeCommit: () => undefined,
    afterCommit: () => undefined,
    outcome: (failure) => outcomes.push(failure?.code),
  });
  const insert = db.prepare('INSERT INTO t VALUES (?)');
  const small = commit.run(() => insert.run('small'));
  const large = commit.run(() => insert.run('x'.repeat(100_000)));
  await assert.rejects(small, { code: 'DISK_FULL' });
  await assert.rejects(large, { code: 'DISK_FULL' });
  assert.equal(db.prepare('SELECT count(*) FROM t').pluck().get(), 0);
  db.pragma('max_page_count = 1000');
  await commit.run(() => insert.run('again'));
  assert.deepEqual(outcomes, ['DISK_FULL', undefined]);
  db.close();
});

test('the newest deletions are kept, and with older ones the withdrawn desired values go too', async () => {
  const store = open();
  const deleteOne = (index: number): void => {
    const id = `default/d-${index}`;
    const doc = { ...BOILER_1, metadata: { name: `d-${index}`, namespace: 'default' } };
    const object = store.wanted.put(id, doc);
    const order = { device: id, property: 'pump', node: 'gateway-1', value: true, accepted: 0 };
    store.wanted.order(order);
    store.wanted.remove(object);
  };
  for (let from = 0; from < MAX_DELETIONS + 5; from += 500) {
    await store.commit.run(() => {
      for (let index = from; index < Math.min(from + 500, MAX_DELETIONS + 5); index++)
        deleteOne(index);
    });
  }
  assert.equal(store.deletions.get('Device', 'default/d-4'), undefined);
  assert.equal(store.desired.get('default/d-4', 'pump'), undefined);
  assert.equal(store.deletions.get('Device', 'default/d-5')?.id, 'default/d-5');
  assert.equal(store.desired.get('default/d-5', 'pump')?.value, null);
  assert.ok(store.deletions.forgotten() > 0);
  store.close();
});

test('orders newer than a deletion wait for the device and go to its node, unless a user declares it anew', async () => {
  const store = open();
  await store.commit.run(() => {
    const id = 'default/boiler-1';
    const elsewhere = { ...BOILER_1, spec: { ...BOILER_1.spec, node: 'gateway-2' } };
    const of = { device: id, node: 'gateway-1', accepted: 0 };
    const values = () => store.desired.of(id).map(({ value, node }) => ({ value, node }));
    const older = store.wanted.put(id, BOILER_1);
    store.wanted.order({ ...of, property: 'pump', value: true });
    const deletion = store.line.next();
    store.wanted.order({ ...of, property: 'setpoint', value: 61 });
    store.wanted.remove(older, deletion);
    assert.deepEqual(values(), [
      { value: null, node: 'gateway-1' },
      { value: 61, node: '*' },
    ]);
    const found = store.wanted.put(id, elsewhere, deletion);
    assert.deepEqual(values(), [
      { value: null, node: 'gateway-2' },
      { value: 61, node: 'gateway-2' },
    ]);
    store.wanted.remove(found, deletion);
    store.wanted.put(id, elsewhere);
    assert.deepEqual(values(), [{ value: null, node: 'gateway-2' }]);
  });
  store.close();
});

test('a node is kept with its facts and streams', async () => {
  const store = open();
  const node = {
    name: 'n',
    state: 'online',
    lastSeen: 1,
    facts: FACTS,
    epoch: 'e',
    seq: 3,
    stored: 4,
  } as const;
  await store.commit.run(() => store.nodes.put(node));
  store.close();
  const again = open();
  assert.deepEqual(again.nodes.get('n'), node);
  again.close();
});
