import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CallOutcome } from '@limpet/dmi/manifest';
import type { FromEdge } from '#protocol';
import { readFromCloud } from './from-cloud.ts';
import { SyncSession } from './session.ts';

interface Running {
  readonly device: string;
  readonly asked: unknown;
  readonly signal: AbortSignal;
  readonly answer: (outcome: CallOutcome) => void;
  readonly fail: (error: Error) => void;
}

function conversation(knows = true) {
  const sent: FromEdge[] = [];
  const running: Running[] = [];
  const call = (device: string, asked: unknown, signal: AbortSignal) =>
    new Promise<CallOutcome>((answer, fail) => {
      running.push({ device, asked, signal, answer, fail });
    });
  const session = new SyncSession({
    node: 'n1',
    send: (message) => void sent.push(message),
    close: () => undefined,
    call: knows ? call : undefined,
    twins: {
      epoch: 'e1',
      rev: () => 0,
      seq: () => 0,
      rowsAfter: () => [],
      mergeWanted: () => undefined,
      acknowledged: () => undefined,
      resumeFrom: () => undefined,
    },
  });
  session.opened({} as never);
  const say = (message: object): void => session.received(readFromCloud(JSON.stringify(message)));
  return { session, sent, running, say };
}

const CALL = { type: 'call', id: 4, device: 'default/p', method: 'm', input: { a: 1 }, ttl: 500 };
const settled = () => new Promise((resolve) => setImmediate(resolve));

test('an edge says that it can be called, and answers each call once', async () => {
  const { sent, running, say } = conversation();
  assert.deepEqual(sent[0]?.type === 'hello' && sent[0].offers, ['call']);
  say({ type: 'welcome', seq: 0 });
  say(CALL);
  const [first] = running;
  assert.deepEqual(
    [first?.device, first?.asked],
    ['default/p', { method: 'm', input: { a: 1 }, timeoutMs: 500 }],
  );
  first?.answer({ ok: true, output: { b: 2 } });
  await settled();
  assert.deepEqual(sent.slice(1), [
    { type: 'called', id: 4, outcome: { ok: true, output: { b: 2 } } },
  ]);
});

test('a call that is called off, or whose conversation ends, is given up and not answered', async () => {
  const { session, sent, running, say } = conversation();
  say({ type: 'welcome', seq: 0 });
  say(CALL);
  say({ ...CALL, id: 5 });
  say({ type: 'uncall', id: 4 });
  say({ type: 'uncall', id: 99 });
  assert.deepEqual(
    running.map(({ signal }) => signal.aborted),
    [true, false],
  );
  session.closed();
  assert.equal(running[1]?.signal.aborted, true);
  for (const { answer } of running) answer({ ok: true, output: {} });
  await settled();
  assert.equal(sent.length, 1);
});

test('no more than so many run at once, and a bug of ours is told as one', async () => {
  const { sent, running, say } = conversation();
  say({ type: 'welcome', seq: 0 });
  for (let id = 0; id < 65; id++) say({ ...CALL, id });
  assert.equal(running.length, 64);
  const refused = sent.at(-1);
  assert.ok(refused?.type === 'called' && !refused.outcome.ok);
  assert.deepEqual([refused.id, refused.outcome.code], [64, 'CALL_BUSY']);
  running[0]?.fail(new TypeError('oops'));
  await settled();
  const told = sent.at(-1);
  assert.ok(told?.type === 'called' && !told.outcome.ok && told.outcome.code === 'CALL_FAULT');
});

test('an edge without devices to call offers nothing', () => {
  const { sent } = conversation(false);
  assert.ok(sent[0] !== undefined && !('offers' in sent[0]));
});
