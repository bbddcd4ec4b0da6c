/** The parts of a node put together: real store, real devices over a device in memory, a link that says what it is told to. */
import { Refused, Unreachable } from '@limpet/dmi';
import type { Device, DeviceModel } from '@limpet/dmi/manifest';
import { fakeClock, silentLog } from '@limpet/dmi/testing';
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import * as v from 'valibot';
import { ApiError } from '#protocol/api';
import { LocalBackend } from './api/local-backend.ts';
import { Devices } from './device/registry.ts';
import type { MapperStatus } from './mapper/status.ts';
import type { LinkLook } from './sync/link.ts';
import { Progress } from './sync/progress.ts';
import { TwinStore } from './twin/store.ts';
import { whyDoor } from './why.ts';

const MODEL: DeviceModel = {
  apiVersion: 'limpet.dev/v1',
  kind: 'DeviceModel',
  metadata: { name: 'pump', namespace: 'default' },
  spec: {
    protocol: 'plant',
    properties: [{ name: 'speed', type: 'int', unit: 'rpm', visitor: {}, access: 'readWrite' }],
  },
};
const DEVICE: Device = {
  apiVersion: 'limpet.dev/v1',
  kind: 'Device',
  metadata: { name: 'pump-1', namespace: 'default' },
  spec: { model: 'pump', node: 'n', settings: {} },
};
const MAPPER: MapperStatus = {
  protocol: 'plant',
  version: '1',
  hosting: 'process',
  state: 'ready',
  restarts: 0,
  sinceMs: 0,
  importance: 50,
  superseded: 0,
};
const TARGET = { kind: 'Device', namespace: 'default', name: 'pump-1' } as const;

function node(t: TestContext) {
  const clock = fakeClock();
  const log = silentLog();
  const store = TwinStore.open({ path: ':memory:', clock, log });
  const world = {
    answer: () => ({ ok: true, value: 7 }) as const,
    mapper: MAPPER,
    link: { state: 'connected', since: 0, attempts: 0 } as LinkLook,
  };
  const mapper = {
    protocol: 'plant',
    settings: v.any(),
    visitor: v.any(),
    connect: async () => ({
      read: async (visitors: readonly unknown[]) => visitors.map(() => world.answer()),
      write: () => Promise.reject(new Refused('NO', 'no')),
      close: async () => {},
    }),
  };
  const host = { mapper: () => Promise.resolve(mapper) };
  const devices = new Devices({ store, host, clock, log, node: 'n' });
  const progress = new Progress(clock);
  const explain = whyDoor({
    store,
    devices,
    host: { status: () => [world.mapper] },
    link: () => ({ look: () => world.link, progress }),
    clock,
  });
  const facts = () => assert.fail('not asked');
  const backend = new LocalBackend({ node: 'n', store, clock, facts, explain });
  t.after(async () => {
    const stopped = devices.stop();
    await clock.advance(5_000);
    await stopped;
    store.close();
  });
  store.applyManifest([MODEL, DEVICE], 'test');
  devices.start();
  return { clock, store, world, progress, why: () => backend.explain(TARGET, 'speed'), backend };
}

test('the hops of a value are told with their times, and what the cloud has stops nowhere', async (t) => {
  const { clock, store, progress, why } = node(t);
  await clock.advance(100);
  const rows = store.rowsAfter(0, { rows: 100, bytes: 1e6 });
  progress.sent(rows.at(-1)?.seq ?? 0);
  await clock.advance(50);
  progress.acked(rows.at(-1)?.seq ?? 0);
  store.acknowledged(rows.at(-1)?.seq ?? 0);
  const { findings, hops, reported, unit } = why();
  assert.deepEqual(
    [findings.map(({ stage }) => stage), reported?.value, unit],
    [['none'], 7, 'rpm'],
  );
  assert.deepEqual(
    hops.map(({ hop }) => hop),
    ['read', 'reported', 'sent', 'acknowledged'],
  );
});

test('without a link that comes first, and what the device says stays true', async (t) => {
  const { clock, world, why } = node(t);
  await clock.advance(2_000);
  world.link = { state: 'offline', since: clock.now(), attempts: 2, nextMs: clock.now() + 3_000 };
  const { findings } = why();
  assert.deepEqual(
    findings.map(({ stage }) => stage),
    ['link', 'queue', 'none'],
  );
  assert.equal(findings[0]?.until, new Date(clock.now() + 3_000).toISOString());
});

test('a mapper that is down is the cause, not the device that cannot be asked through it', async (t) => {
  const { clock, world, why } = node(t);
  await clock.advance(2_000);
  world.answer = () => {
    throw new Unreachable('MAPPER_DOWN', 'the process ended');
  };
  const reason = { code: 'MAPPER_SHED', message: 'memory was short' };
  world.mapper = { ...MAPPER, state: 'shed', reason, sinceMs: clock.now() };
  await clock.advance(2_000);
  const { findings } = why();
  const [first] = findings;
  assert.equal(first?.stage, 'mapper');
  assert.equal(first?.code, 'MAPPER_SHED');
  assert.match(first?.todo ?? '', /memory\.ceiling/);
  assert.deepEqual(
    findings.filter(({ stage }) => stage === 'mapper' || stage === 'device').length,
    1,
  );
});

test('an order shows its stages; refused it says so', async (t) => {
  const { clock, store, why } = node(t);
  await clock.advance(2_000);
  store.order('default/pump-1', 'speed', 9);
  await clock.advance(2_000);
  const { order } = why();
  assert.equal(order?.verdict, 'rejected');
  assert.match(order?.finding?.message ?? '', /^rejected: no/);
  assert.ok(order?.stages.stored !== undefined);
});

test('what is not there is told with what was meant', async (t) => {
  const { backend } = node(t);
  const said = (change: { namespace?: string; name?: string }, property: string): string => {
    try {
      backend.explain({ ...TARGET, ...change }, property);
    } catch (error) {
      assert.ok(error instanceof ApiError && error.reason === 'NotFound');
      return error.message;
    }
    return assert.fail('it is there');
  };
  assert.equal(
    said({}, 'sped'),
    'device "default/pump-1" has no property "sped". Did you mean "speed"?',
  );
  assert.match(said({ name: 'pmp-1' }, 'speed'), /Did you mean "default\/pump-1"\?/);
  assert.match(said({ namespace: 'hall' }, 'speed'), /Did you mean "default\/pump-1"\?/);
});
