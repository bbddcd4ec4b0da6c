import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Device } from '@limpet/dmi/manifest';
import { difference } from './difference.ts';

const PRESENT = device(
  { labels: { hall: 'north', line: '2' }, annotations: { 'by.else/x': '1' } },
  {
    settings: { address: 'tcp://127.0.0.1:502', unit: 1 },
    desired: { setpoint: 55, pump: true },
  },
);

test('what is there already needs no change, whatever else others desire or annotate', () => {
  const wanted = device(
    { labels: { hall: 'north', line: '2' } },
    { ...PRESENT.spec, desired: { setpoint: 55 } },
  );
  assert.equal(difference(PRESENT, wanted), undefined);
  assert.equal(difference(PRESENT, PRESENT), undefined);
});

test('the patch sets what differs and deletes what the manifest no longer says', () => {
  const wanted = device(
    { labels: { hall: 'south' } },
    { settings: { address: 'tcp://127.0.0.1:502', timeout: '1s' }, desired: { setpoint: 60 } },
  );
  assert.deepEqual(difference(PRESENT, wanted), {
    metadata: { labels: { hall: 'south', line: null } },
    spec: { settings: { unit: null, timeout: '1s' }, desired: { setpoint: 60 } },
  });
});

test('lists are replaced as a whole, and only when they differ', () => {
  const present = device({}, { settings: { list: [1, { a: 1 }] } });
  assert.equal(difference(present, device({}, { settings: { list: [1, { a: 1 }] } })), undefined);
  assert.deepEqual(difference(present, device({}, { settings: { list: [1, { a: 2 }] } })), {
    spec: { settings: { list: [1, { a: 2 }] } },
  });
});

function device(metadata: Partial<Device['metadata']>, spec: Partial<Device['spec']>): Device {
  return {
    apiVersion: 'limpet.dev/v1',
    kind: 'Device',
    metadata: { name: 'boiler-1', namespace: 'default', ...metadata },
    spec: { model: 'boiler', node: 'gateway-1', settings: {}, ...spec },
  };
}
