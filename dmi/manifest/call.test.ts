import assert from 'node:assert/strict';
import test from 'node:test';
import { checkCall, MAX_CALL_BYTES } from './call.ts';
import { checkMethods } from './check-mapper-parts.ts';
import { checkResource } from './check-resource.ts';
import { parseManifests } from './parse.ts';
import type { DeviceModel, Method } from './resource.ts';
import { exact } from './schema.ts';
import * as v from 'valibot';

const visitor = { register: 7 };
const START: Method = {
  name: 'start',
  input: [
    { name: 'speed', type: 'int', unit: '/min' },
    { name: 'label', type: 'string' },
  ],
  output: [{ name: 'taken', type: 'float' }],
  visitor,
};

function model(methods: unknown): DeviceModel {
  return {
    apiVersion: 'limpet.dev/v1',
    kind: 'DeviceModel',
    metadata: { name: 'pump' },
    spec: { protocol: 'tiny', properties: [], methods: methods as Method[] },
  };
}

function faults(methods: unknown): string[] {
  const checked = checkResource(model(methods));
  return checked.ok ? [] : checked.faults.map(({ path, code }) => `${path} ${code}`);
}

test('a model may have methods, with inputs and outputs', () => {
  assert.deepEqual(faults([START, { name: 'stop', visitor }]), []);
  assert.deepEqual(faults([]), []);
});

test('what is wrong with a method stands at its path', () => {
  assert.deepEqual(faults({}), ['spec.methods FIELD_TYPE']);
  assert.deepEqual(faults([{ name: 'start' }]), ['spec.methods[0].visitor FIELD_MISSING']);
  assert.deepEqual(faults([START, { ...START }]), ['spec.methods[1] FIELD_INVALID']);
  assert.deepEqual(faults([{ ...START, name: 'a b', output: 5 }]), [
    'spec.methods[0].name FIELD_INVALID',
    'spec.methods[0].output FIELD_TYPE',
  ]);
  const twice = [START.input?.[0], START.input?.[0]];
  assert.deepEqual(faults([{ ...START, input: twice }]), [
    'spec.methods[0].input[1] FIELD_INVALID',
  ]);
  assert.deepEqual(faults([{ ...START, input: [{ name: 'speed', type: 'integer', max: 1 }] }]), [
    'spec.methods[0].input[0].type FIELD_TYPE',
    'spec.methods[0].input[0].max FIELD_UNKNOWN',
  ]);
});

test('methods of a large model are read from YAML with their lines', () => {
  const properties = Array.from({ length: 300 }, (_, n) => {
    return `    - { name: p${n}, type: int, visitor: { register: ${n} } }`;
  });
  const text = [
    'apiVersion: limpet.dev/v1',
    'kind: DeviceModel',
    'metadata: { name: pump }',
    'spec:',
    '  protocol: tiny',
    '  properties:',
    ...properties,
    '  methods:',
    '    - name: start',
    '      visitor: { register: 1 }',
    '    - name: stop',
  ];
  const { faults: found } = parseManifests(text.join('\n'), 'pump.yaml');
  assert.deepEqual(
    found.map(({ path, line }) => [path, line]),
    [['spec.methods[1].visitor', text.length]],
  );
  const whole = [...text, '      visitor: { register: 2 }'].join('\n');
  const [good] = parseManifests(whole, 'pump.yaml').resources;
  assert.ok(good?.resource.kind === 'DeviceModel');
  const { properties: list, methods } = good.resource.spec;
  assert.deepEqual([list.length, methods?.length], [300, 2]);
});

const mapper = {
  visitor: exact({ register: v.number() }),
  serves: ({ register }: { register: number }, { output }: { output: readonly unknown[] }) =>
    register > 100 || output.length > 1 ? 'no such method' : undefined,
};

test('visitors of methods are checked by the mapper, each at its path', async () => {
  const wrong = [
    START,
    { ...START, name: 'far', visitor: { register: 101 } },
    { ...START, name: 'odd', visitor: { register: 'x' } },
  ];
  const { visitors, faults: found } = await checkMethods(mapper, model(wrong));
  assert.deepEqual([...visitors.keys()], ['start']);
  assert.deepEqual(
    found.map(({ path, message }) => [path, message.slice(0, 22)]),
    [
      ['spec.methods[1].visitor', '"far": no such method'],
      ['spec.methods[2].visitor.register', '"register": Invalid ty'],
    ],
  );
});

test('a mapper without methods refuses a model that has some, and only that', async () => {
  const { visitor: schema } = mapper;
  const { faults: found } = await checkMethods({ visitor: schema }, model([START]));
  assert.deepEqual(
    found.map(({ path, code }) => [path, code]),
    [['spec.methods', 'VISITOR_MISFIT']],
  );
  assert.deepEqual((await checkMethods({ visitor: schema }, model(undefined))).faults, []);
});

test('input comes back in the order of the declaration, in its one JSON form', () => {
  const checked = checkCall(
    model([START]),
    { method: 'start', input: { label: 'a', speed: '12' } },
    'edge',
  );
  assert.deepEqual(checked.ok && checked.input, [12, 'a']);
});

test('every fault of the input is told at once, by its argument', () => {
  const input = { sped: 5, label: 7 };
  const checked = checkCall(model([START]), { method: 'start', input }, 'cloud');
  assert.ok(!checked.ok);
  assert.deepEqual(
    checked.faults?.map(({ argument, code }) => [argument, code]),
    [
      ['speed', 'ARGUMENT_MISSING'],
      ['label', 'VALUE_TYPE'],
      ['sped', 'ARGUMENT_UNKNOWN'],
    ],
  );
  assert.match(checked.message, /"sped" is no argument .* Did you mean "speed"\?/);
  assert.deepEqual([checked.at, checked.ran, checked.code], ['cloud', 'no', 'INPUT_INVALID']);
});

test('a method that the model does not have is refused with the nearest one', () => {
  const asked = (method: string, methods: unknown, input: unknown = {}) => {
    const checked = checkCall(model(methods), { method, input }, 'edge');
    return checked.ok ? 'fine' : `${checked.code} ${checked.message}`;
  };
  assert.match(asked('strat', [START]), /^METHOD_UNKNOWN .*Did you mean "start"\?/);
  assert.match(asked('start', undefined), /^METHOD_UNKNOWN .*it has none/);
  const stop = [{ name: 'stop', visitor }];
  assert.equal(asked('stop', stop), 'fine');
  assert.equal(asked('stop', stop, undefined), 'fine');
  for (const input of [5, [], null, 'x']) {
    assert.match(asked('stop', stop, input), /^INPUT_INVALID/);
  }
  assert.match(asked('stop', stop, { toString: 1 }), /^ARGUMENT_UNKNOWN/);
});

test('an answer stays short though everything is wrong with very many arguments', () => {
  const input = Array.from({ length: 60 }, (_, n) => ({
    name: `argument-${n}-${'x'.repeat(40)}`,
    type: 'int' as const,
  }));
  const given = Object.fromEntries(input.map(({ name }) => [`${name}-`, 1]));
  const checked = checkCall(
    model([{ ...START, input }]),
    {
      method: 'start',
      input: { ...Object.fromEntries(input.map(({ name }) => [name, 1])), ...given },
    },
    'edge',
  );
  assert.ok(!checked.ok && checked.faults?.length === 20);
  assert.ok(JSON.stringify(checked).length < 40_000, String(JSON.stringify(checked).length));
  assert.match(checked.message, / and 50 more/);
});

test('all input together has a ceiling', () => {
  const input = Array.from({ length: 5 }, (_, n) => ({ name: `a${n}`, type: 'string' as const }));
  const long = 'x'.repeat(MAX_CALL_BYTES / 5);
  const given = Object.fromEntries(input.map(({ name }) => [name, long]));
  const asked = { method: 'm', input: given };
  const checked = checkCall(model([{ name: 'm', input, visitor }]), asked, 'edge');
  assert.ok(!checked.ok && checked.code === 'VALUE_TOO_LARGE');
});
