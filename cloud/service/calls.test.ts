/** Calls through a real cloud, to edges that are played over a real WebSocket. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { WebSocket } from 'ws';
import type { FromCloud, FromEdge } from '#protocol';
import { ApiClient, ApiError } from '#protocol/api';
import { startCloud } from './main.ts';
import { BOILER, BOILER_1, FACTS, silent, urlOf } from './testing.ts';

const target = { kind: 'Device', namespace: 'default', name: 'boiler-1' } as const;
const asked = { method: 'ignite', input: { power: 3 }, timeoutMs: 5_000 };
const IGNITE = {
  name: 'ignite',
  input: [{ name: 'power', type: 'int' }],
  output: [{ name: 'flame', type: 'bytes' }],
  visitor: {},
} as const;

async function cloud(t: TestContext) {
  const data = mkdtempSync(path.join(tmpdir(), 'limpet-calls-'));
  t.after(() => rmSync(data, { recursive: true, force: true }));
  const service = await startCloud({
    data,
    store: urlOf(data),
    listen: '127.0.0.1:0',
    log: silent,
  });
  t.after(() => service.close());
  const client = new ApiClient({ url: service.url });
  await client.create({ ...BOILER, spec: { ...BOILER.spec, methods: [IGNITE] } });
  await client.create(BOILER_1);
  return { url: service.url, client };
}

/** An edge that answers calls with what `answer` gives. */
async function edge(
  t: TestContext,
  url: string,
  {
    offers,
    answer,
  }: { offers?: readonly 'call'[]; answer?: (call: FromCloud) => object | undefined },
): Promise<{ heard: FromCloud[]; socket: WebSocket }> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/hub`, { perMessageDeflate: false });
  t.after(() => socket.terminate());
  const heard: FromCloud[] = [];
  const welcome = Promise.withResolvers<void>();
  socket.on('message', (content: Buffer) => {
    const message = JSON.parse(content.toString()) as FromCloud;
    heard.push(message);
    if (message.type === 'welcome') welcome.resolve();
    const said = message.type === 'call' ? answer?.(message) : undefined;
    if (said !== undefined) socket.send(JSON.stringify(said));
  });
  await once(socket, 'open');
  const hello: FromEdge = {
    type: 'hello',
    protocol: 1,
    node: 'gateway-1',
    epoch: 'e1',
    rev: 0,
    facts: FACTS,
    ...(offers && { offers }),
  };
  socket.send(JSON.stringify(hello));
  await welcome.promise;
  return { heard, socket };
}

async function failure(call: Promise<unknown>) {
  const error: unknown = await call.catch((reason: unknown) => reason);
  assert.ok(error instanceof ApiError, String(error));
  return error.details.call;
}

test('a call reaches the edge as it was checked, and the answer comes back', async (t) => {
  const { url, client } = await cloud(t);
  const { heard } = await edge(t, url, {
    offers: ['call'],
    answer: (call) =>
      call.type === 'call'
        ? { type: 'called', id: call.id, outcome: { ok: true, output: { flame: 'SGk=' } } }
        : undefined,
  });
  assert.deepEqual(await client.call(target, asked), { flame: 'SGk=' });
  const call = heard.find(({ type }) => type === 'call');
  assert.deepEqual(call, {
    type: 'call',
    id: 1,
    device: 'default/boiler-1',
    method: 'ignite',
    input: { power: 3 },
    ttl: 5_000,
  });
  const wrong = client.call(target, { ...asked, input: { power: 'much' } });
  assert.deepEqual(await failure(wrong), { at: 'cloud', code: 'VALUE_TYPE', ran: 'no' });
});

test('an edge that does not say that it can be called is not asked, and stays connected', async (t) => {
  const { url, client } = await cloud(t);
  const { heard, socket } = await edge(t, url, {});
  assert.deepEqual(await failure(client.call(target, asked)), {
    at: 'cloud',
    code: 'NODE_OLD',
    ran: 'no',
  });
  assert.ok(!heard.some(({ type }) => type === 'call'));
  assert.equal(socket.readyState, WebSocket.OPEN);
});

test('a node that goes away in the middle of a call, or was never there, is told as that', async (t) => {
  const { url, client } = await cloud(t);
  assert.equal((await failure(client.call(target, asked)))?.code, 'NODE_OFFLINE');
  const { socket } = await edge(t, url, {
    offers: ['call'],
    answer: () => (socket.terminate(), undefined),
  });
  const lost = await failure(client.call(target, asked));
  assert.deepEqual(lost, { at: 'cloud', code: 'NODE_LOST', ran: 'maybe' });
});

test('an edge that answers nonsense is sent away, and the call with it', async (t) => {
  const { url, client } = await cloud(t);
  const { heard } = await edge(t, url, {
    offers: ['call'],
    answer: () => ({
      type: 'called',
      id: 1,
      outcome: { ok: true, output: { flame: 'x'.repeat(70_000) } },
    }),
  });
  assert.equal((await failure(client.call(target, asked)))?.code, 'NODE_LOST');
  const refused = heard.at(-1);
  assert.ok(refused?.type === 'refuse' && refused.code === 'SYNC_BAD_MESSAGE');
});
