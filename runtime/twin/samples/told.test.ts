/** History as it is told: everything once, in order, whatever became of the file or of who listens. */
import assert from 'node:assert/strict';
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { type PastCursor, type PastItem } from '@limpet/dmi/manifest';
import Database from 'better-sqlite3';
import { device, folder, good, model, row, TestClock, testLog } from '../fixtures.ts';
import { unmetered } from '../metered.ts';
import { TwinStore } from '../store.ts';
import { Samples } from './samples.ts';

const A = 'default/a';
const START = 1_000_000;

function setting(t: TestContext) {
  const clock = new TestClock(START);
  const log = testLog();
  const here = folder(t);
  const store = TwinStore.open({ path: ':memory:', clock, log });
  t.after(() => store.close());
  const properties = ['x', 'y'].map((name) => ({ name, history: true as const }));
  store.mergeWanted([row(model('m', properties), 2), row(device('a', 'm'), 4)], 4);
  const open = (name: string, maxBytes = 16 * 2 ** 20): Samples => {
    const path = join(here, name);
    const options = { maxBytes, maxAgeMs: 86_400_000, low: () => false, metered: unmetered };
    const samples = new Samples({ path, store, clock, log, ...options });
    t.after(() => samples.close());
    return samples;
  };
  const say = (property: string, value: number, ms = 1_000): void => {
    clock.advance(ms);
    store.report(A, new Map([[property, good(value, clock.now())]]));
  };
  return { clock, here, store, open, say };
}

/** A listener: where it stands, and what it was told of each property, with times counted from the start. */
class Listener {
  cursor: PastCursor | undefined;
  readonly heard = new Map<string, PastItem[]>();
  readonly positions: number[] = [];

  hear(samples: Samples, bytes = 64 * 1024): this {
    for (;;) {
      const page = samples.pageAfter(this.cursor, bytes);
      if (page === undefined) return this;
      this.cursor = { run: page.run, n: page.n };
      for (const { property, since, n, items } of page.series) {
        const held = this.heard.get(property) ?? [];
        for (const item of items) if (!('gap' in item)) this.positions.push(n + item[1]);
        const by = since - START;
        for (const item of items) {
          if ('gap' in item) {
            held.push({
              ...item,
              from: item.from + by,
              to: item.to === null ? null : item.to + by,
            });
          } else held.push([item[0] + by, ...item.slice(2)] as unknown as PastItem);
        }
        this.heard.set(property, held);
      }
    }
  }
}

test('samples and gaps come once, in the order they were recorded, in pages of any size', (t) => {
  const { clock, store, open, say } = setting(t);
  const samples = open('s.db');
  say('x', 1);
  say('y', 5);
  const known = store.twin(A)?.properties.get('x')?.reported;
  assert.ok(known);
  store.condition(A, { state: 'offline', lastSeen: clock.now() });
  store.report(A, new Map([['x', { ...known, quality: 'stale' }]]));
  samples.flush();
  const whole = new Listener().hear(samples);
  const bits = new Listener().hear(samples, 1);
  assert.deepEqual(whole.heard.get('x'), [[1_000, 1], { gap: 'away', from: 2_000, to: null }]);
  clock.advance(8_000);
  store.condition(A, { state: 'online', lastSeen: clock.now() });
  say('x', 2);
  samples.flush();
  for (const listener of [whole, bits]) {
    listener.hear(samples, 1);
    assert.deepEqual(listener.heard.get('x')?.slice(2), [
      { gap: 'away', from: 2_000, to: 11_000 },
      [11_000, 2],
    ]);
    assert.deepEqual(listener.heard.get('y'), [[2_000, 5]]);
    assert.deepEqual(listener.positions, [1, 2, 5]);
  }
  assert.equal(samples.pageAfter(whole.cursor, 1_000), undefined);
});

test('what the ring dropped before it was told comes as a gap in its place, and what was told does not', (t) => {
  const { open, say } = setting(t);
  const samples = open('s.db', 1_000 * 4_096 + 2 ** 20 + 96 * 1024);
  const early = new Listener();
  for (let n = 0; n < 2_000; n++) say(n % 2 === 0 ? 'x' : 'y', n, 10);
  samples.flush();
  early.hear(samples);
  for (let n = 0; n < 8_000; n++) say(n % 2 === 0 ? 'x' : 'y', n, 10);
  samples.flush();
  const heard = early.hear(samples).heard.get('x') ?? [];
  const gaps = heard.filter((item) => 'gap' in item);
  assert.equal(gaps.length, 1);
  assert.equal(
    heard.indexOf(gaps[0] as PastItem),
    1_000,
    'after what was told, before what is left',
  );
  const next = heard[1_001] as unknown as readonly [number, number];
  const [gap] = gaps;
  assert.ok(gap && 'gap' in gap && gap.to !== null && gap.to < next[0] && next[0] - gap.to <= 20);
  const late = new Listener().hear(samples).heard.get('x') ?? [];
  assert.ok('gap' in (late[0] as PastItem), 'to a new listener the gap comes first');
  assert.deepEqual(late.slice(1), heard.slice(1_001));
});

test('a listener that forgot some is told it again, and nothing else', (t) => {
  const { open, say } = setting(t);
  const samples = open('s.db');
  say('x', 1);
  samples.flush();
  const listener = new Listener().hear(samples);
  const { cursor } = listener;
  say('x', 2);
  samples.flush();
  listener.hear(samples);
  listener.cursor = cursor;
  listener.hear(samples);
  assert.deepEqual(listener.heard.get('x'), [
    [1_000, 1],
    [2_000, 2],
    [2_000, 2],
  ]);
});

test('a file that lost what was told already is told from where it goes on', (t) => {
  const { here, open, say } = setting(t);
  const samples = open('s.db');
  say('x', 1);
  samples.flush();
  for (const suffix of ['', '-wal'])
    copyFileSync(join(here, `s.db${suffix}`), join(here, `c.db${suffix}`));
  for (let n = 0; n < 5; n++) say('x', 10 + n);
  samples.flush();
  const listener = new Listener().hear(samples);
  assert.equal(listener.heard.get('x')?.length, 6);
  samples.close();
  // The copy gives the same positions out again.
  const copy = open('c.db');
  for (let n = 0; n < 9; n++) say('x', 20 + n);
  copy.flush();
  listener.hear(copy);
  const values = listener.heard.get('x')?.map((item) => ('gap' in item ? item.gap : item[1]));
  const lost = [20, 21, 22, 23, 24, 25, 26, 27, 28];
  assert.deepEqual(values, [1, 10, 11, 12, 13, 14, 'down', 14, ...lost]);
});

test('a run that is not known here means from the beginning', (t) => {
  const { open, say } = setting(t);
  const samples = open('s.db');
  say('x', 1);
  samples.flush();
  const page = samples.pageAfter({ run: 'another', n: 500 }, 1_000);
  assert.equal(page?.series[0]?.items.length, 1);
});

test('a file of the version before is brought up to date and told whole', (t) => {
  const { here, open, say } = setting(t);
  const old = new Database(join(here, 's.db'));
  old.exec(`
    CREATE TABLE series (id INTEGER PRIMARY KEY, device TEXT NOT NULL, property TEXT NOT NULL, ended INTEGER, UNIQUE (device, property)) STRICT;
    CREATE TABLE sample (n INTEGER PRIMARY KEY, series INTEGER NOT NULL, at INTEGER NOT NULL, kind INTEGER NOT NULL, value ANY) STRICT;
    CREATE TABLE gap (n INTEGER PRIMARY KEY, series INTEGER NOT NULL, cause TEXT NOT NULL, "from" INTEGER NOT NULL, "to" INTEGER) STRICT;
    CREATE UNIQUE INDEX gap_dropped ON gap (series) WHERE cause = 'dropped';
    CREATE UNIQUE INDEX gap_open ON gap (series) WHERE "to" IS NULL;
    CREATE INDEX gap_series ON gap (series, "to");
    CREATE TABLE state (one INTEGER PRIMARY KEY CHECK (one = 1), alive INTEGER NOT NULL, turned INTEGER NOT NULL, latest INTEGER NOT NULL) STRICT;
    INSERT INTO series VALUES (7, 'default/a', 'x', NULL);
    INSERT INTO sample VALUES (41, 7, ${START - 9_000}, 0, 4.5), (42, 7, ${START - 5_000}, 2, NULL);
    INSERT INTO gap VALUES (3, 7, 'away', ${START - 8_000}, ${START - 6_000});
    INSERT INTO state VALUES (1, ${START - 4_000}, 0, 0);
    PRAGMA user_version = 1;`);
  old.close();
  const samples = open('s.db');
  say('x', 1);
  samples.flush();
  assert.deepEqual(new Listener().hear(samples).heard.get('x'), [
    [-9_000, 4.5],
    [-5_000, null, 'bad'],
    { gap: 'away', from: -8_000, to: -6_000 },
    { gap: 'down', from: -4_000, to: 1_000 },
    [1_000, 1],
  ]);
});
