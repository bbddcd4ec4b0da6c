import { type Mapper, Unreachable } from '@limpet/dmi';
import { silentLog } from '@limpet/dmi/testing';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Session } from './session.ts';

test('a session that is stopped while a lost connection is closed ends with that', async () => {
  const closing = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<void>();
  const connect = async () => ({
    read: () => Promise.reject(new Unreachable('PLANT_GONE', 'gone')),
    write: () => assert.fail(),
    close: () => {
      closing.resolve();
      return closed.promise;
    },
  });
  const session = new Session({
    mapper: { protocol: 'plant', connect } as unknown as Mapper<unknown, unknown>,
    device: 'default/one',
    settings: {},
    properties: [],
    dial: () => assert.fail(),
    log: silentLog(),
    everyMs: 10,
    changed: () => undefined,
  });
  session.start();
  await closing.promise;
  const timers = (): number =>
    process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
  const before = timers();
  const stopped = session.stop();
  closed.resolve();
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(timers(), before);
  await stopped;
});
