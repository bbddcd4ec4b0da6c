import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FromEdge, PastCursor, PastPage, StateRow } from '#protocol';
import type { NodeFacts } from '@limpet/dmi/manifest';
import { type SessionEnd, SyncSession } from './session.ts';

const facts: NodeFacts = {
  architecture: 'arm64',
  board: 'generic',
  os: 'Debian 12',
  versions: { limpet: '0.1.0', node: '24.0.0' },
  mappers: [],
  addresses: [],
  uptime: 1,
  memory: { total: 1, available: 1, private: 1, rss: 1 },
};

/** A ring with as many places as `places` says; a page has one for each KiB asked for. */
function conversation(places: number) {
  const sent: FromEdge[] = [];
  const ends: SessionEnd[] = [];
  const asked: { after: number; bytes: number }[] = [];
  const rows: StateRow[] = [];
  const ring = { places };
  const clock = { now: 0 };
  const pageAfter = (cursor: PastCursor | undefined, bytes: number): PastPage | undefined => {
    const after = cursor?.n ?? 0;
    asked.push({ after, bytes });
    if (after >= ring.places) return undefined;
    return { run: 'r1', n: Math.min(ring.places, after + bytes / 1024), series: [] };
  };
  const session = new SyncSession({
    node: 'n1',
    send: (message) => void sent.push(message),
    close: (end) => void ends.push(end),
    past: { of: { pageAfter }, monotonic: () => clock.now },
    twins: {
      epoch: 'e1',
      rev: () => 0,
      seq: () => rows.at(-1)?.seq ?? 0,
      rowsAfter: (seq) => rows.filter((row) => row.seq > seq).slice(0, 1),
      mergeWanted: () => undefined,
      acknowledged: () => undefined,
      resumeFrom: () => undefined,
    },
  });
  session.opened(facts);
  const change = (): void => {
    const seq = rows.length + 1;
    rows.push({ kind: 'device', seq, device: `default/d${seq}`, state: 'online' });
    session.changed();
  };
  const told = (): readonly (string | number)[] =>
    sent
      .filter((m) => m.type === 'past' || m.type === 'report')
      .map((m) => (m.type === 'past' ? m.n : `r${m.to}`));
  return { session, sent, ends, asked, ring, clock, change, told };
}

test('history is offered, and told to no cloud that does not take it', () => {
  const { session, sent, asked } = conversation(10);
  assert.deepEqual(sent[0]?.type === 'hello' && sent[0].offers, ['past']);
  session.received({ type: 'welcome', seq: 0 });
  session.pastWritten();
  assert.deepEqual([sent.length, asked], [1, []]);
});

test('it goes on where the cloud says, one page at a time', () => {
  const { session, told, ring, ends } = conversation(10);
  session.received({ type: 'welcome', seq: 0, past: { run: 'r1', n: 4 } });
  session.pastWritten();
  assert.deepEqual(told(), [10]);
  ring.places = 12;
  session.pastWritten();
  assert.deepEqual(told(), [10]);
  session.received({ type: 'pastAck', n: 10 });
  assert.deepEqual(told(), [10, 12]);
  session.received({ type: 'pastAck', n: 11 });
  assert.equal(ends[0]?.code, 'SYNC_OUT_OF_ORDER');
});

test('a report goes before it, and beside one that is on its way', () => {
  const { session, told, change } = conversation(100);
  change();
  session.received({ type: 'welcome', seq: 0, past: null });
  assert.deepEqual(told(), ['r1']);
  session.received({ type: 'ack', seq: 1 });
  assert.deepEqual(told(), ['r1', 8]);
  change();
  assert.deepEqual(told(), ['r1', 8, 'r2']);
});

test('where reports never pause, history has a small share', () => {
  const { session, told, change } = conversation(10_000);
  change();
  session.received({ type: 'welcome', seq: 0, past: null });
  for (let n = 1; n <= 40; n++) {
    change();
    change();
    session.received({ type: 'ack', seq: n });
    const last = told().at(-1);
    if (typeof last === 'number') session.received({ type: 'pastAck', n: last });
  }
  const pages = told().filter((each) => typeof each === 'number').length;
  assert.ok(pages >= 5 && pages <= 8, `${pages} pages beside 40 reports`);
});

test('pages grow while they are acknowledged in good time, and shrink when they hold up the link', () => {
  const { session, asked, told, clock } = conversation(100_000);
  session.received({ type: 'welcome', seq: 0, past: null });
  const drain = (count: number, tookMs: number): number[] => {
    for (let each = 0; each < count; each++) {
      clock.now += tookMs;
      session.received({ type: 'pastAck', n: told().at(-1) as number });
    }
    return asked.splice(0).map(({ bytes }) => bytes / 1024);
  };
  assert.deepEqual(drain(4, 20), [8, 16, 32, 64, 64]);
  assert.deepEqual(drain(2, 300), [64, 64]);
  assert.deepEqual(drain(6, 4_000), [32, 16, 8, 4, 4, 4]);
});

test('once all is told, the disk is read again only when more was written', () => {
  const { session, asked, ring, change, told } = conversation(8);
  session.received({ type: 'welcome', seq: 0, past: { run: 'r1', n: 8 } });
  change();
  session.received({ type: 'ack', seq: 1 });
  assert.equal(asked.length, 1);
  ring.places = 9;
  session.pastWritten();
  assert.deepEqual(told().slice(-1), [9]);
});
