import assert from 'node:assert/strict';
import { test } from 'node:test';
import { explainSending } from './explain.ts';
import { Progress } from './progress.ts';

const NOW = 1_000_000;
const CONNECTED = { state: 'connected', since: 0, attempts: 0 } as const;
const REFUSED = { code: 'ECONNREFUSED', message: 'Nothing listens there.' };

test('what the cloud has needs no word, and neither does a page that has just left', () => {
  assert.deepEqual(explainSending({ nowMs: NOW, link: CONNECTED }), []);
  const place = { before: 3, rows: 9 };
  const flyingMs = NOW - 500;
  assert.deepEqual(explainSending({ nowMs: NOW, link: CONNECTED, place, flyingMs }), []);
});

test('a page that is not acknowledged is told with what waits behind it', () => {
  const place = { before: 3, rows: 9 };
  const [found, ...more] = explainSending({
    nowMs: NOW,
    link: CONNECTED,
    place,
    flyingMs: NOW - 30_000,
  });
  assert.deepEqual(more, []);
  assert.equal(found?.stage, 'queue');
  assert.match(found?.message ?? '', /sent 30 s ago; .*3 of 9 rows go before it/);
});

test('without a link it is the link, since when, why, and when it is tried next; then the queue', () => {
  const link = { state: 'offline', since: NOW - 60_000, error: REFUSED, attempts: 4 } as const;
  const found = explainSending({
    nowMs: NOW,
    link: { ...link, nextMs: NOW + 5_000 },
    place: { before: 0, rows: 2 },
  });
  assert.deepEqual(
    found.map(({ stage, code, since, until }) => [stage, code, since, until]),
    [
      ['link', 'ECONNREFUSED', NOW - 60_000, NOW + 5_000],
      ['queue', undefined, undefined, undefined],
    ],
  );
  assert.match(found[0]?.message ?? '', /after 4 attempts: Nothing listens there/);
  assert.match(found[1]?.message ?? '', /it is the next/);
});

test('a node without a cloud has nothing to tell of one', () => {
  const link = { state: 'none', since: 0, attempts: 0 } as const;
  assert.deepEqual(explainSending({ nowMs: NOW, link, place: { before: 0, rows: 1 } }), []);
});

function progress() {
  let now = 0;
  const log = new Progress({ now: () => now });
  return { log, at: (ms: number) => void (now = ms) };
}

test('a row was sent and acknowledged no later than the page that it was in', () => {
  const { log, at } = progress();
  for (const [sent, acked, seq] of [
    [100, 120, 5],
    [200, 230, 9],
  ] as const) {
    at(sent);
    log.sent(seq);
    at(acked);
    log.acked(seq);
  }
  assert.deepEqual(log.of(4), { seq: 5, sent: 100, acked: 120 });
  assert.deepEqual(log.of(6), { seq: 9, sent: 200, acked: 230 });
  assert.deepEqual(log.of(10), {});
  at(300);
  log.sent(12);
  assert.deepEqual(log.of(10), { sent: 300 });
});

test('thousands of pages keep a few marks, whose times are never too early', () => {
  const { log, at } = progress();
  for (let seq = 1; seq <= 5_000; seq++) {
    at(seq * 10);
    log.sent(seq);
    log.acked(seq);
  }
  for (let seq = 1; seq <= 5_000; seq += 7) assert.ok((log.of(seq).acked ?? 0) >= seq * 10);
  assert.equal(log.of(4_990).acked, 49_900, 'of late they are exact');
});

test('a cloud that lost what it had makes what was acknowledged count no longer', () => {
  const { log, at } = progress();
  at(10);
  log.sent(5);
  log.acked(5);
  log.welcomed(0);
  assert.deepEqual(log.of(5), {});
  at(50);
  log.welcomed(3);
  assert.deepEqual(log.of(2), { seq: 3, acked: 50 });
});
