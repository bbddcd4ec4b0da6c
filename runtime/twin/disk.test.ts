/** What the store does when the disk is full, damaged, taken, or loses power. Real files, real processes. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { test, type TestContext } from 'node:test';
import { type Reported } from '@limpet/dmi/manifest';
import Database from 'better-sqlite3';
import { device, folder, gone, good, model, row, TestClock, testLog } from './fixtures.ts';
import { TwinStore, type TwinStoreOptions } from './store.ts';

const A = 'default/a';
const B = 'default/b';
const ROWS = [
  row(model('m', [{ name: 'text', type: 'string' }, 'x']), 2),
  row(device('a', 'm'), 4),
  row(device('b', 'm'), 6),
];

function setting(t: TestContext, options: Partial<TwinStoreOptions> = {}) {
  const path = join(folder(t), 'twin.db');
  const clock = new TestClock();
  const log = testLog();
  const open = (): TwinStore => {
    const store = TwinStore.open({ path, clock, log, ...options });
    t.after(() => store.close());
    return store;
  };
  return { path, clock, log, open };
}

function reported(store: TwinStore, property: string): Reported<number> | undefined {
  return store.twin(A)?.properties.get(property)?.reported;
}

/** A store of some hundred pages, closed. */
function filled(t: TestContext) {
  const { path, clock, log, open } = setting(t);
  const store = open();
  store.mergeWanted(ROWS, 6);
  const values = Array.from(
    { length: 500 },
    (_, i) => [`p${i}`, good('v'.repeat(900), i)] as const,
  );
  store.report(A, new Map(values));
  store.order(A, 'x', 5);
  store.close();
  return { path, clock, log, open };
}

test('on a full disk orders are refused, reports live on in memory and are written when there is room', (t) => {
  const { clock, log, open } = setting(t, { maxBytes: 300_000 });
  const store = open();
  store.mergeWanted(ROWS, 6);
  store.report(B, new Map([['text', good('b'.repeat(150_000), 1)]]));
  clock.advance(10);
  assert.equal(store.counters.pendingRows, 0);

  store.report(A, new Map([['text', good('a'.repeat(150_000), 1)]]));
  store.report(A, new Map([['x', good(1, 1)]]));
  clock.advance(10);
  assert.equal(store.counters.pendingRows, 2);
  assert.equal(store.counters.diskErrors, 1);
  const seq = store.seq();
  assert.throws(() => store.order(A, 'text', 'o'.repeat(150_000)), { code: 'DISK_FULL' });
  assert.equal(store.seq(), seq);
  assert.equal(store.twin(A)?.properties.get('text')?.desired, undefined);
  assert.equal(reported(store, 'x')?.value, 1);

  clock.advance(600_000);
  assert.ok(store.counters.diskErrors > 10, 'it is tried again and again');
  const told = () => log.lines.filter(({ message }) => message.startsWith('twin store')).length;
  assert.equal(told(), 1, 'and said once');

  store.mergeWanted([gone('Device', 'b', 8)], 8);
  clock.advance(60_000);
  assert.equal(store.counters.pendingRows, 0);
  assert.equal(log.lines.at(-1)?.message, 'twin store writes again');
  assert.equal(told(), 2);
  store.close();
  const again = open();
  assert.equal(reported(again, 'text')?.value, 'a'.repeat(150_000));
  assert.equal(reported(again, 'x')?.value, 1);
});

for (const [name, damage] of [
  ['a header overwritten', (path: string) => scribble(path, 0, 100)],
  ['an empty disk block at the front', (path: string) => scribble(path, 0, 4_096, 0)],
  ['the schema page overwritten', (path: string) => scribble(path, 100, 2_000)],
  ['a page in the middle overwritten', (path: string) => scribble(path, 200_704, 4_096)],
  ['the middle zeroed', (path: string) => scribble(path, 200_704, 40_960, 0)],
  ['the end overwritten', (path: string) => scribble(path, statSync(path).size - 8_192, 8_192)],
  ['the end cut off', (path: string) => truncateSync(path, statSync(path).size - 10_000)],
  [
    'a text file in its place',
    (path: string) => writeFileSync(path, 'not a database\n'.repeat(99)),
  ],
  [
    'a JSON column that is none',
    (path: string) => edit(path, "UPDATE property SET reported = '{'"),
  ],
  ['no cursor', (path: string) => edit(path, 'DELETE FROM cursor')],
] as const) {
  test(`damage found at start (${name}) sets the file aside and begins anew`, (t) => {
    const { path, log, open } = filled(t);
    damage(path);
    const damaged = readFileSync(path);
    const store = open();
    assert.equal(store.opened.kind, 'recovered');
    const aside = store.opened.kind === 'recovered' ? store.opened.aside : '';
    assert.match(aside, /twin\.db\.corrupt-20261121T000000\.000Z$/);
    assert.ok(readFileSync(aside).equals(damaged), 'the damaged file is kept as it was');
    assert.equal(store.rev(), 0, 'the cloud sends everything again');
    assert.deepEqual(store.devices(), []);
    assert.equal(log.lines[0]?.level, 'error');
    store.mergeWanted(ROWS, 6);
    store.order(A, 'x', 5);
    store.close();
    const again = open();
    assert.deepEqual(again.opened, { kind: 'existing' });
    assert.equal(again.twin(A)?.properties.get('x')?.desired?.value, 5);
  });
}

test('what only the log of a damaged file held is set aside with it, not played into the new one', (t) => {
  const { path, open } = filled(t);
  open().order(A, 'x', 987_654);
  const copy = setting(t);
  for (const suffix of ['', '-wal']) copyFileSync(path + suffix, copy.path + suffix);
  scribble(copy.path, 0, 100);
  assert.ok(!readFileSync(copy.path).includes('987654'));
  const store = copy.open();
  assert.equal(store.opened.kind, 'recovered');
  assert.deepEqual(store.devices(), []);
  const kept = readdirSync(dirname(copy.path))
    .filter((name) => name.includes('corrupt'))
    .map((name) => readFileSync(join(dirname(copy.path), name)));
  assert.ok(kept.some((bytes) => bytes.includes('987654')));
});

test('a damaged page that the log still holds whole is mended by it', (t) => {
  const { path, open } = setting(t);
  open().mergeWanted(ROWS, 6);
  const copy = setting(t);
  for (const suffix of ['', '-wal']) copyFileSync(path + suffix, copy.path + suffix);
  scribble(copy.path, 0, 100);
  const store = copy.open();
  assert.deepEqual(store.opened, { kind: 'existing' });
  assert.deepEqual(store.devices(), [A, B]);
});

test('at most three damaged files are kept, the newest', (t) => {
  const { path, clock, open } = setting(t);
  for (let i = 0; i < 6; i++) {
    writeFileSync(path, `damaged ${i} `.repeat(50));
    open().close();
    clock.advance(1_000);
  }
  const kept = readdirSync(dirname(path)).filter((name) => name.includes('corrupt'));
  assert.deepEqual(
    kept.map((name) => /corrupt-\d+T(\d+)/.exec(name)?.[1]),
    ['000003', '000004', '000005'],
  );
});

test('a file of a newer Limpet and one of something else are refused and left alone', (t) => {
  const { path, open } = setting(t);
  edit(path, 'PRAGMA user_version = 99');
  assert.throws(open, { name: 'StoreError', code: 'SCHEMA_NEWER' });
  edit(path, 'PRAGMA user_version = 0; CREATE TABLE music (title TEXT)');
  assert.throws(open, { code: 'NOT_A_STORE' });
  assert.deepEqual(readdirSync(dirname(path)), ['twin.db']);
});

test('a second edge on the same file is refused, and the first goes on', (t) => {
  const { open } = setting(t);
  const store = open();
  store.mergeWanted(ROWS, 6);
  assert.throws(open, { code: 'STORE_LOCKED' });
  store.order(A, 'x', 1);
  store.close();
  assert.equal(open().twin(A)?.properties.get('x')?.desired?.value, 1);
});

test('a folder that cannot be made is told by name', (t) => {
  const path = join(folder(t), 'file');
  writeFileSync(path, '');
  const options = { path: join(path, 'twin.db'), clock: new TestClock(), log: testLog() };
  assert.throws(() => TwinStore.open(options), { code: 'DISK_IO', message: /file\/twin\.db/ });
});

test('only its owner may read the file', (t) => {
  const { path, open } = setting(t);
  open().mergeWanted(ROWS, 6);
  for (const name of readdirSync(dirname(path))) {
    assert.equal(statSync(join(dirname(path), name)).mode & 0o077, 0, name);
  }
});

test('kill -9 in the middle of writing loses no order that was acknowledged', async (t) => {
  const { path, open } = setting(t);
  const first = open();
  first.mergeWanted(ROWS, 6);
  first.close();
  let last = 0;
  for (let life = 0; life < 5; life++) {
    last = await killedAfter(path, 15 + life * 17, last);
    const store = open();
    assert.deepEqual(store.opened, { kind: 'existing' });
    const held = store.twin(A)?.properties.get('x')?.desired;
    const value = held?.value as number;
    assert.ok(value === last || value === last + 1, `acknowledged ${last}, found ${value}`);
    assert.equal(held?.verdict, 'pending');
    last = value;
    store.close();
  }
});

test('with a long interval a kill loses the last reported values, never an order or how far it got', (t) => {
  const { path, clock, open } = setting(t, { commitMs: () => 10_000 });
  const store = open();
  store.mergeWanted(ROWS, 6);
  store.report(B, new Map([['x', good(1, 1)]]));
  clock.advance(1_000);
  store.report(B, new Map([['x', good(2, 2)]]));
  const rev = store.order(A, 'x', 5);
  store.judge(A, 'x', rev, { sent: 3, confirmed: 4, verdict: 'applied', readBack: 5.01 });
  clock.advance(10);
  const killed = setting(t);
  for (const suffix of ['', '-wal']) copyFileSync(path + suffix, killed.path + suffix);
  const after = killed.open();
  const x = (of: TwinStore, id: string) => of.twin(id)?.properties.get('x');
  assert.equal(x(after, A)?.desired?.verdict, 'applied');
  assert.equal(after.readBack(A, 'x'), 5.01);
  const { value, quality } = x(after, B)?.reported ?? {};
  assert.deepEqual([value, quality], [1, 'stale'], 'the older value, and it is said to be old');
  clock.advance(9_000);
  const later = setting(t);
  for (const suffix of ['', '-wal']) copyFileSync(path + suffix, later.path + suffix);
  assert.equal(x(later.open(), B)?.reported?.value, 2);
});

/** Starts a process that orders and reports without end, kills it after so many orders; the last one it told. */
async function killedAfter(path: string, orders: number, from: number): Promise<number> {
  const script = new URL('fixtures-writer.ts', import.meta.url).pathname;
  const args = ['--conditions=source', script, path, String(from)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let last = from;
  for await (const line of createInterface(child.stdout)) {
    last = Number(line);
    if (last === from + orders) child.kill('SIGKILL');
  }
  if (child.signalCode === null && child.exitCode === null) await once(child, 'exit');
  assert.equal(child.signalCode, 'SIGKILL');
  assert.ok(last >= from + orders);
  return last;
}

function scribble(path: string, at: number, length: number, byte?: number): void {
  const bytes = readFileSync(path);
  for (let i = at; i < at + length; i++) bytes[i] = byte ?? (i * 151 + 7) % 256;
  writeFileSync(path, bytes);
}

function edit(path: string, sql: string): void {
  const db = new Database(path);
  db.exec(sql);
  db.close();
}

test('a folder that cannot be made is told at once, also below /proc', () => {
  const open = () =>
    TwinStore.open({ path: '/proc/limpet/state/twin.db', clock: new TestClock(), log: testLog() });
  assert.throws(open, { code: 'DISK_IO', message: /cannot create .* \(ENOENT\)/ });
});
