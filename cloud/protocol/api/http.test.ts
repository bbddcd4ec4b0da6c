import assert from 'node:assert/strict';
import { request } from 'node:http';
import { connect } from 'node:net';
import { test } from 'node:test';
import type { Document } from './backend.ts';
import { MOST_BODY_BYTES } from './body.ts';
import { ApiClient } from './client.ts';
import { ApiError, type Status } from './status.ts';
import { device, realClock, serve, type Served, target } from './testing.ts';
import { tokenCheck } from './tokens.ts';

const DEVICES = '/apis/limpet.dev/v1/namespaces/default/devices';
const JSON_BODY = { 'content-type': 'application/json' };

interface Got {
  readonly code: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly body: string;
  readonly status: Partial<Status>;
}

const REFUSED: readonly (readonly [title: string, ask: Ask, code: number, message: RegExp])[] = [
  ['a body of no type', { method: 'POST', body: '{}' }, 415, /none was given/],
  [
    'a body as plain text',
    { method: 'POST', type: 'text/plain', body: '{}' },
    415,
    /found "text\/plain"/,
  ],
  [
    'a strategic merge patch',
    {
      method: 'PATCH',
      path: `${DEVICES}/a`,
      type: 'application/strategic-merge-patch+json',
      body: '{}',
    },
    415,
    /expected the content type application\/merge-patch\+json.*--type=merge/,
  ],
  ['a body that is not JSON', { method: 'POST', body: '{"a":' }, 400, /not valid JSON/],
  [
    'a body that is not UTF-8',
    { method: 'POST', body: Buffer.from([0x22, 0xff, 0x22]) },
    400,
    /not UTF-8/,
  ],
  ['an empty body', { method: 'POST', body: '' }, 400, /found nothing/],
  ['a list as body', { method: 'POST', body: '[]' }, 400, /one JSON object/],
  [
    'a deep body',
    { method: 'POST', body: `{"a":${'['.repeat(9e5)}${']'.repeat(9e5)}}` },
    400,
    /deeper than 64/,
  ],
  [
    'a prototype in the body',
    { method: 'POST', body: '{"spec":{"__proto__":{}}}' },
    400,
    /"__proto__" is not allowed/,
  ],
  ['a number beyond numbers', { method: 'POST', body: '{"spec":1e999}' }, 400, /number is beyond/],
  [
    'a body too large',
    { method: 'POST', body: ' '.repeat(MOST_BODY_BYTES + 1) },
    413,
    /larger than 2097152 bytes/,
  ],
  [
    'metadata of another kind',
    { method: 'POST', body: '{"metadata":3}' },
    400,
    /metadata: expected an object/,
  ],
  [
    'a method that is none',
    { method: 'PURGE' },
    405,
    /"PURGE" is not understood here; GET, HEAD, POST, DELETE are/,
  ],
  ['a path that is none', { path: '/nothing' }, 404, /nothing at "\/nothing"/],
  ['a foreign host', { host: 'evil.example:80' }, 403, /localhost or an IP address/],
];

for (const [title, ask, code, message] of REFUSED) {
  test(`${title} is answered ${code} with a Status`, async () => {
    await using served = await serve();
    const got = await send(served, ask);
    assert.equal(got.code, code, got.body);
    assert.equal(got.status.kind, 'Status');
    assert.equal(got.status.code, code);
    assert.match(got.status.message ?? '', message);
    if (code === 405) assert.equal(got.headers['allow'], 'GET, HEAD, POST, DELETE');
    assert.equal(await new ApiClient({ url: served.url }).healthy(), true);
  });
}

test('what the backend has a word for is told, whatever was asked; the rest is a bug, and in the log', async () => {
  class Away extends Error {}
  const away = new ApiError('ServiceUnavailable', 'the database is away');
  await using served = await serve({
    failure: (error) => (error instanceof Away ? away : undefined),
  });
  const bugs = () => served.log.lines.filter(({ level }) => level === 'error').length;
  for (const method of ['list', 'get', 'changes', 'write', 'remove'] as const) {
    served.backend[method] = () => {
      throw new Away();
    };
  }
  const codes = await Promise.all([
    send(served, { method: 'GET' }),
    send(served, { method: 'GET', path: `${DEVICES}/a` }),
    send(served, { method: 'GET', path: `${DEVICES}?watch=1` }),
    send(served, { method: 'DELETE', path: `${DEVICES}/a` }),
  ]);
  assert.deepEqual(
    codes.map(({ code, status }) => [code, status.message]),
    Array(4).fill([503, 'the database is away']),
  );
  assert.equal(bugs(), 0);
  served.backend.get = () => {
    throw new Error('a bug');
  };
  assert.equal((await send(served, { method: 'GET', path: `${DEVICES}/a` })).code, 500);
  assert.equal(bugs(), 1);
});

test('every fault of a document against its path is named at once', async () => {
  await using served = await serve();
  const doc = { kind: 'Node', metadata: { name: 'No', namespace: 'other' } };
  const { status } = await send(served, { method: 'POST', body: JSON.stringify(doc) });
  assert.equal(status.code, 422);
  assert.deepEqual(
    status.details?.causes?.map(({ field, reason }) => `${field} ${reason}`),
    [
      'apiVersion FieldValueRequired',
      'kind FieldValueInvalid',
      'metadata.name FieldValueInvalid',
      'metadata.namespace FieldValueInvalid',
    ],
  );
});

test('a document without a namespace takes that of its path', async () => {
  await using served = await serve();
  const { metadata, ...rest } = device('a');
  const body = JSON.stringify({ ...rest, metadata: { name: metadata.name } });
  const got = await send(served, { method: 'POST', body });
  assert.equal(got.code, 201, got.body);
  assert.equal(served.backend.get(target('a')).metadata.namespace, 'default');
});

test('a deletion honours its preconditions', async () => {
  await using served = await serve();
  served.backend.create(target('a'), device('a') as unknown as Document);
  const path = `${DEVICES}/a`;
  const other = JSON.stringify({ preconditions: { uid: 'other' } });
  assert.equal((await send(served, { method: 'DELETE', path, body: other })).code, 409);
  const done = await send(served, { method: 'DELETE', path });
  assert.equal(done.status.status, 'Success');
  assert.equal((await send(served, { method: 'DELETE', path })).code, 404);
});

test('a bug is answered with an id, logged with it, and shows nothing of itself', async () => {
  await using served = await serve();
  served.backend.get = () => {
    throw new TypeError('secret detail');
  };
  const { status, body } = await send(served, { path: `${DEVICES}/a` });
  assert.equal(status.code, 500);
  assert.doesNotMatch(body, /secret detail|at .*\.ts/);
  const [line] = served.log.lines.filter(({ level }) => level === 'error');
  assert.match(String(line?.fields['error']), /secret detail/);
  assert.ok(status.message?.includes(String(line?.fields['id'])));
});

test('without its token nothing but the health is answered, and no token is logged', async () => {
  await using served = await serve({ authorize: tokenCheck(['right-one', 'other-one']) });
  const cases: readonly (readonly [string | undefined, number])[] = [
    [undefined, 401],
    ['Basic cmlnaHQ=', 401],
    ['Bearer wrong-one', 401],
    ['Bearer ', 401],
    ['Bearer right-one', 200],
    ['bearer other-one', 200],
  ];
  for (const [authorization, code] of cases) {
    const got = await send(served, { ...(authorization !== undefined && { authorization }) });
    assert.equal(got.code, code, authorization);
    if (code === 401) assert.equal(got.headers['www-authenticate'], 'Bearer');
  }
  assert.equal((await send(served, { path: '/healthz' })).body, 'ok');
  assert.doesNotMatch(JSON.stringify(served.log.lines), /-one/);
});

test('a service that is not well says why', async () => {
  await using served = await serve({ ailment: () => 'the disk is full' });
  const { status } = await send(served, { path: '/healthz' });
  assert.deepEqual([status.code, status.message], [503, 'the disk is full']);
});

test('HEAD has the head of GET, OPTIONS the methods, pretty the indentation', async () => {
  await using served = await serve();
  const head = await send(served, { method: 'HEAD', path: '/version' });
  assert.deepEqual([head.code, head.body], [200, '']);
  const options = await send(served, { method: 'OPTIONS' });
  assert.deepEqual([options.code, options.headers['allow']], [204, 'GET, HEAD, POST, DELETE']);
  assert.match((await send(served, { path: '/version?pretty' })).body, /\{\n {2}"major": "0"/);
});

test('a limited list continues where it ended, from the version at which it began', async () => {
  await using served = await serve();
  for (const name of ['a', 'b', 'c']) {
    served.backend.create(target(name), device(name) as unknown as Document);
  }
  const list = async (query: string) => {
    return JSON.parse((await send(served, { path: `${DEVICES}?${query}` })).body) as {
      items: { metadata: { name: string } }[];
      metadata: { resourceVersion: string; continue?: string };
    };
  };
  const first = await list('limit=2');
  served.backend.remove(target('a'), {});
  const second = await list(`limit=2&continue=${first.metadata.continue}`);
  const names = [...first.items, ...second.items].map(({ metadata }) => metadata.name);
  assert.deepEqual(names, ['a', 'b', 'c']);
  assert.equal(second.metadata.resourceVersion, first.metadata.resourceVersion);
  assert.equal(second.metadata.continue, undefined);
});

test('an idle watch sends its head at once, bookmarks in time, and ends in time', async () => {
  await using served = await serve({ limits: { bookmarkMs: 20 } });
  const watch = `${DEVICES}?watch=1&allowWatchBookmarks=1&timeoutSeconds=1`;
  const { code, body } = await send(served, { path: watch });
  assert.equal(code, 200);
  const types = body
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as { type: string }).type);
  assert.ok(types.length > 5, `${types.length} bookmarks`);
  assert.deepEqual(new Set(types), new Set(['BOOKMARK']));
  await settled(served);
});

test('watches beyond the ceiling are told to come back later', async () => {
  await using served = await serve({ limits: { watches: 1 } });
  const client = new ApiClient({ url: served.url });
  const watch = client.watch('Device');
  await watch.next();
  const second = await send(served, { path: `${DEVICES}?watch=1` });
  assert.deepEqual([second.code, second.headers['retry-after']], [429, '10']);
  assert.equal(served.front.counts().refused, 1);
  await watch.return();
  await settled(served);
});

test('a reader that stops reading costs one entry per object, and is cut off', async () => {
  await using served = await serve({ limits: { stallMs: 200 } });
  const { backend } = served;
  const big = {
    ...device('a'),
    metadata: { ...device('a').metadata, annotations: { note: 'x'.repeat(500_000) } },
  };
  backend.create(target('a'), big as unknown as Document);
  const socket = connect(served.port, '127.0.0.1').on('error', () => {});
  socket.write(`GET ${DEVICES}?watch=1 HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n`);
  socket.pause();
  while (backend.listeners() === 0) await realClock.sleep(5);
  backend.sights = 0;
  const started = realClock.monotonic();
  let writes = 0;
  while (backend.listeners() > 0) {
    assert.ok(realClock.monotonic() - started < 10_000, 'never cut off');
    for (let n = 0; n < 20; n++) {
      backend.patch(target('a'), { spec: { desired: { n: (writes += 1) } } });
    }
    await realClock.sleep(1);
  }
  assert.ok(backend.sights < writes / 2, `${backend.sights} composed for ${writes} writes`);
  await settled(served);
  socket.destroy();
});

test('what is not HTTP is answered with a Status, and the next client is served', async () => {
  await using served = await serve();
  const cases: readonly (readonly [string, RegExp])[] = [
    ['\x16\x03\x01\x02\x00\x01', /^HTTP\/1\.1 400 /],
    ['GET / HTTP/9.9\r\n\r\n', /^HTTP\/1\.1 400 /],
    [`GET / HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`, /^HTTP\/1\.1 431 /],
    ['GET /%zz HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n', /^HTTP\/1\.1 404 /],
    ['GET http://[ HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n', /^HTTP\/1\.1 404 /],
    [
      `POST ${DEVICES} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n`,
      /^HTTP\/1\.1 400 /,
    ],
  ];
  for (const [bytes, expected] of cases) {
    const answer = await raw(served.port, bytes);
    assert.match(answer, expected);
    assert.match(answer, /"kind":"Status"/);
  }
  assert.equal(await new ApiClient({ url: served.url }).healthy(), true);
});

test('a client that goes away within its body leaves nothing behind', async () => {
  await using served = await serve();
  const socket = connect(served.port, '127.0.0.1').on('error', () => {});
  socket.write(
    `POST ${DEVICES} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{`,
  );
  while (served.front.counts().requests === 0) await realClock.sleep(2);
  socket.destroy();
  await settled(served);
  assert.deepEqual(
    served.log.lines.filter(({ level }) => level === 'error'),
    [],
  );
});

interface Ask {
  readonly method?: string;
  readonly path?: string;
  readonly type?: string;
  readonly body?: string | Buffer;
  readonly host?: string;
  readonly authorization?: string;
}

/** Sends JSON unless told otherwise; a POST of `{}` or `''` without a type is sent as it is. */
function send({ port }: Served, ask: Ask): Promise<Got> {
  const { method = 'GET', path = DEVICES, type, body, host, authorization } = ask;
  const typed =
    type !== undefined
      ? { 'content-type': type }
      : body === '{}' || body === undefined
        ? {}
        : JSON_BODY;
  const headers = {
    ...typed,
    ...(host !== undefined && { host }),
    ...(authorization !== undefined && { authorization }),
    ...(body !== undefined && { 'content-length': Buffer.byteLength(body) }),
  };
  return new Promise((resolve, reject) => {
    const asking = request({ port, host: '127.0.0.1', method, path, headers, agent: false });
    asking.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        const status = text.startsWith('{"kind":"Status"') ? (JSON.parse(text) as Status) : {};
        resolve({ code: response.statusCode ?? 0, headers: response.headers, body: text, status });
      });
    });
    asking.on('error', reject);
    asking.end(body);
  });
}

function raw(port: number, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes, 'latin1'));
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
    socket.on('error', () => {});
    socket.on('close', () => resolve(text));
  });
}

async function settled({ front, backend }: Served): Promise<void> {
  for (let n = 0; n < 1000; n++) {
    const { requests, watches } = front.counts();
    if (requests + watches + backend.listeners() === 0) return;
    await realClock.sleep(5);
  }
  assert.fail('something is left behind');
}
