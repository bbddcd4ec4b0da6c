/** The disk's share, its watch, and the count of what is written to it. */
import { fakeClock, recordingLog } from '@limpet/dmi/testing';
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import Database from 'better-sqlite3';
import { DiskWatch, RESERVE_BYTES } from './disk.ts';
import { diskOverbooked, shareDisk } from './disk-share.ts';
import { Wear } from './wear.ts';
import { threadWritten } from './written.ts';

const MIB = 2 ** 20;
const WISH = { ceiling: 256 * MIB, twins: 64 * MIB, samples: 64 * MIB };

function folder(t: TestContext): string {
  const made = mkdtempSync(path.join(tmpdir(), 'limpet-disk-'));
  t.after(() => rmSync(made, { recursive: true }));
  return made;
}

test('what fits below the ceiling is taken; what does not is refused with the table and a way out', () => {
  const four = ['modbus', 'opcua', 'bluetooth', 'acme'].map((protocol) => {
    return { protocol, bytes: 16 * MIB };
  });
  assert.equal(diskOverbooked(shareDisk(WISH, four)), undefined);
  const told = diskOverbooked(shareDisk({ ...WISH, samples: 65 * MIB }, four)) ?? '';
  assert.match(told, /^ {2}twins set aside +64\.0 MiB$/m);
  assert.match(told, /^ {2}samples +65\.0 MiB$/m);
  assert.match(told, /^ {2}scratch of acme +16\.0 MiB$/m);
  assert.match(told, /^ {2}sum +257\.0 MiB$/m);
  assert.match(told, /raise disk\.ceiling to at least 257Mi/);
  assert.match(told, /give a mapper less \(mappers\.PROTOCOL\.disk\)/);
});

test('each file counts to its part, and one part beyond its budget is told once', async (t) => {
  const data = folder(t);
  const [clock, log] = [fakeClock(), recordingLog()];
  mkdirSync(path.join(data, 'mappers/acme'), { recursive: true });
  const write = (name: string, mib: number): void =>
    writeFileSync(path.join(data, name), Buffer.alloc(mib * MIB, 1));
  write('twins.db', 2);
  write('twins.db-wal', 1);
  write('twins.db.corrupt-20261121T000000.000Z', 1);
  write('samples.db', 3);
  write('mappers/acme/cache', 2);
  const share = shareDisk({ ...WISH, samples: 2 * MIB }, [{ protocol: 'acme', bytes: 4 * MIB }]);
  const watch = new DiskWatch({ data, share: () => share, clock, log });
  watch.start();
  const now = Object.fromEntries(watch.rows().map((row) => [row.what, row.now / MIB]));
  assert.deepEqual(now, {
    twins: 3,
    'twins set aside': 1,
    samples: 3,
    'scratch of acme': 2,
    'data folder': 9,
  });
  await clock.advance(120_000);
  assert.equal(log.lines.length, 1);
  assert.equal(log.lines[0]?.fields['what'], 'samples');
  write('samples.db', 1);
  await clock.advance(30_000);
  write('samples.db', 4);
  await clock.advance(30_000);
  const samples = watch.rows().find(({ what }) => what === 'samples');
  assert.deepEqual([samples?.now, samples?.peak, samples?.over], [4 * MIB, 4 * MIB, 2]);
  watch.stop();
});

// It is started without asking, and the next start of the node would be refused with nobody warned.
test('a mapper that is installed later has its row, and when its share does not fit that is told once', async (t) => {
  const data = folder(t);
  const [clock, log] = [fakeClock(), recordingLog()];
  const mappers = [{ protocol: 'acme', bytes: 16 * MIB }];
  const watch = new DiskWatch({ data, share: () => shareDisk(WISH, mappers), clock, log });
  watch.start();
  mappers.push({ protocol: 'late', bytes: 32 * MIB });
  mkdirSync(path.join(data, 'mappers/late'), { recursive: true });
  writeFileSync(path.join(data, 'mappers/late/cache'), Buffer.alloc(MIB, 1));
  await clock.advance(30_000);
  const late = watch.rows().find(({ what }) => what === 'scratch of late');
  assert.deepEqual([late?.budget, late?.now], [32 * MIB, MIB]);
  assert.equal(log.lines.length, 0);
  mappers.push({ protocol: 'huge', bytes: 64 * MIB });
  await clock.advance(90_000);
  assert.deepEqual(
    log.lines.map(({ fields }) => fields['code']),
    ['DISK_OVERBOOKED'],
  );
  mappers.splice(0, 3);
  await clock.advance(30_000);
  assert.equal(
    watch.rows().find(({ what }) => what === 'scratch of acme'),
    undefined,
  );
  watch.stop();
});

// A mapper that makes files without end must not fill the core's memory with their names.
test('of a folder with files without end so many are looked at, and that is told', (t) => {
  const data = folder(t);
  mkdirSync(path.join(data, 'mappers/acme'), { recursive: true });
  writeFileSync(path.join(data, 'twins.db'), Buffer.alloc(MIB, 1));
  for (let index = 0; index < 2_100; index++) {
    writeFileSync(path.join(data, `mappers/acme/${index}`), '');
  }
  const share = shareDisk(WISH, [{ protocol: 'acme', bytes: 4 * MIB }]);
  const watch = new DiskWatch({
    data,
    share: () => share,
    clock: fakeClock(),
    log: recordingLog(),
  });
  watch.start();
  watch.stop();
  const row = (name: string) => watch.rows().find(({ what }) => what === name);
  assert.equal(row('twins')?.now, MIB, 'what is ours is counted first');
  assert.match(row('data folder')?.note ?? '', /more than 2000 files, not all counted/);
});

test('a file system that is nearly full is told once, and its end once', async (t) => {
  const [clock, log] = [fakeClock(), recordingLog()];
  let free = RESERVE_BYTES * 2;
  const share = shareDisk(WISH, []);
  const watch = new DiskWatch({
    data: folder(t),
    share: () => share,
    clock,
    log,
    free: () => free,
  });
  watch.start();
  assert.equal(watch.low(), false);
  for (const next of [RESERVE_BYTES - 1, 1, RESERVE_BYTES + 1]) {
    free = next;
    await clock.advance(30_000);
    assert.equal(watch.low(), true);
  }
  free = RESERVE_BYTES * 2;
  await clock.advance(30_000);
  assert.equal(watch.low(), false);
  const told = log.lines.map(({ message }) => message);
  assert.deepEqual(told, ['disk nearly full', 'disk has room again']);
  watch.stop();
});

function counting(t: TestContext, data = folder(t)) {
  const [clock, log] = [fakeClock(), recordingLog()];
  let total = 0;
  const file = path.join(data, 'wear.json');
  const open = () => {
    const options = { path: file, perDay: 2 ** 30, clock, log, written: () => total };
    const wear = new Wear(options);
    wear.start();
    return wear;
  };
  const write = (wear: Wear, kind: 'paced' | 'prompt', bytes: number): void =>
    wear.metered(kind, () => void (total += bytes));
  return { clock, log, file, open, write };
}

test('a file system that does not say what is free is told once, and no number is made up for it', (t) => {
  const [clock, log] = [fakeClock(), recordingLog()];
  const free = (): number => {
    throw new Error('EACCES');
  };
  const share = shareDisk(WISH, []);
  const watch = new DiskWatch({ data: folder(t), share: () => share, clock, log, free });
  watch.start();
  watch.start();
  watch.stop();
  const told = log.lines.filter(({ message }) => message === 'cannot ask how full the disk is');
  assert.equal(told.length, 1);
  const note = watch.rows().find(({ what }) => what === 'data folder')?.note;
  assert.equal(note, 'not known how much is free on the file system');
  assert.equal(watch.low(), false);
});

test('a flood of commits makes the interval longer, quiet makes it short again', async (t) => {
  const { clock, open, write } = counting(t);
  const wear = open();
  assert.equal(wear.intervalMs(), 10);
  for (let i = 0; i < 100; i++) {
    write(wear, 'paced', 5e6);
    await clock.advance(1_000);
  }
  assert.equal(wear.intervalMs(), 10_000);
  assert.equal(wear.figures().today, 5e8);
  await clock.advance(7_200_000);
  assert.equal(wear.intervalMs(), 10);
  wear.stop();
});

test('the count of today and what is owed survive a restart and a kill', async (t) => {
  const { clock, open, write } = counting(t);
  const first = open();
  for (let i = 0; i < 60; i++) {
    write(first, 'paced', 1e7);
    await clock.advance(1_000);
  }
  const { today } = first.figures();
  // No `stop`: killed. What was counted after the last save may be missing.
  const second = open();
  assert.ok(second.figures().today >= today - 2 ** 30 / 512 - 1e7, `${second.figures().today}`);
  assert.ok(second.intervalMs() > 1_000, 'it goes on at the pace it had');
  second.stop();
  assert.equal(open().figures().today, second.figures().today);
});

test('the count begins anew with the day', async (t) => {
  const { clock, open, write } = counting(t);
  const wear = open();
  write(wear, 'prompt', 1e6);
  assert.equal(wear.figures().today, 1e6);
  await clock.advance(86_400_000);
  assert.equal(wear.figures().today, 0);
  wear.stop();
});

test('a count that cannot be read begins anew, and says so', async (t) => {
  for (const damage of ['', '{', 'null', '[1]', '{"intervalMs":"x"}']) {
    const { file, log, open, write } = counting(t);
    writeFileSync(file, damage);
    const wear = open();
    assert.equal(wear.figures().today, 0);
    write(wear, 'prompt', 1);
    assert.match(log.lines[0]?.message ?? '', /begins anew/);
    wear.stop();
    assert.ok(JSON.parse(readFileSync(file, 'utf8')).at > 0, 'and is written whole');
  }
});

test('more than the budget bears is told once while it lasts', async (t) => {
  const { clock, log, open, write } = counting(t);
  const wear = open();
  for (let i = 0; i < 600; i++) {
    write(wear, 'paced', 1e6);
    await clock.advance(1_000);
  }
  assert.deepEqual(
    log.lines.map(({ fields }) => fields['code']),
    ['DISK_WEAR'],
  );
  await clock.advance(3_600_000);
  assert.match(log.lines[1]?.message ?? '', /within the budget again/);
  wear.stop();
});

test('without a kernel that counts, the interval is the longest and the figures say so', async (t) => {
  const [clock, log] = [fakeClock(), recordingLog()];
  const file = path.join(folder(t), 'wear.json');
  const wear = new Wear({ path: file, perDay: 2 ** 30, clock, log, written: undefined });
  wear.start();
  let ran = false;
  wear.metered('paced', () => void (ran = true));
  assert.ok(ran);
  assert.deepEqual([wear.figures().counted, wear.intervalMs()], [false, 10_000]);
  assert.equal(log.lines[0]?.fields['code'], 'DISK_WEAR_UNCOUNTED');
  wear.stop();
});

test('what is counted is what SQLite writes: frames, and pages when it checkpoints', async (t) => {
  const thread = threadWritten();
  if (thread === undefined) return t.skip('this kernel has no task IO accounting');
  const db = new Database(path.join(folder(t), 't.db'));
  for (const setting of ['locking_mode = EXCLUSIVE', 'journal_mode = WAL']) db.pragma(setting);
  db.exec('CREATE TABLE t (x TEXT)');
  const add = (): number => {
    const before = thread.written();
    db.exec("INSERT INTO t VALUES ('x')");
    return thread.written() - before;
  };
  add();
  assert.equal(add(), 4096 + 24, 'one page, one frame');
  const before = thread.written();
  db.pragma('wal_checkpoint(PASSIVE)');
  const checkpoint = thread.written() - before;
  assert.ok(checkpoint >= 2 * 4096 && checkpoint <= 4 * 4096, `${checkpoint}`);
  db.close();
  thread.close();
});
