/** History on the edge, with real files: what is kept, what becomes a gap, and that nothing is neither. */
import assert from 'node:assert/strict';
import { copyFileSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { device, folder, gone, good, model, row, TestClock, testLog } from '../fixtures.ts';
import { unmetered } from '../metered.ts';
import { TwinStore } from '../store.ts';
import { Samples, type SamplesOptions } from './samples.ts';

const A = 'default/a';
const KEPT = { name: 'x', history: true as const };
const ROWS = [
  row(model('m', [KEPT, { name: 'text', type: 'string', history: true }, 'plain']), 2),
  row(device('a', 'm'), 4),
];

function setting(t: TestContext, options: Partial<SamplesOptions> = {}) {
  const clock = new TestClock(1_000_000);
  const log = testLog();
  const path = join(folder(t), 'samples.db');
  const store = TwinStore.open({ path: ':memory:', clock, log });
  t.after(() => store.close());
  store.mergeWanted(ROWS, 4);
  const disk = { low: false };
  const open = (at = path): Samples => {
    const samples = new Samples({
      path: at,
      store,
      maxBytes: 16 * 2 ** 20,
      maxAgeMs: 86_400_000,
      low: () => disk.low,
      metered: unmetered,
      clock,
      log,
      ...options,
    });
    t.after(() => samples.close());
    return samples;
  };
  /** A second `ms` later x has this value. */
  const say = (value: number, ms = 1_000): void => {
    clock.advance(ms);
    store.report(A, new Map([['x', good(value, clock.now())]]));
  };
  return { clock, log, path, store, disk, open, say };
}

function all(samples: Samples, property = 'x', since = 0) {
  const page = samples.history(A, property, { since, limit: 1_000 });
  return {
    samples: page?.samples.map(({ at, value }) => [at - 1_000_000, value]),
    gaps: page?.gaps.map(({ cause, from, to }) => [
      cause,
      from - 1_000_000,
      (to ?? NaN) - 1_000_000,
    ]),
  };
}

test('what a property reports is kept, of whatever kind; what is not asked for is not', (t) => {
  const { clock, store, open, say } = setting(t);
  const samples = open();
  say(1.5);
  say(2);
  for (const value of ['text', true, { a: [1, null] }, null, 7, 2 ** 53, -0.1]) {
    clock.advance(1);
    store.report(
      A,
      new Map([
        ['text', good(value, clock.now())],
        ['plain', good(1, clock.now())],
      ]),
    );
  }
  clock.advance(10_000);
  assert.deepEqual(all(samples).samples, [
    [1_000, 1.5],
    [2_000, 2],
  ]);
  assert.deepEqual(
    all(samples, 'text').samples?.map(([, value]) => value),
    ['text', true, { a: [1, null] }, null, 7, 2 ** 53, -0.1],
  );
  assert.equal(samples.history(A, 'plain', { since: 0, limit: 9 }), undefined);
});

test('a restart and a kill are gaps from what was last on disk to the first answer', (t) => {
  const { clock, path, open, say, store } = setting(t);
  const first = open();
  say(1);
  clock.advance(9_000);
  say(2);
  const killed = join(folder(t), 'samples.db');
  for (const suffix of ['', '-wal']) copyFileSync(path + suffix, killed + suffix);
  store.report(A, new Map([['x', { value: 2, at: clock.now(), quality: 'stale' }]]));
  const second = open(killed);
  say(3, 5_000);
  assert.deepEqual(all(second), {
    samples: [
      [1_000, 1],
      [16_000, 3],
    ],
    gaps: [['down', 10_000, 16_000]],
  });
  first.close();
});

test('what the disk does not take becomes one gap, however long that lasts, and no more memory', (t) => {
  const { clock, log, disk, open, say } = setting(t, { maxWaiting: 20_000 });
  const samples = open();
  say(1);
  clock.advance(10_000);
  disk.low = true;
  for (let value = 2; value < 1_002; value++) {
    say(value);
    assert.ok(samples.figures().waiting <= 20_136);
  }
  disk.low = false;
  clock.advance(10_000);
  const page = all(samples);
  assert.deepEqual(page.samples?.[0], [1_000, 1]);
  assert.deepEqual(page.samples?.at(-1), [1_011_000, 1_001]);
  assert.equal(page.gaps?.length, 1);
  const [cause, from, to] = page.gaps?.[0] ?? [];
  assert.deepEqual([cause, from], ['disk', 12_000]);
  assert.equal(page.samples?.[1]?.[0], Number(to) + 1_000, 'and from there on all is kept');
  const told = log.lines.map(({ message }) => message);
  assert.equal(told.filter((message) => message.startsWith('history cannot be written')).length, 1);
  assert.equal(told.at(-1), 'history is written again');
});

test('memory that is asked back is written, or becomes a gap where it cannot be', (t) => {
  const { clock, disk, open, say } = setting(t);
  const samples = open();
  for (let value = 0; value < 50; value++) say(value, 10);
  assert.ok(samples.shed() > 5_000);
  assert.equal(samples.figures().waiting, 0);
  assert.deepEqual(all(samples).gaps, []);
  disk.low = true;
  for (let value = 0; value < 50; value++) say(value, 10);
  assert.ok(samples.shed() > 5_000);
  assert.equal(samples.figures().waiting, 0);
  disk.low = false;
  clock.advance(10_000);
  assert.equal(all(samples).samples?.length, 50);
  assert.deepEqual(all(samples).gaps, [['shed', 510, 1_000]]);
});

test('a full ring drops the oldest in slices, as one growing gap per series, and stays below its ceiling', (t) => {
  const { clock, path, open, store } = setting(t, { maxBytes: 6 * 2 ** 20 });
  const samples = open();
  const long = 'v'.repeat(100);
  for (let i = 0; i < 60_000; i++) {
    clock.advance(100);
    store.report(A, new Map([['text', good(`${long}${i}`, clock.now())]]));
    if (i % 1_000 === 0) store.report(A, new Map([['x', good(i, clock.now())]]));
  }
  clock.advance(10_000);
  const size = ['', '-wal'].reduce((sum, suffix) => sum + statSync(path + suffix).size, 0);
  assert.ok(size <= 6 * 2 ** 20, `${size} bytes`);
  const first = samples.history(A, 'text', { since: 0, limit: 1 });
  const [gap, ...more] = first?.gaps ?? [];
  assert.deepEqual(more, []);
  assert.equal(gap?.cause, 'dropped');
  assert.equal(gap?.from, 1_000_100);
  assert.equal(first?.samples[0]?.at, (gap?.to ?? 0) + 100, 'what comes after is there');
  assert.equal(samples.history(A, 'x', { since: 0, limit: 1 })?.gaps.length, 1);
  assert.ok(samples.figures().samples > 3_000);
});

test('what is too old goes, and with it gaps and series that ended before', (t) => {
  const { clock, store, open, say } = setting(t, { maxAgeMs: 60_000 });
  const samples = open();
  for (let value = 0; value < 100; value++) say(value);
  store.report(A, new Map([['x', { value: 99, at: clock.now(), quality: 'stale' }]]));
  say(100);
  say(101, 50_000);
  clock.advance(10_000);
  const page = all(samples);
  assert.ok((page.samples?.[0]?.[0] as number) >= 90_000);
  assert.equal(page.samples?.at(-1)?.[1], 101);
  assert.deepEqual(page.gaps?.[0]?.slice(0, 2), ['dropped', 1_000]);
  store.mergeWanted([gone('Device', 'a', 8)], 8);
  store.mergeWanted([row(device('b', 'm'), 10)], 10);
  clock.advance(120_000);
  store.report('default/b', new Map([['x', good(1, clock.now())]]));
  clock.advance(20_000);
  assert.equal(samples.history(A, 'x', { since: 0, limit: 1 }), undefined, 'nothing is left of it');
});

test('history that is switched off and on again has a gap in between', (t) => {
  const { clock, store, open, say } = setting(t);
  const samples = open();
  say(1);
  store.mergeWanted([row(model('m', ['x', 'text', 'plain']), 6)], 6);
  say(2);
  say(3);
  store.mergeWanted([row(model('m', [KEPT]), 8)], 8);
  say(4);
  clock.advance(2_000);
  assert.deepEqual(all(samples).samples, [
    [1_000, 1],
    [3_000, 3],
    [4_000, 4],
  ]);
  assert.deepEqual(all(samples).gaps, [['off', 1_000, 3_000]]);
});

test('a damaged file is replaced, and the loss is a gap', (t) => {
  const { clock, log, path, open, say } = setting(t);
  const first = open();
  say(1);
  clock.advance(10_000);
  first.close();
  writeFileSync(path, 'x'.repeat(9_000));
  const second = open();
  say(2);
  clock.advance(2_000);
  assert.deepEqual(all(second).samples?.at(-1), [12_000, 2]);
  assert.equal(all(second).gaps?.[0]?.[0], 'damaged');
  assert.ok(log.lines.some(({ fields }) => fields['code'] === 'SAMPLES_DAMAGED'));
  assert.ok(existsSync(path) && !readFileSync(path).includes('xxxx'));
});

test('pages are bounded and together are all; a search by time begins where it should', (t) => {
  const { clock, open, say } = setting(t);
  const samples = open();
  for (let value = 0; value < 2_500; value++) say(value, 1_000);
  clock.advance(10_000);
  const read = (since: number): number[] => {
    const values: number[] = [];
    let after: number | undefined;
    do {
      const page = samples.history(A, 'x', { since, after, limit: 1_000 });
      assert.ok((page?.samples.length ?? 0) <= 1_000);
      values.push(...(page?.samples.map(({ value }) => value as number) ?? []));
      after = page?.next;
    } while (after !== undefined);
    return values;
  };
  assert.equal(read(0).length, 2_500);
  assert.deepEqual(read(1_000_000 + 2_498_000), [2_497, 2_498, 2_499]);
  // The clock is set back by an hour: nothing is hidden by that.
  clock.wall -= 1_800_000;
  for (let value = 5_000; value < 5_010; value++) say(value, 1_000);
  clock.advance(10_000);
  const late = read(1_000_000 + 2_498_000);
  assert.deepEqual(late, [2_497, 2_498, 2_499]);
  assert.equal(read(0).length, 2_510);
});

// A thousand values of 64 KiB would be three times the memory of a small node's core.
test('a page of long values is bounded in bytes too, and all of them come in the end', (t) => {
  const { clock, store, open } = setting(t);
  const samples = open();
  for (let index = 0; index < 20; index++) {
    clock.advance(1_000);
    const value = `${index}`.padEnd(60_000, ' ');
    store.report(A, new Map([['text', good(value, clock.now())]]));
  }
  samples.flush();
  const found: unknown[] = [];
  for (let after: number | undefined, pages = 0; pages < 20; pages++) {
    const page = samples.history(A, 'text', { since: 0, after, limit: 1_000 });
    assert.ok((page?.samples.length ?? 0) <= 5, `${page?.samples.length} samples of 60 kB`);
    found.push(...(page?.samples ?? []).map(({ value }) => Number(value)));
    after = page?.next;
    if (after === undefined) break;
  }
  assert.deepEqual(
    found,
    Array.from({ length: 20 }, (_, index) => index),
  );
});

test('only its owner may read the file', (t) => {
  const { path, open } = setting(t);
  open();
  assert.equal(statSync(path).mode & 0o077, 0);
});
