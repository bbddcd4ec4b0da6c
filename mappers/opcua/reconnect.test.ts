/** What is lost, and what comes back: cuts, silence, restarts, and servers that take little at once. */
import assert from 'node:assert/strict';
import { after, before, suite, test, type TestContext } from 'node:test';
import { type Connection, type DmiError, type Reading, Unreachable, type Value } from '@limpet/dmi';
import type { OPCUAServerOptions } from 'node-opcua-server';
import { DataType } from 'node-opcua-variant';
import { never, open, type RealContext, realContext, until, visitorOf } from './open.fixture.ts';
import { parseNodeId, type NodeAddress } from './node-id.ts';
import { SimulatedServer } from './simulator.ts';
import type { Visitor } from './visitor.ts';

const at = (text: string): NodeAddress => parseNodeId(text) as NodeAddress;
const value = (reading: Reading | undefined): unknown =>
  reading?.ok === true ? reading.value : reading?.error.code;

async function serve(
  names: readonly string[],
  options: OPCUAServerOptions = {},
): Promise<SimulatedServer> {
  const server = await SimulatedServer.start(options);
  for (const [index, name] of names.entries())
    server.add({
      node: at(`ns=2;s=${name}`),
      name,
      type: DataType.Double,
      value: index,
      writable: true,
    });
  return server;
}

async function serving(t: TestContext, ...how: Parameters<typeof serve>): Promise<SimulatedServer> {
  const server = await serve(...how);
  t.after(() => server.close());
  return server;
}

/** A device that is told everything. */
class Heard {
  readonly told: { readonly index: number; readonly reading: Reading }[] = [];
  readonly losses: Error[] = [];
  readonly life = new AbortController();
  polled: readonly number[] = [];

  static async begin(
    connection: Connection<Visitor>,
    visitors: readonly Visitor[],
    everyMs = 50,
  ): Promise<Heard> {
    const heard = new Heard();
    const sink = {
      reading: (index: number, reading: Reading) => void heard.told.push({ index, reading }),
      lost: (error: Error) => void heard.losses.push(error),
    };
    const wishes = visitors.map((visitor) => ({ visitor, everyMs }));
    heard.polled = (await connection.subscribe?.(wishes, sink, heard.life.signal)) ?? [];
    return heard;
  }

  last(index: number): unknown {
    return value(this.told.findLast((each) => each.index === index)?.reading);
  }

  async hears(index: number, wanted: Value): Promise<void> {
    await until(() => this.last(index) === wanted);
  }
}

const SETTINGS = { security: 'none', keepAlive: '200ms' };
const temp = visitorOf({ node: 'ns=2;s=Temp' });

async function watch(server: SimulatedServer, context: RealContext, more: object = {}) {
  const settings = { ...SETTINGS, endpoint: server.endpoint, ...more };
  const connection = await open(settings, context);
  return { connection, heard: await Heard.begin(connection, [temp]) };
}

const sessions = ({ server }: SimulatedServer): number => server.engine.currentSessionCount;

suite('coming back', () => {
  let server: SimulatedServer;
  before(async () => {
    server = await serve(['Temp']);
  });
  after(() => server.close());

  test('after a cut the device is lost once, comes back, and leaves no session behind', async () => {
    const context = realContext();
    const first = await watch(server, context);
    await first.heard.hears(0, 0);
    for (const wire of context.wires) wire.destroy();
    await until(() => first.heard.losses.length > 0);
    assert.ok(first.heard.losses[0] instanceof Unreachable);
    server.set('Temp', 7);
    await assert.rejects(first.connection.read([temp], never), Unreachable);
    await first.connection.close();
    const second = await watch(server, context);
    await second.heard.hears(0, 7);
    assert.equal(sessions(server), 1, 'the one that was cut was ended');
    const count = first.heard.told.length;
    server.set('Temp', 8);
    await second.heard.hears(0, 8);
    assert.equal(first.heard.told.length, count);
    assert.equal(first.heard.losses.length, 1);
    await second.connection.close();
    assert.equal(sessions(server), 0);
  });

  test('a server that falls silent is lost, though its socket stays open', async () => {
    server.set('Temp', 0);
    const context = realContext();
    const { connection, heard } = await watch(server, context, { timeout: '2s' });
    await heard.hears(0, 0);
    const before = heard.told.length;
    await until(() => heard.told.length > before);
    assert.equal(heard.last(0), 0, 'a keep-alive tells the last value again: the device is there');
    for (const wire of context.wires) wire.pause();
    await until(() => heard.losses.length > 0);
    assert.match((heard.losses[0] as DmiError).code, /^OPCUA_(SILENT|TIMEOUT)$/);
    await connection.close();
  });

  test('a subscription that the server forgets is lost', async () => {
    const { connection, heard } = await watch(server, realContext());
    await heard.hears(0, 0);
    const engine = server.server.engine as unknown as {
      _sessions: Record<string, { publishEngine: { subscriptions: { terminate(): void }[] } }>;
    };
    for (const session of Object.values(engine._sessions))
      for (const subscription of session.publishEngine.subscriptions) subscription.terminate();
    await until(() => heard.losses.length > 0);
    assert.ok(heard.losses[0] instanceof Unreachable, heard.losses[0]?.message);
    await connection.close();
  });

  test('a restarted server whose namespaces have other numbers is read by their URIs', async (t) => {
    const uri = 'urn:plant';
    const visitor = visitorOf({ node: `nsu=${uri};s=Level` });
    const byNumber = visitorOf({ node: 'ns=2;s=Level' });
    let port = 0;
    for (const spaces of [[uri], ['urn:other', 'urn:more', uri]]) {
      const server = await serving(t, [], { port });
      port = server.port;
      for (const [index, namespace] of spaces.entries())
        server.add({
          node: { namespace, kind: 's', id: 'Level' },
          name: namespace,
          type: DataType.Double,
          value: namespace === uri ? 3 : index,
          writable: true,
        });
      const connection = await open({ ...SETTINGS, endpoint: server.endpoint }, realContext());
      const [level, other, numbered] = await connection.read(
        [visitor, visitorOf({ node: 'nsu=urn:x;i=1' }), byNumber],
        never,
      );
      assert.deepEqual([value(level), value(other)], [3, 'OPCUA_NAMESPACE']);
      if (spaces[0] === uri) assert.equal(value(numbered), 3);
      else {
        // Where it was there is another node now.
        assert.ok(numbered?.ok === false && numbered.error.code === 'OPCUA_NAMESPACE');
        assert.match(
          numbered.error.message,
          /was urn:plant and is urn:other.*nsu=urn:plant;s=Level/,
        );
        await assert.rejects(connection.write(byNumber, 5, never), { code: 'OPCUA_NAMESPACE' });
      }
      await connection.close();
      await server.close();
    }
  });
});

suite('servers that take little at once', () => {
  test('each call keeps to the limits of the server', async (t) => {
    const names = Array.from({ length: 11 }, (_, index) => `P${index}`);
    const server = await serving(t, names, {
      serverCapabilities: {
        operationLimits: {
          maxNodesPerRead: 3,
          maxNodesPerWrite: 1,
          maxNodesPerBrowse: 2,
          maxMonitoredItemsPerCall: 4,
        },
      } as never,
    });
    const connection = await open({ ...SETTINGS, endpoint: server.endpoint }, realContext());
    const visitors = names.map((name) => visitorOf({ node: `ns=2;s=${name}` }));
    const readings = await connection.read(visitors, never);
    assert.deepEqual(
      readings.map(value),
      names.map((_, index) => index),
    );
    const heard = await Heard.begin(connection, visitors);
    assert.deepEqual(heard.polled, []);
    for (const index of names.keys()) await heard.hears(index, index);
    await connection.close();
  });

  test('items that one subscription has no room for go into another, and what fits nowhere is polled', async (t) => {
    const names = Array.from({ length: 7 }, (_, index) => `P${index}`);
    const server = await serving(t, names, {
      serverCapabilities: {
        maxMonitoredItemsPerSubscription: 3,
        maxSubscriptionsPerSession: 2,
      } as never,
    });
    const connection = await open({ ...SETTINGS, endpoint: server.endpoint }, realContext());
    const visitors = names.map((name) => visitorOf({ node: `ns=2;s=${name}` }));
    const heard = await Heard.begin(connection, visitors);
    assert.deepEqual(heard.polled, [6]);
    for (const index of [0, 3, 5]) await heard.hears(index, index);
    await connection.close();
  });
});
