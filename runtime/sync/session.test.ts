import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FromEdge, StateRow } from '#protocol';
import type { NodeFacts } from '@limpet/dmi/manifest';
import { type SessionEnd, type SyncedTwins, SyncSession } from './session.ts';

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
const row = (seq: number): StateRow => ({
  kind: 'device',
  seq,
  device: `default/d${seq}`,
  state: 'online',
});

function conversation(rows: StateRow[] = [], mergeWanted: SyncedTwins['mergeWanted'] = () => {}) {
  const sent: FromEdge[] = [];
  const ends: SessionEnd[] = [];
  const calls: string[] = [];
  const session = new SyncSession({
    node: 'n1',
    send: (message) => void sent.push(message),
    close: (end) => void ends.push(end),
    twins: {
      epoch: 'e1',
      rev: () => 7,
      seq: () => rows.at(-1)?.seq ?? 0,
      rowsAfter: (seq, limit) => rows.filter((r) => r.seq > seq).slice(0, Math.min(limit.rows, 2)),
      mergeWanted: (wanted, to) => {
        calls.push(`merge to ${to} after ${sent.length} messages`);
        mergeWanted(wanted, to);
      },
      acknowledged: (seq) => void calls.push(`acknowledged ${seq}`),
      resumeFrom: (seq) => void calls.push(`resume ${seq}`),
    },
  });
  return { session, sent, ends, calls, rows };
}
const reports = (sent: FromEdge[]) => sent.filter((m) => m.type === 'report').map((m) => m.to);

test('a session begins with hello, which names the epoch and the cursor', () => {
  const { session, sent } = conversation();
  session.opened(facts);
  assert.deepEqual(sent, [{ type: 'hello', protocol: 1, node: 'n1', epoch: 'e1', rev: 7, facts }]);
});

test('nothing is reported before welcome, and then from where the cloud is', () => {
  const { session, sent, calls } = conversation([row(3), row(4)]);
  session.opened(facts);
  session.changed();
  assert.deepEqual(reports(sent), []);
  session.received({ type: 'welcome', seq: 3 });
  assert.deepEqual(reports(sent), [4]);
  assert.deepEqual(calls, ['resume 3']);
});

test('a cloud that claims more than was ever sent gets everything again', () => {
  const { session, calls } = conversation([row(3)]);
  session.opened(facts);
  session.received({ type: 'welcome', seq: 99 });
  assert.deepEqual(calls, ['resume 0']);
});

test('one page is in flight at most, and the next follows its ack at once', () => {
  const { session, sent, calls, rows } = conversation([row(1), row(2), row(3)]);
  session.opened(facts);
  session.received({ type: 'welcome', seq: 0 });
  rows.push(row(4));
  session.changed();
  session.changed();
  assert.deepEqual(reports(sent), [2]);
  session.received({ type: 'ack', seq: 2 });
  assert.deepEqual(reports(sent), [2, 4]);
  session.received({ type: 'ack', seq: 4 });
  session.changed();
  assert.deepEqual(reports(sent), [2, 4]);
  assert.deepEqual(calls, ['resume 0', 'acknowledged 2', 'acknowledged 4']);
});

test('what the cloud wants is stored before it is said to be', () => {
  const { session, sent, calls } = conversation();
  session.opened(facts);
  session.received({ type: 'welcome', seq: 0 });
  session.received({ type: 'desire', to: 12, rows: [] });
  assert.deepEqual(calls, ['resume 0', 'merge to 12 after 1 messages']);
  assert.deepEqual(sent.at(-1), { type: 'stored', rev: 12 });
});

test('when the store fails nothing is acknowledged and the session ends', () => {
  const cause = new Error('disk full');
  const { session, sent, ends } = conversation([], () => {
    throw cause;
  });
  session.opened(facts);
  session.received({ type: 'welcome', seq: 0 });
  session.received({ type: 'desire', to: 12, rows: [] });
  session.received({ type: 'desire', to: 13, rows: [] });
  session.changed();
  assert.equal(sent.length, 1);
  assert.equal(ends.length, 1);
  assert.equal(ends[0]?.code, 'SYNC_NOT_STORED');
  assert.equal(ends[0]?.cause, cause);
});

test('a refusal ends the session with its code and when to come back', () => {
  const { session, ends } = conversation();
  session.opened(facts);
  session.received({ type: 'refuse', code: 'FENCED', message: 'another', retryAfter: 9000 });
  assert.deepEqual(ends, [
    { kind: 'refused', code: 'FENCED', message: 'another', retryAfter: 9000 },
  ]);
});

for (const [what, message] of [
  ['an ack of nothing', { type: 'ack', seq: 5 }],
  ['a second welcome', { type: 'welcome', seq: 0 }],
] as const) {
  test(`${what} ends the session instead of being believed`, () => {
    const { session, ends, calls } = conversation();
    session.opened(facts);
    session.received({ type: 'welcome', seq: 0 });
    session.received(message);
    assert.equal(ends[0]?.code, 'SYNC_OUT_OF_ORDER');
    assert.deepEqual(calls, ['resume 0']);
  });
}

test('what arrives after the socket is gone changes nothing', () => {
  const { session, sent, calls } = conversation([row(1)]);
  session.opened(facts);
  session.closed();
  session.received({ type: 'welcome', seq: 0 });
  session.received({ type: 'desire', to: 3, rows: [] });
  assert.deepEqual(calls, []);
  assert.equal(sent.length, 1);
});

test('facts are told only while the cloud listens', () => {
  const { session, sent } = conversation();
  session.opened(facts);
  session.facts(facts);
  session.received({ type: 'welcome', seq: 0 });
  session.facts(facts);
  assert.deepEqual(
    sent.map((m) => m.type),
    ['hello', 'facts'],
  );
});
