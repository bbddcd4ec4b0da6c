/** What a cloud that stays away costs: one entry per property, whatever changes meanwhile. */
import type { Device, DeviceModel, NodeFacts } from '@limpet/dmi/manifest';
import { fakeClock, silentLog } from '@limpet/dmi/testing';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { garbage } from '../health/collect.ts';
import { TwinStore } from '../twin/store.ts';
import { CloudLink } from './link.ts';

const PROPERTIES = 2_000;
const MODEL: DeviceModel = {
  apiVersion: 'limpet.dev/v1',
  kind: 'DeviceModel',
  metadata: { name: 'm', namespace: 'default' },
  spec: {
    protocol: 'x',
    properties: Array.from({ length: PROPERTIES }, (_, index) => ({
      name: `p${index}`,
      type: 'int',
      visitor: {},
    })),
  },
};
const DEVICE: Device = {
  apiVersion: 'limpet.dev/v1',
  kind: 'Device',
  metadata: { name: 'd', namespace: 'default' },
  spec: { model: 'm', node: 'n', settings: {} },
};

test('memory does not grow while the cloud is away and everything changes every second', async (t) => {
  const [clock, log] = [fakeClock(), silentLog()];
  const store = TwinStore.open({ path: ':memory:', clock, log });
  t.after(() => store.close());
  store.applyManifest([MODEL, DEVICE], 'test');
  const link = new CloudLink({
    node: 'n',
    twins: store,
    facts: () => ({}) as NodeFacts,
    dial: () => {
      throw Object.assign(new Error('away'), { code: 'ECONNREFUSED' });
    },
    clock,
    log,
  });
  link.start();
  t.after(() => link.stop());
  const live = async (seconds: number): Promise<number> => {
    for (let second = 0; second < seconds; second++) {
      const value = { value: clock.now(), at: clock.now(), quality: 'good' as const };
      store.report(
        'default/d',
        new Map(Array.from({ length: PROPERTIES }, (_, index) => [`p${index}`, value])),
      );
      await clock.advance(1_000);
    }
    garbage().shed();
    return process.memoryUsage().heapUsed;
  };
  const before = await live(30);
  const after = await live(300);
  assert.equal(link.status().state, 'offline');
  assert.ok(after - before < 2 ** 20, `grew by ${after - before} bytes in 600,000 changes`);
});
