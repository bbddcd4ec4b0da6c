import { type Connection } from '@limpet/dmi';
import { silentLog } from '@limpet/dmi/testing';
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import { systemClock } from '../../kernel/clock.ts';
import { MapperFolder } from '../folder.fixture.ts';

/** A mapper as somebody who brings nothing with it would write it. */
const BARE = `
  import { defineMapper } from '@limpet/dmi';
  import { httpVisitor } from '@limpet/dmi/http';
  import { Line, lineConnection, lineVisitor } from '@limpet/dmi/line';
  const any = { '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value }) } };
  export default defineMapper({
    protocol: 'bare', settings: any, visitor: lineVisitor,
    fits: () => (httpVisitor === undefined ? 'no' : undefined),
    async connect({ address }, context, signal) {
      return lineConnection(await Line.open(address, context, {}, signal));
    },
  });
`;

test('a mapper that brings nothing finds the doors of the DMI, and reads through them', async (t) => {
  const port = await device(t);
  const folder = new MapperFolder(t);
  folder.write('bare', BARE, { permissions: { network: ['127.0.0.1'] } });
  const host = await folder.open(t);
  const mapper = await host.mapper('bare');
  const signal = AbortSignal.timeout(10_000);
  const context = {
    device: 'default/one',
    clock: systemClock,
    log: silentLog(),
    dial: () => assert.fail(),
  };
  const visitor = { ask: 'T?', answer: '{}', type: 'number', on: '1', off: '0' };
  const settings = { address: `tcp://127.0.0.1:${port}` };
  const connection: Connection<unknown> = await mapper.connect(settings, context, signal);
  t.after(() => connection.close());
  assert.deepEqual(await connection.read([visitor], signal), [{ ok: true, value: 21.5 }]);
});

async function device(t: TestContext): Promise<number> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', () => void socket.write('21.5\n'));
    socket.on('end', () => socket.end());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  return address.port;
}
