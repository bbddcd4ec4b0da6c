/** When things reach the disk: at once after a silence, then once an interval; what must not wait does not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestClock, testLog } from './fixtures.ts';
import { StoreError } from './store-error.ts';
import { Writer } from './writer.ts';

function setting(intervalMs: number) {
  const clock = new TestClock();
  const commits: { at: number; kind: string; entries: readonly string[] }[] = [];
  const pace = { intervalMs, full: false };
  const writer = new Writer<string>({
    write: (entries, kind) => {
      if (pace.full) throw new StoreError('DISK_FULL', 'full');
      commits.push({ at: clock.monotonic(), kind, entries: [...entries] });
    },
    clock,
    log: testLog(),
    commitMs: () => pace.intervalMs,
  });
  return { clock, commits, pace, writer };
}

test('after a silence the first change is written at once, the next ones together an interval later', () => {
  const { clock, commits, writer } = setting(5_000);
  writer.put('a');
  clock.advance(0);
  writer.put('b');
  clock.advance(3_000);
  writer.put('c');
  writer.put('b');
  clock.advance(1_999);
  assert.deepEqual(commits, [{ at: 0, kind: 'paced', entries: ['a'] }]);
  clock.advance(1);
  assert.deepEqual(commits[1], { at: 5_000, kind: 'paced', entries: ['b', 'c'] });
  assert.equal(writer.pendingRows, 0);
  clock.advance(60_000);
  writer.put('d');
  clock.advance(0);
  assert.equal(commits[2]?.at, 65_000);
});

test('how far an order got is written within 10 ms, and takes along nothing that may wait', () => {
  const { clock, commits, writer } = setting(10_000);
  writer.put('reported');
  clock.advance(0);
  writer.put('reported');
  writer.put('order');
  clock.advance(4_000);
  writer.hasten('order');
  clock.advance(10);
  assert.deepEqual(commits[1], { at: 4_000, kind: 'prompt', entries: ['order'] });
  assert.equal(writer.pendingRows, 1);
  writer.hasten('order');
  clock.advance(9);
  writer.hasten('another');
  clock.advance(1);
  assert.deepEqual(commits[2], { at: 4_010, kind: 'prompt', entries: ['order'] });
  assert.equal(commits.length, 4, 'the other one came after its own 10 ms');
  clock.advance(6_000);
  assert.deepEqual(commits[4], { at: 10_000, kind: 'paced', entries: ['reported'] });
});

test('an interval that changes counts from the next commit on', () => {
  const { clock, commits, pace, writer } = setting(10);
  writer.put('a');
  clock.advance(0);
  pace.intervalMs = 1_000;
  writer.put('a');
  clock.advance(999);
  assert.equal(commits.length, 1);
  clock.advance(1);
  assert.equal(commits.length, 2);
});

test('much that is pending is written in slices, so that no transaction is larger than that', () => {
  const { clock, commits, writer } = setting(1_000);
  for (let i = 0; i < 2_500; i++) writer.put(`p${i}`);
  clock.advance(0);
  assert.deepEqual(
    commits.map(({ entries }) => entries.length),
    [1_000, 1_000, 500],
  );
  assert.equal(writer.rowsWritten, 2_500);
});

test('while the disk refuses, nothing asks it more often than the backoff', () => {
  const { clock, commits, pace, writer } = setting(10);
  pace.full = true;
  for (let i = 0; i < 60_000; i += 10) {
    writer.put('a');
    writer.hasten('b');
    clock.advance(10);
  }
  assert.ok(writer.diskErrors < 60, `${writer.diskErrors} tries in a minute`);
  assert.equal(writer.pendingRows, 2);
  pace.full = false;
  writer.diskWorks();
  assert.deepEqual(commits[0]?.entries, ['a', 'b']);
  writer.close();
});
