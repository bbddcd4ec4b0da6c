import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Garbled } from '@limpet/dmi';
import { readFromCloud } from './from-cloud.ts';

const device = {
  apiVersion: 'limpet.dev/v1',
  kind: 'Device',
  metadata: { name: 'boiler-1', namespace: 'default', labels: { hall: 'north' } },
  spec: { model: 'boiler', node: 'gateway-1', settings: { address: 'tcp://127.0.0.1:5020' } },
};
const resource = { kind: 'resource', type: 'Device', id: 'default/boiler-1', rev: 2, doc: device };
const desired = {
  kind: 'desired',
  device: 'default/boiler-1',
  property: 'setpoint',
  value: 55.3,
  rev: 4,
  accepted: 1,
  ttl: 30_000,
};

test('every message of the protocol passes the door unchanged', () => {
  for (const message of [
    { type: 'welcome', seq: 0 },
    { type: 'ack', seq: 12 },
    { type: 'desire', to: 4, rows: [resource, { ...resource, doc: null }, desired] },
    { type: 'desire', to: 4, rows: [{ ...desired, value: null }] },
    { type: 'refuse', code: 'FENCED', message: 'another session', retryAfter: 1000 },
  ]) {
    assert.deepEqual(readFromCloud(JSON.stringify(message)), message);
  }
});

for (const [fault, message, field] of [
  ['no message', 'hello', 'not JSON'],
  ['an unknown type', { type: 'sync' }, 'type'],
  ['a seq that is no counter', { type: 'ack', seq: -1 }, 'seq'],
  ['a rev beyond what a number holds', { type: 'desire', to: 2 ** 60, rows: [] }, 'to'],
  ['a row without rev', { type: 'desire', to: 1, rows: [{ ...desired, rev: '4' }] }, 'rows.0.rev'],
  [
    'an id without namespace',
    { type: 'desire', to: 1, rows: [{ ...desired, device: 'b' }] },
    'rows.0.device',
  ],
  [
    'a value left out',
    { type: 'desire', to: 1, rows: [{ ...desired, value: undefined }] },
    'rows.0.value',
  ],
  [
    'a doc of another id',
    { type: 'desire', to: 1, rows: [{ ...resource, id: 'default/x' }] },
    'doc',
  ],
  [
    'a doc without spec',
    { type: 'desire', to: 1, rows: [{ ...resource, doc: { ...device, spec: 1 } }] },
    'rows.0.doc.spec',
  ],
  [
    'a retryAfter no timer holds',
    { type: 'refuse', code: 'A', message: 'b', retryAfter: 1e12 },
    'retryAfter',
  ],
] as const) {
  test(`${fault} is refused at the door, naming the field`, () => {
    const text = typeof message === 'string' ? message : JSON.stringify(message);
    assert.throws(
      () => readFromCloud(text),
      (error: unknown) =>
        error instanceof Garbled &&
        error.code === 'SYNC_BAD_MESSAGE' &&
        error.message.includes(field),
    );
  });
}

test('a refused message does not put its values into the error', () => {
  const text = JSON.stringify({ type: 'ack', seq: 'secret-value' });
  assert.throws(
    () => readFromCloud(text),
    (error: unknown) => error instanceof Error && !error.message.includes('secret-value'),
  );
});
