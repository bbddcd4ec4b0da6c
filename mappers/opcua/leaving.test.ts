/** What stays behind: at the server, at the wire, and on the clock, after an end at any step. */
import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import type { Duplex } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import { after, before, suite, test } from 'node:test';
import type { Clock, Connection, MapperContext } from '@limpet/dmi';
import { DataType } from 'node-opcua-variant';
import mapper from './mapper.ts';
import { parseNodeId, type NodeAddress } from './node-id.ts';
import { never, realContext, settingsOf, until, visitorOf } from './open.fixture.ts';
import type { Settings } from './settings.ts';
import { SimulatedServer } from './simulator.ts';
import type { Visitor } from './visitor.ts';

const temp = visitorOf({ node: 'ns=2;s=Temp' });

/** A context whose wires and timers are counted; `step` is told of each dial, and of all bytes that go or come. */
function counted(step: () => void = () => undefined) {
  const context = realContext();
  const pending = new Set<object>();
  const clock: Clock = {
    ...context.clock,
    after(ms, task) {
      const mark = {};
      const cancel = context.clock.after(ms, () => {
        pending.delete(mark);
        task();
      });
      pending.add(mark);
      return () => {
        pending.delete(mark);
        cancel();
      };
    },
  };
  const dial: MapperContext['dial'] = async (address, signal) => {
    step();
    const wire = await context.dial(address, signal);
    step();
    wire.on('data', step);
    const write = wire.write.bind(wire) as (...parts: unknown[]) => boolean;
    wire.write = (...parts: unknown[]) => {
      step();
      return write(...parts);
    };
    return wire;
  };
  return { context: { ...context, clock, dial }, pending };
}

suite('leaving', () => {
  let server: SimulatedServer;
  let settings: Settings;
  const sessions = (): number => server.server.engine.currentSessionCount;

  before(async () => {
    server = await SimulatedServer.start();
    server.add({
      node: parseNodeId('ns=2;s=Temp') as NodeAddress,
      name: 'Temp',
      type: DataType.Double,
      value: 1,
      writable: true,
    });
    const given = {
      endpoint: server.endpoint,
      security: 'none',
      keepAlive: '200ms',
      timeout: '2s',
    };
    settings = await settingsOf(given);
  });
  after(() => server.close());

  async function watched(context: MapperContext, signal: AbortSignal, life: AbortController) {
    const connection = await mapper.connect(settings, context, signal);
    const sink = { reading: () => undefined, lost: () => undefined };
    await connection.subscribe?.([{ visitor: temp, everyMs: 50 }], sink, life.signal);
    await connection.read([temp], never);
    return connection;
  }

  function nothingLeft(wires: readonly Duplex[], pending: ReadonlySet<object>): void {
    assert.deepEqual(
      wires.filter(({ destroyed }) => !destroyed),
      [],
    );
    assert.equal(pending.size, 0, 'no timer is left');
  }

  test('twenty connections, half of them cut, leave no wire, timer, listener or session', async () => {
    const runtime = new AbortController();
    for (let round = 0; round < 20; round++) {
      const { context, pending } = counted();
      const life = new AbortController();
      const connection: Connection<Visitor> = await watched(context, runtime.signal, life);
      if (round % 2 === 0) for (const wire of context.wires) wire.destroy();
      await connection.close();
      life.abort();
      nothingLeft(context.wires, pending);
      assert.equal(getEventListeners(runtime.signal, 'abort').length, 0);
    }
    const last = await watched(counted().context, runtime.signal, new AbortController());
    assert.equal(sessions(), 1, 'the one that was cut last was ended');
    await last.close();
    assert.equal(sessions(), 0);
  });

  test('a connect that is aborted at any step leaves no wire, timer or session, and ends at once', async () => {
    let connected = false;
    for (let at = 0; !connected; at++) {
      assert.ok(at < 100, 'it never connects');
      const stop = new AbortController();
      const reason = new Error('stop');
      let [steps, abortedMs] = [0, 0];
      const { context, pending } = counted(() => {
        if (steps++ !== at) return;
        abortedMs = performance.now();
        stop.abort(reason);
      });
      const connecting = mapper.connect(settings, context, stop.signal);
      const outcome = await connecting.catch((error: unknown) => error);
      const tookMs = performance.now() - abortedMs;
      if (outcome instanceof Error) {
        assert.equal(outcome, reason, `step ${at}`);
        assert.ok(tookMs < 1_000, `step ${at} took ${tookMs} ms`);
      } else {
        connected = !stop.signal.aborted;
        await (outcome as Connection<Visitor>).close();
      }
      nothingLeft(context.wires, pending);
      await until(() => sessions() === 0, 3_000).catch(() =>
        assert.fail(`step ${at} left ${sessions()} sessions at the server`),
      );
    }
  });

  test('a refused user leaves no session', async () => {
    const user = {
      endpoint: server.endpoint,
      security: 'none',
      user: 'nobody',
      password: 'x',
      plainPassword: true,
    };
    const refused = mapper.connect(await settingsOf(user), realContext(), never);
    await assert.rejects(refused);
    await until(() => sessions() === 0, 3_000);
  });

  // The last: a session whose name never came stays with the server until it times out.
  test('a connect to a server that falls silent at any step ends soon after it is aborted', async () => {
    const tooksMs: number[] = [];
    for (let at = 13; at < 22; at += 2) {
      const stop = new AbortController();
      let steps = 0;
      const { context, pending } = counted(() => {
        if (steps++ === at) for (const wire of context.wires) wire.pause();
      });
      const connecting = mapper.connect(settings, context, stop.signal);
      const outcome = connecting.then(
        (connection) => connection.close(),
        (error: unknown) => error,
      );
      await until(() => steps > at);
      await setTimeout(20);
      const abortedMs = performance.now();
      stop.abort(new Error('stop'));
      await outcome;
      const tookMs = performance.now() - abortedMs;
      tooksMs.push(tookMs);
      nothingLeft(context.wires, pending);
    }
    // The quickest: a machine that is busy makes some slow, a wait in the way all of them.
    assert.ok(Math.min(...tooksMs.slice(1)) < 100, `took ${tooksMs.join()} ms`);
  });
});
