import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CallOutcome } from '@limpet/dmi/manifest';
import { fakeClock } from '@limpet/dmi/testing';
import type { FromCloud } from '#protocol';
import { NodeCalls, notConnected } from './calls.ts';

const ASKED = { device: 'default/pump-1', method: 'start', input: { speed: 5 }, timeoutMs: 3_000 };
const never = new AbortController().signal;

function conversation(offered = true) {
  const clock = fakeClock();
  const sent: FromCloud[] = [];
  const after = clock.after.bind(clock);
  const calls = new NodeCalls({ node: 'n1', send: (each) => sent.push(each), after, offered });
  return { clock, sent, calls };
}

const brief = (outcome: CallOutcome): unknown =>
  outcome.ok ? outcome.output : [outcome.at, outcome.code, outcome.ran];

test('a call goes to the node with its time, and its answer comes back', async () => {
  const { calls, sent, clock } = conversation();
  const called = calls.call(ASKED, never);
  const { timeoutMs: ttl, ...rest } = ASKED;
  assert.deepEqual(sent, [{ type: 'call', id: 1, ...rest, ttl }]);
  calls.called(7, { ok: true, output: { wrong: 1 } });
  calls.called(1, { ok: true, output: { taken: 3 } });
  calls.called(1, { ok: true, output: { taken: 4 } });
  assert.deepEqual(brief(await called), { taken: 3 });
  assert.equal(clock.pending, 0);
});

test('a node that does not answer is given up after the time of the call, and told so', async () => {
  const { calls, sent, clock } = conversation();
  const called = calls.call(ASKED, never);
  await clock.advance(4_999);
  assert.equal(sent.length, 1);
  await clock.advance(1);
  assert.deepEqual(brief(await called), ['cloud', 'CALL_TIMEOUT', 'maybe']);
  assert.deepEqual(sent.at(-1), { type: 'uncall', id: 1 });
});

test('a caller that goes away takes its call along', async () => {
  const { calls, sent } = conversation();
  const gone = new AbortController();
  const called = calls.call(ASKED, gone.signal);
  gone.abort();
  assert.deepEqual(brief(await called), ['cloud', 'CALL_CANCELLED', 'maybe']);
  assert.deepEqual(sent.at(-1), { type: 'uncall', id: 1 });
  assert.deepEqual(brief(await calls.call(ASKED, gone.signal)), ['cloud', 'CALL_CANCELLED', 'no']);
  assert.equal(sent.length, 2);
});

test('what is under way when the node is lost may have been carried out', async () => {
  const { calls, clock } = conversation();
  const all = [calls.call(ASKED, never), calls.call(ASKED, never)];
  calls.end();
  for (const each of all) assert.deepEqual(brief(await each), ['cloud', 'NODE_LOST', 'maybe']);
  assert.equal(clock.pending, 0);
});

test('no more than so many calls are under way to one node', async () => {
  const { calls, sent } = conversation();
  const all = Array.from({ length: 33 }, () => calls.call(ASKED, never));
  assert.deepEqual(brief(await (all.at(-1) as Promise<CallOutcome>)), ['cloud', 'CALL_BUSY', 'no']);
  assert.equal(sent.length, 32);
  calls.called(1, { ok: true, output: {} });
  await all[0];
  void calls.call(ASKED, never);
  assert.equal(sent.length, 33);
  calls.end();
  await Promise.all(all);
});

test('an edge that does not know calls is not asked', async () => {
  const { calls, sent } = conversation(false);
  assert.deepEqual(brief(await calls.call(ASKED, never)), ['cloud', 'NODE_OLD', 'no']);
  assert.deepEqual(sent, []);
});

test('a node that is away is named, with when it was seen last', () => {
  assert.match(notConnected('n1', undefined).message, /"n1" is not connected; it was never seen/);
  assert.match(notConnected('n1', 0).message, /last seen 1970-01-01T00:00:00.000Z/);
});
