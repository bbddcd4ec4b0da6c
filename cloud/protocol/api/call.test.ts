import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CallDoor, CallFailure, CallOutcome } from '@limpet/dmi/manifest';
import { ApiClient } from './client.ts';
import { ApiError } from './status.ts';
import { MemoryBackend, serve, target } from './testing.ts';

type Call = (
  asked: Parameters<CallDoor>[1],
  signal: AbortSignal,
) => CallOutcome | Promise<CallOutcome>;

async function served(call: Call) {
  const backend = Object.assign(new MemoryBackend(), {
    call: async (_target: unknown, asked: Parameters<CallDoor>[1], signal: AbortSignal) =>
      call(asked, signal),
  });
  const front = await serve({ backend });
  const client = new ApiClient({ url: front.url });
  const ask = (method = 'start', input = {}, signal?: AbortSignal) =>
    client.call(target('pump-1'), { method, input, timeoutMs: 3_000 }, signal);
  return { front, ask };
}

async function refusal(asked: Promise<unknown>): Promise<ApiError> {
  const error: unknown = await asked.catch((reason: unknown) => reason);
  assert.ok(error instanceof ApiError, String(error));
  return error;
}

const failure = (more: Partial<CallFailure>): CallFailure => {
  return { ok: false, at: 'edge', code: 'X', message: 'it did not work', ran: 'no', ...more };
};

test('a method gets its input and its time, and its output comes back', async () => {
  const heard: unknown[] = [];
  const { front, ask } = await served((asked) => {
    heard.push(asked);
    return { ok: true, output: { taken: 3 } };
  });
  await using _ = front;
  assert.deepEqual(await ask('start', { speed: 5 }), { taken: 3 });
  assert.deepEqual(heard, [{ method: 'start', input: { speed: 5 }, timeoutMs: 3_000 }]);
});

test('a failure says where it stopped, and whether the method may have run', async () => {
  const cases: readonly [Partial<CallFailure>, number, RegExp][] = [
    [{ at: 'cloud', code: 'NODE_OFFLINE' }, 503, /^stopped at the cloud: it did not work$/],
    [{ code: 'DEVICE_OFFLINE' }, 503, /^stopped at the edge/],
    [{ code: 'METHOD_UNKNOWN' }, 404, /^stopped at the edge/],
    [{ code: 'CALL_BUSY' }, 429, /^stopped at the edge/],
    [{ at: 'device', code: 'OPCUA_NO' }, 409, /^stopped at the device: it did not work$/],
    [
      { at: 'device', code: 'CALL_TIMEOUT', ran: 'maybe' },
      504,
      /work\. It may have been carried out/,
    ],
    [{ faults: [{ argument: 'a', code: 'VALUE_TYPE', message: 'm' }] }, 422, /^stopped/],
  ];
  for (const [more, code, message] of cases) {
    const told = failure(more);
    const { front, ask } = await served(() => told);
    await using _ = front;
    const error = await refusal(ask());
    assert.equal(error.code, code, told.code);
    assert.match(error.message, message);
    assert.deepEqual(error.details.call, { at: told.at, code: told.code, ran: told.ran });
    const field = told.faults === undefined ? told.at : 'input.a';
    assert.equal(error.details.causes?.[0]?.field, field);
  }
});

test('a client that goes away calls it off', async () => {
  const gone = Promise.withResolvers<void>();
  const { front, ask } = await served(async (_asked, signal) => {
    signal.addEventListener('abort', () => gone.resolve());
    await gone.promise;
    return failure({});
  });
  await using _ = front;
  const leave = new AbortController();
  const asked = ask('start', {}, leave.signal);
  setTimeout(() => leave.abort(), 50);
  await assert.rejects(asked);
  await gone.promise;
});

test('what is asked wrongly reaches no device', async () => {
  const { front } = await served(() => assert.fail('it was called'));
  await using _ = front;
  const path = '/apis/limpet.dev/v1/namespaces/default/devices/pump-1/methods';
  const post = async (below: string, body: string, type = 'application/json') => {
    const headers = { 'content-type': type };
    return (await fetch(`${front.url}${path}${below}`, { method: 'POST', headers, body })).status;
  };
  assert.equal(await post('/start', '{"inptu":{}}'), 400);
  assert.equal(await post('/start', '{}', 'text/plain'), 415);
  assert.equal(await post('/start?timeout=2m', '{}'), 400);
  assert.equal(await post('/start?timeout=soon', '{}'), 400);
  assert.equal(await post('/start/now', '{}'), 404);
  assert.equal(await post('/a%20b', '{}'), 400);
  assert.equal((await fetch(`${front.url}${path}/start`)).status, 405);
});

test('a service that cannot call says so', async () => {
  await using front = await serve();
  const client = new ApiClient({ url: front.url });
  const asked = { method: 'a', input: {}, timeoutMs: 1_000 };
  assert.equal((await refusal(client.call(target('x'), asked))).code, 405);
});
