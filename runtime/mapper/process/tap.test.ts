import { type Connection, type MapperContext } from '@limpet/dmi';
import { silentLog } from '@limpet/dmi/testing';
import assert from 'node:assert/strict';
import { type Duplex, duplexPair } from 'node:stream';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { systemClock } from '../../kernel/clock.ts';
import bench from './fixtures/bench.mapper.ts';
import { served } from './fixtures/in-memory.ts';

test('what was lost of a capture stays counted while the wire is gone', async () => {
  const wires: Duplex[] = [];
  const open = () => {
    const [near, far] = duplexPair();
    wires.push(far);
    return Promise.resolve(near);
  };
  const connect = async (_: unknown, { dial }: MapperContext, signal: AbortSignal) => {
    const wire = await dial('tcp://one:1', signal);
    wire.resume().on('error', () => undefined);
    return { read: assert.fail, write: assert.fail, close: async () => void wire.end() };
  };
  const ends = served({ ...bench, connect } as never, systemClock, open);
  const { remote } = ends;
  const { signal } = new AbortController();
  const tap = async () => remote.tap?.('d/1', 'c', signal) ?? assert.fail();
  const context = {
    device: 'd/1',
    clock: systemClock,
    log: silentLog(),
    dial: () => assert.fail(),
  };
  await tap();
  const connection: Connection<unknown> = await remote.connect({ name: 'one' }, context, signal);
  for (let n = 0; n < 40; n++) {
    wires[0]?.write(Buffer.alloc(50_000));
    await turn();
  }
  let page = await tap();
  const { dropped } = page;
  assert.ok(dropped.events > 0);
  while (page.more) page = await tap();
  wires[0]?.destroy();
  await turn();
  while (page.events.length > 0 || page.wires > 0) page = await tap();
  assert.deepEqual((await tap()).dropped, dropped);
  await connection.close();
});
