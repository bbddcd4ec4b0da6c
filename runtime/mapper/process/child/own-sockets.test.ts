import { fakeClock } from '@limpet/dmi/testing';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import { openStream } from '../../../device/open.ts';
import { OwnSockets } from './own-sockets.ts';

async function echo(t: TestContext): Promise<number> {
  const server = createServer((socket) => socket.pipe(socket)).listen(0, '127.0.0.1');
  t.after(() => void server.close());
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

test('a recording of the sockets of a library has none of what was dialled meanwhile', async (t) => {
  const own = new OwnSockets(fakeClock());
  const port = await echo(t);
  own.page('c');
  const address = { kind: 'tcp', host: '127.0.0.1', port } as const;
  const dialled = await openStream(address, new AbortController().signal);
  own.dialled(dialled);
  t.after(() => void dialled.destroy());
  dialled.write('secret');
  await once(dialled, 'data');
  const library = connect(port, '127.0.0.1');
  t.after(() => void library.destroy());
  library.write('hello');
  await once(library, 'data');
  const { events, wires } = own.page('c');
  const texts = events.map(({ kind, bytes = '' }) => [
    kind,
    Buffer.from(bytes, 'base64').toString(),
  ]);
  assert.deepEqual(texts, [
    ['open', ''],
    ['out', 'hello'],
    ['in', 'hello'],
  ]);
  assert.equal(wires, 1);
});
