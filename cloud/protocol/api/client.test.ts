import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Device } from '@limpet/dmi/manifest';
import { ApiClient, ApiUnreachable } from './client.ts';
import { ApiError } from './status.ts';
import { device, realClock, serve, target } from './testing.ts';
import { tokenCheck } from './tokens.ts';

test('a resource lives through create, get, replace, patch and delete', async () => {
  await using served = await serve();
  const client = new ApiClient({ url: served.url });
  const created = await client.create(device('b'));
  assert.equal(created.metadata.name, 'b');
  assert.deepEqual(await client.get(target('b')), created);
  const replaced = await client.replace(target('b'), device('b', { node: 'gateway-2' }));
  assert.equal((replaced as Device).spec.node, 'gateway-2');
  const patch = { spec: { desired: { setpoint: 55 } } };
  const patched = await client.patch(target('b'), patch, { expiresMs: 30_000 });
  assert.deepEqual((patched as Device).spec.desired, { setpoint: 55 });
  assert.deepEqual(served.backend.written.at(-1), {
    dryRun: false,
    expiresMs: 30_000,
    orders: ['setpoint'],
  });
  await client.delete(target('b'));
  await assert.rejects(client.get(target('b')), (error: ApiError) => {
    assert.ok(error instanceof ApiError);
    assert.equal(error.code, 404);
    assert.equal(error.reason, 'NotFound');
    assert.equal(error.details.name, 'b');
    return true;
  });
});

test('a fleet of several pages is listed whole, in key order', async () => {
  await using served = await serve();
  for (let n = 0; n < 1203; n++) served.backend.create(target(`d-${n}`), plain(device(`d-${n}`)));
  const client = new ApiClient({ url: served.url });
  const { items, resourceVersion } = await client.list('Device');
  assert.equal(items.length, 1203);
  assert.equal(new Set(items.map(({ metadata }) => metadata.name)).size, 1203);
  assert.equal(resourceVersion, String(served.backend.version()));
  assert.deepEqual((await client.list('Node')).items, []);
});

test('a watch gives what there is, says when that is all, then what changes', async () => {
  await using served = await serve();
  const client = new ApiClient({ url: served.url });
  await client.create(device('a'));
  const seen: string[] = [];
  for await (const event of client.watch('Device')) {
    seen.push(event.type);
    if (event.type === 'BOOKMARK') await client.patch(target('a'), { spec: { desired: { x: 1 } } });
    if (event.type === 'MODIFIED') await client.delete(target('a'));
    if (event.type === 'DELETED') break;
  }
  assert.deepEqual(seen, ['ADDED', 'BOOKMARK', 'MODIFIED', 'DELETED']);
  while (served.backend.listeners() > 0) await realClock.sleep(1);
});

test('a watch ends quietly when its signal says so', async () => {
  await using served = await serve();
  const client = new ApiClient({ url: served.url });
  const abort = new AbortController();
  const types: string[] = [];
  for await (const event of client.watch('Device', {}, abort.signal)) {
    types.push(event.type);
    abort.abort();
  }
  assert.deepEqual(types, ['BOOKMARK']);
  const before = await client.watch('Device', {}, abort.signal).next();
  assert.equal(before.done, true, 'also when it says so before the connection stands');
});

test('the token is asked for, and never part of what goes wrong', async () => {
  await using served = await serve({ authorize: tokenCheck(['s3cret-one']) });
  await new ApiClient({ url: served.url, token: 's3cret-one' }).list('Device');
  for (const token of [undefined, 's3cret-two']) {
    const client = new ApiClient({ url: served.url, ...(token !== undefined && { token }) });
    await assert.rejects(client.list('Device'), { name: 'ApiError', reason: 'Unauthorized' });
  }
  assert.doesNotMatch(JSON.stringify(served.log.lines), /s3cret/);
});

test('nobody there is told apart from somebody saying no', async () => {
  const { url } = await (async () => {
    await using served = await serve();
    return served;
  })();
  await assert.rejects(new ApiClient({ url }).list('Device'), (error: unknown) => {
    assert.ok(error instanceof ApiUnreachable);
    assert.equal(error.code, 'ECONNREFUSED');
    assert.match(error.message, /^no answer from http:\/\/127\.0\.0\.1:\d+: /);
    return true;
  });
});

test('a client without an address, or with one of another kind, is refused at once', () => {
  assert.throws(() => new ApiClient({}), /expected url or socketPath/);
  assert.throws(() => new ApiClient({ url: 'ws://127.0.0.1:1' }), /found ws:\/\//);
});

function plain(doc: Device): Parameters<ApiClient['patch']>[1] {
  return doc as unknown as Parameters<ApiClient['patch']>[1];
}
