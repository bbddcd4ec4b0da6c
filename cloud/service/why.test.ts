/** Explanations through a real cloud, of edges that are played over a real WebSocket. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Explanation } from '@limpet/dmi/manifest';
import { WebSocket } from 'ws';
import type { FromCloud, FromEdge, StateRow } from '#protocol';
import { ApiClient, ApiError } from '#protocol/api';
import { startCloud } from './main.ts';
import { BOILER, BOILER_1, FACTS, silent } from './testing.ts';

const target = { kind: 'Device', namespace: 'default', name: 'boiler-1' } as const;
const AT = Date.UTC(2026, 10, 22, 10);
const TIME = new Date(AT).toISOString();
const ROW: StateRow = {
  kind: 'property',
  seq: 1,
  device: 'default/boiler-1',
  property: 'setpoint',
  reported: { value: 55, at: AT, quality: 'good' },
};
const THERE: Explanation = {
  device: 'default/boiler-1',
  property: 'setpoint',
  from: 'edge',
  now: TIME,
  reported: { value: 55, at: TIME, quality: 'good' },
  findings: [{ stage: 'none', effect: 'explains', message: 'nothing is wrong' }],
  hops: [
    { hop: 'reported', at: TIME },
    { hop: 'acknowledged', at: TIME, by: true },
  ],
};

async function cloud(t: TestContext) {
  const data = mkdtempSync(path.join(tmpdir(), 'limpet-why-'));
  t.after(() => rmSync(data, { recursive: true, force: true }));
  const service = await startCloud({ data, listen: '127.0.0.1:0', log: silent });
  t.after(() => service.close());
  const client = new ApiClient({ url: service.url });
  await client.create(BOILER);
  await client.create(BOILER_1);
  const stages = async (): Promise<string[]> =>
    (await client.why(target, 'setpoint')).findings.map(({ stage }) => stage);
  return { url: service.url, client, stages };
}

/** An edge that has reported the row, and answers what it is asked with what `told` gives. */
async function edge(t: TestContext, url: string, told: unknown, offers: 'ask'[] = ['ask']) {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/hub`, { perMessageDeflate: false });
  t.after(() => socket.terminate());
  const acked = Promise.withResolvers<void>();
  const say = (message: FromEdge): void => socket.send(JSON.stringify(message));
  socket.on('message', (content: Buffer) => {
    const message = JSON.parse(content.toString()) as FromCloud;
    if (message.type === 'welcome') say({ type: 'report', to: 1, rows: [ROW] });
    if (message.type === 'desire') say({ type: 'stored', rev: message.to });
    if (message.type === 'ack') acked.resolve();
    if (message.type === 'ask') say({ type: 'answer', id: message.id, told: told as never });
  });
  await once(socket, 'open');
  const hello = { type: 'hello', protocol: 1, node: 'gateway-1', epoch: 'e', rev: 0 } as const;
  say({ ...hello, facts: FACTS, offers });
  await acked.promise;
  return socket;
}

/** Once the cloud has seen that the node is gone. */
async function gone(client: ApiClient): Promise<Explanation> {
  for (;;) {
    const explanation = await client.why(target, 'setpoint');
    if (explanation.reported?.quality === 'stale') return explanation;
    await sleep(20);
  }
}

const why = (explanation: Explanation | null) => ({ kind: 'why', explanation });

test("the edge's answer is passed on, and that the cloud has the value is added", async (t) => {
  const { url, client } = await cloud(t);
  await edge(t, url, why(THERE));
  const { from, findings, hops } = await client.why(target, 'setpoint');
  assert.equal(from, 'edge');
  assert.deepEqual(findings, THERE.findings);
  assert.deepEqual(
    hops.map(({ hop }) => hop),
    ['reported', 'acknowledged', 'mirrored'],
  );
  assert.ok(Date.parse(hops.at(-1)?.at ?? '') <= Date.now());
});

test('a value that was acknowledged and is another in the cloud is told', async (t) => {
  const { url, client, stages } = await cloud(t);
  const there = { ...THERE, reported: { value: 56, at: TIME, quality: 'good' } as const };
  await edge(t, url, why(there));
  assert.deepEqual(await stages(), ['cloud', 'none']);
  const { hops } = await client.why(target, 'setpoint');
  assert.ok(!hops.some(({ hop }) => hop === 'mirrored'));
});

test('while the node is away it is the link, since when, with the value as it was said last', async (t) => {
  const { url, client } = await cloud(t);
  const never = await client.why(target, 'setpoint');
  assert.equal(never.findings[0]?.code, 'NODE_UNKNOWN');
  assert.match(never.findings[0]?.message ?? '', /has never connected/);
  (await edge(t, url, why(THERE))).terminate();
  const { from, findings, reported } = await gone(client);
  const [first = assert.fail('nothing found')] = findings;
  assert.deepEqual([from, first.stage, first.code], ['cloud', 'link', 'NODE_OFFLINE']);
  assert.match(first.todo ?? '', /limpet why default\/boiler-1\.setpoint --edge/);
  assert.notEqual(first.since, undefined);
  assert.deepEqual([reported?.value, reported?.quality], [55, 'stale']);
  await client.patch(target, { spec: { desired: { setpoint: 60 } } });
  const { order } = await client.why(target, 'setpoint');
  assert.match(order?.finding?.message ?? '', /^it is on the disk of the cloud.*not connected/);
});

test('an edge that is too old, has nothing or answers nonsense is told as that', async (t) => {
  for (const [told, offers, code] of [
    [why(THERE), [], 'NODE_OLD'],
    [{ kind: 'why', explanation: { findings: 'x' } }, ['ask'], 'ANSWER_INVALID'],
    [why(null), ['ask'], undefined],
  ] as const) {
    const { url, client } = await cloud(t);
    await edge(t, url, told, [...offers]);
    const { from, findings } = await client.why(target, 'setpoint');
    assert.deepEqual([from, findings[0]?.code], ['cloud', code]);
    assert.equal(findings[0]?.stage, code === undefined ? 'queue' : 'link');
  }
});

test('what is not there is told with what was meant; the load of a node that is away with why', async (t) => {
  const { client } = await cloud(t);
  const said = async (task: Promise<unknown>): Promise<string> => {
    const error = await task.then(
      () => undefined,
      (caught: unknown) => caught,
    );
    assert.ok(error instanceof ApiError, String(error));
    return error.message;
  };
  assert.match(await said(client.why(target, 'setpont')), /Did you mean "setpoint"\?/);
  assert.match(
    await said(client.why({ ...target, name: 'boilr-1' }, 'setpoint')),
    /Did you mean "default\/boiler-1"\?/,
  );
  assert.match(await said(client.load('gateway-9')), /not found/);
});
