import type { DeviceModel } from '@limpet/dmi/manifest';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Versions } from './versions.ts';

const model = (name: string): DeviceModel => ({
  apiVersion: 'limpet.dev/v1',
  kind: 'DeviceModel',
  metadata: { name, namespace: 'default', labels: { hall: 'north' } },
  spec: {
    protocol: 'modbus',
    properties: [{ name: 'x', type: 'int', visitor: {} }],
  },
});

// A thousand deletions are kept: with their properties, large models that come and go would fill the core.
test('of a deleted model is kept what watches select by, not its properties', () => {
  const versions = new Versions(0);
  versions.configured('DeviceModel', 'default/m', model('m'));
  versions.deleted('DeviceModel', 'default/m');
  const { doc, state } = versions.of('DeviceModel', 'default/m') ?? assert.fail('forgotten');
  assert.equal(state, 'deleted');
  assert.deepEqual(doc, { ...model('m'), spec: { protocol: 'modbus', properties: [] } });
});

test('of deletions the newest thousand are kept, and who resumes from before them lists again', () => {
  const versions = new Versions(0);
  for (let index = 0; index < 1_200; index++) {
    versions.configured('DeviceModel', `default/m${index}`, model(`m${index}`));
    versions.deleted('DeviceModel', `default/m${index}`);
  }
  assert.equal(versions.of('DeviceModel', 'default/m199'), undefined);
  assert.equal(versions.of('DeviceModel', 'default/m200')?.state, 'deleted');
  assert.ok(versions.horizon >= 400);
});
