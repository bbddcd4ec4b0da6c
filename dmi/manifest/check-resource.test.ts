import assert from 'node:assert/strict';
import test from 'node:test';
import { checkResource, idOf } from './check-resource.ts';
import type { Fault } from './fault.ts';

const visitor = { address: 0 };

function model(properties: unknown, more: object = {}): unknown {
  return {
    apiVersion: 'limpet.dev/v1',
    kind: 'DeviceModel',
    metadata: { name: 'boiler' },
    spec: { protocol: 'modbus', properties },
    ...more,
  };
}

function device(more: object = {}, spec: object = {}): unknown {
  return {
    apiVersion: 'limpet.dev/v1',
    kind: 'Device',
    metadata: { name: 'boiler-1', labels: { hall: 'north', 'example.com/floor': '' } },
    spec: { model: 'boiler', node: 'gateway-1', settings: { unit: 1 }, ...spec },
    ...more,
  };
}

function faults(value: unknown): readonly Fault[] {
  const checked = checkResource(value);
  return checked.ok ? [] : checked.faults;
}

/** `path code`, in the order of paths. */
function brief(value: unknown): string[] {
  return faults(value)
    .map(({ path, code }) => `${path} ${code}`)
    .toSorted();
}

test('a model, a device and a node that are right pass as they are', () => {
  const whole = [
    { name: 'temperature', type: 'float', unit: 'Cel', every: '1s', deadband: 0.1, visitor },
    { name: 'setpoint', type: 'int', access: 'readWrite', minimum: 20, maximum: 20, visitor },
  ];
  const node = {
    apiVersion: 'limpet.dev/v1',
    kind: 'Node',
    metadata: { name: 'gateway-1' },
    spec: {},
    status: { state: 'online' },
  };
  for (const doc of [model(whole), device({}, { desired: { setpoint: 55, mode: null } }), node]) {
    const checked = checkResource(doc);
    assert.ok(checked.ok, JSON.stringify(checked));
    assert.equal(checked.resource, doc);
  }
});

test('what the API shows can be applied again', () => {
  const metadata = {
    name: 'boiler-1',
    namespace: 'default',
    uid: 'u',
    resourceVersion: '7',
    generation: 2,
    creationTimestamp: '2026-01-01T00:00:00.000Z',
  };
  assert.deepEqual(brief(device({ metadata, status: { state: 'online', twin: {} } })), []);
});

test('all faults of a model are told at once, each at its place', () => {
  const properties = [
    { name: 'a', type: 'flot', access: 'rw', every: '9ms', deadband: -1, visitor },
    { name: 'a', type: 'bool', minimum: 5, visitr: {} },
    { name: '1a', type: 'int', minimum: 5, maximum: 1, every: '8d', visitor: [] },
    7,
  ];
  assert.deepEqual(brief(model(properties)), [
    'spec.properties[0].access FIELD_TYPE',
    'spec.properties[0].deadband FIELD_INVALID',
    'spec.properties[0].every FIELD_INVALID',
    'spec.properties[0].type FIELD_TYPE',
    'spec.properties[1] FIELD_INVALID',
    'spec.properties[1].minimum FIELD_INVALID',
    'spec.properties[1].visitor FIELD_MISSING',
    'spec.properties[1].visitr FIELD_UNKNOWN',
    'spec.properties[2].every FIELD_INVALID',
    'spec.properties[2].minimum FIELD_INVALID',
    'spec.properties[2].name FIELD_INVALID',
    'spec.properties[2].visitor FIELD_TYPE',
    'spec.properties[3] FIELD_TYPE',
  ]);
});

test('a message names the field, what was found, what was expected and what to do', () => {
  const messages = faults(device({}, { modle: 'x', node: 5 })).map(({ message }) => message);
  assert.deepEqual(messages, [
    '"node" must be a name of lower-case letters, digits and "-", at most 63, such as "boiler-1"; found a number',
    '"modle" is not a field that is known here: remove it or mend its name. Did you mean "model"?',
  ]);
});

test('the word of another language for a type leads to ours', () => {
  for (const [type, ours] of Object.entries({ text: 'string', Integer: 'int', strin: 'string' })) {
    const [fault] = faults(model([{ name: 'a', type, visitor }]));
    assert.match(fault?.message ?? '', new RegExp(`Did you mean "${ours}"`));
  }
  const [fault] = faults(model([{ name: 'a', type: 'constructor', visitor }]));
  assert.doesNotMatch(fault?.message ?? '', /Did you mean/);
});

test('names, labels and annotations follow Kubernetes', () => {
  for (const name of ['A', 'a.b', '-a', 'a-', '', 'a'.repeat(64), 'a_b']) {
    assert.equal(brief(device({ metadata: { name } }))[0], 'metadata.name FIELD_INVALID', name);
  }
  const labels = { 'a b': 'x', hall: 5, '/x': 'x', 'a/b/c': 'x', long: 'x'.repeat(64), ok: '-x' };
  assert.deepEqual(brief(device({ metadata: { name: 'a', labels } })), [
    'metadata.labels.hall FIELD_TYPE',
    'metadata.labels.long FIELD_INVALID',
    'metadata.labels.ok FIELD_INVALID',
    'metadata.labels["/x"] FIELD_INVALID',
    'metadata.labels["a b"] FIELD_INVALID',
    'metadata.labels["a/b/c"] FIELD_INVALID',
  ]);
  const annotations = { note: 'x'.repeat(262_144) };
  assert.deepEqual(brief(device({ metadata: { name: 'a', annotations } })), [
    'metadata.annotations FIELD_INVALID',
  ]);
});

test('a model may hold 10,000 properties and no more', () => {
  const many = Array.from({ length: 10_001 }, (_, index) => ({
    name: `p${index}`,
    type: 'int',
    visitor: {},
  }));
  assert.deepEqual(brief(model(many.slice(1))), []);
  assert.deepEqual(brief(model(many)), ['spec.properties FIELD_INVALID']);
});

test('of very many faults the first hundred are told and the rest counted', () => {
  const wrong = Array.from({ length: 500 }, (_, index) => ({ name: `p${index}`, type: 'int' }));
  const told = faults(model(wrong));
  assert.equal(told.length, 101);
  assert.match(told.at(-1)?.message ?? '', /and 400 more/);
});

test('what is no resource at all is refused whole', () => {
  const circle: Record<string, unknown> = {};
  circle['circle'] = circle;
  const whole = [undefined, null, 5, 'x', [], circle, new Map(), { a: 'x'.repeat(1_048_576) }];
  for (const value of whole) assert.deepEqual(brief(value), [' DOCUMENT_INVALID']);
  assert.deepEqual(brief({}), ['kind FIELD_MISSING']);
  assert.match(faults({ kind: 'Devise' })[0]?.message ?? '', /Did you mean "Device"\?/);
  assert.deepEqual(brief(device({ apiVersion: 'limpet.dev/v2' })), ['apiVersion FIELD_INVALID']);
});

test('names that JavaScript treats specially are refused', () => {
  const poisoned: unknown = JSON.parse('{"kind":"Device","__proto__":{"admin":true}}');
  assert.deepEqual(brief(poisoned), [' DOCUMENT_INVALID']);
  for (const name of ['__proto__', 'constructor', 'prototype']) {
    assert.equal(brief(model([{ name, type: 'int', visitor }])).length, 1, name);
  }
});

test('a resource is known by namespace and name, default where none is said', () => {
  const checked = checkResource(device());
  assert.equal(checked.ok && idOf(checked.resource), 'default/boiler-1');
});

test('history is true or a period, and nothing else', () => {
  const of = (history: unknown) =>
    checkResource({
      apiVersion: 'limpet.dev/v1',
      kind: 'DeviceModel',
      metadata: { name: 'm' },
      spec: {
        protocol: 'modbus',
        properties: [{ name: 'a', type: 'int', visitor: {}, history }],
      },
    });
  for (const fine of [true, { every: '10s' }]) assert.equal(of(fine).ok, true);
  for (const wrong of [false, '10s', { every: '5ms' }, { each: '1s' }, {}, null]) {
    const answer = of(wrong);
    assert.ok(!answer.ok, JSON.stringify(wrong));
    assert.match(answer.faults[0]?.path ?? '', /^spec\.properties\[0\]\.history/);
  }
});
