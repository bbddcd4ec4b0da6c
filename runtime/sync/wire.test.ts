import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { type WebSocket, WebSocketServer } from 'ws';
import { systemClock } from '../kernel/clock.ts';
import { dialWebSocket, type Wire, type WireOptions } from './wire.ts';

async function hub(
  t: TestContext,
): Promise<{ url: URL; server: Server; sockets: WebSocketServer }> {
  const server = createServer();
  const sockets = new WebSocketServer({ server, perMessageDeflate: false });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const client of sockets.clients) client.terminate();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { url: new URL(`ws://127.0.0.1:${port}/hub`), server, sockets };
}

interface Ended {
  code: string;
  message: string;
  retryAfter?: number;
}

function dial(options: Omit<WireOptions, 'clock'> & Partial<Pick<WireOptions, 'clock'>>) {
  const texts: string[] = [];
  let wire!: Wire;
  const opened = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<Ended>();
  let ends = 0;
  wire = dialWebSocket({ clock: systemClock, ...options })({
    opened: () => opened.resolve(),
    received: (text) => void texts.push(text),
    closed: (fault) => {
      ends++;
      closed.resolve(fault);
    },
  });
  return { wire, texts, opened: opened.promise, closed: closed.promise, ends: () => ends };
}

test('text goes both ways, with the token from the file, uncompressed', async (t) => {
  const { url, sockets } = await hub(t);
  const folder = mkdtempSync(join(tmpdir(), 'limpet-wire-'));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'token'), 'hunter2\n');
  const connected = once(sockets, 'connection');
  const { wire, texts, opened, closed } = dial({ url, tokenFile: join(folder, 'token') });
  const [socket, request] = (await connected) as [WebSocket, { headers: Record<string, string> }];
  await opened;
  assert.equal(request.headers['authorization'], 'Bearer hunter2');
  assert.equal(socket.extensions, '');
  const heard = once(socket, 'message');
  wire.send('up');
  assert.equal(String((await heard)[0]), 'up');
  socket.send('down');
  socket.close();
  assert.equal((await closed).code, 'SYNC_CLOSED');
  assert.deepEqual(texts, ['down']);
});

test('nobody listening is one closed, with what to do', async () => {
  const server = createTcpServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  const { closed, ends } = dial({ url: new URL(`ws://127.0.0.1:${port}/hub`) });
  const fault = await closed;
  assert.equal(fault.code, 'ECONNREFUSED');
  assert.match(fault.message, /Is the cloud service running/);
  assert.equal(ends(), 1);
});

test('a cloud without TLS is said to have none', async (t) => {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const fault = await dial({ url: new URL(`wss://127.0.0.1:${port}/hub`) }).closed;
  assert.equal(fault.code, 'EPROTO');
  assert.match(fault.message, /^What answers there speaks no TLS\. .*ws:\/\//);
});

test('an HTTP refusal tells the fix, and when to come back', async (t) => {
  const server = createServer((_request, response) => response.end());
  let status = 401;
  server.on('upgrade', (_request, socket) => {
    socket.end(`HTTP/1.1 ${status} No\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n`);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const url = new URL(`ws://127.0.0.1:${(server.address() as AddressInfo).port}/hub`);
  const first = await dial({ url }).closed;
  assert.equal(first.code, 'SYNC_HTTP_401');
  assert.match(first.message, /tokenFile/);
  status = 503;
  assert.equal((await dial({ url }).closed).retryAfter, 7000);
});

test('a silent cloud is noticed after two missed heartbeats', async (t) => {
  const { url, sockets } = await hub(t);
  const beats: (() => void)[] = [];
  const clock = {
    ...systemClock,
    after: (_ms: number, task: () => void) => {
      beats.push(task);
      return () => undefined;
    },
  };
  const connected = once(sockets, 'connection');
  const { opened, closed } = dial({ url, clock });
  const [socket] = (await connected) as [WebSocket];
  await opened;
  // The other side is there, but stands still: it answers nothing.
  socket.pause();
  for (let i = 0; i < 3; i++) beats.shift()?.();
  assert.equal((await closed).code, 'SYNC_SILENT');
});

test('a frame beyond the limit, or a binary one, closes the wire', async (t) => {
  const { url, sockets } = await hub(t);
  sockets.on('connection', (socket) => socket.send(Buffer.from('x')));
  assert.equal((await dial({ url }).closed).code, 'SYNC_BAD_MESSAGE');
  sockets.removeAllListeners('connection');
  sockets.on('connection', (socket) => socket.send('x'.repeat(4 * 1024 * 1024 + 1)));
  assert.equal((await dial({ url }).closed).code, 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH');
});

test('a token file that is missing, or holds no token, fails the attempt and is not quoted', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'limpet-wire-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const url = new URL('ws://127.0.0.1:1/hub');
  assert.throws(() => dial({ url, tokenFile: join(folder, 'none') }), { code: 'ENOENT' });
  writeFileSync(join(folder, 'token'), 'two words');
  assert.throws(
    () => dial({ url, tokenFile: join(folder, 'token') }),
    (error: unknown) => error instanceof Error && !error.message.includes('two words'),
  );
});
