import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseFieldSelector, parseLabelSelector } from './selector-syntax.ts';
import { selects } from './selector.ts';
import { ApiError } from './status.ts';
import { device } from './testing.ts';

const LABELS = { hall: 'north', 'limpet.dev/line': '2', empty: '', in: 'x' };
const SELECTED: readonly (readonly [selector: string, selected: boolean])[] = [
  ['', true],
  ['  ', true],
  ['hall=north', true],
  ['hall==north', true],
  [' hall = north , empty', true],
  ['hall=south', false],
  ['hall!=south', true],
  ['hall!=north', false],
  ['missing!=north', true],
  ['missing=', false],
  ['empty=', true],
  ['hall in (south,north)', true],
  ['hall in (south, east)', false],
  ['hall in ()', false],
  ['empty in (x,)', true],
  ['hall notin (south)', true],
  ['hall notin(north)', false],
  ['missing notin (north)', true],
  ['hall', true],
  ['!hall', false],
  ['! missing', true],
  ['limpet.dev/line=2,!missing', true],
  ['limpet.dev/line=2,!hall', false],
  ['in in (x)', true],
  ['in', true],
  ['constructor', false],
];

for (const [selector, selected] of SELECTED) {
  test(`labels ${JSON.stringify(selector)} ${selected ? 'selects' : 'does not select'}`, () => {
    const labels = parseLabelSelector(selector);
    assert.equal(selects({ labels, fields: [] }, device('a', { labels: LABELS })), selected);
  });
}

const FAULTS: readonly (readonly [selector: string, message: RegExp])[] = [
  ['hall=north,', /at character 12: expected a label key.*found the end/],
  [',', /at character 1: expected a label key.*found ","/],
  ['=x', /at character 1: expected a label key/],
  ['hall>3', /at character 1: expected a label key.*found "hall>3"/],
  ['hall near (x)', /at character 6: expected =, ==, !=, in, notin or a comma, found "near \(x\)"/],
  ['hall in north', /at character 9: expected \(/],
  ['hall in (north', /at character 15: expected , or \)/],
  ['hall=north south', /at character 12: expected a comma or the end/],
  ['hall=-x', /at character 6: expected a label value/],
  ['a/b/c=x', /at character 1: expected a label key/],
  ['Up.Per/x', /at character 1: expected a label key/],
  [`${'x'.repeat(64)}=1`, /at most 63/],
  [Array.from({ length: 65 }, (_, n) => `k${n}`).join(','), /at most 64 requirements/],
];

for (const [selector, message] of FAULTS) {
  test(`labels ${JSON.stringify(selector.slice(0, 30))} is refused at its character`, () => {
    assert.throws(() => parseLabelSelector(selector), { code: 400, message });
  });
}

test('fields select by name, namespace, node and model', () => {
  const boiler = device('boiler-1', { node: 'gateway-1' });
  const cases: readonly (readonly [string, boolean])[] = [
    ['metadata.name=boiler-1', true],
    ['metadata.name==boiler-1,spec.node!=gateway-1', false],
    ['metadata.namespace=default,spec.node=gateway-1,spec.model=boiler', true],
    ['spec.node=', false],
  ];
  for (const [selector, selected] of cases) {
    const fields = parseFieldSelector(selector, 'Device');
    assert.equal(selects({ labels: [], fields }, boiler), selected, selector);
  }
});

test('a field that cannot be selected by is refused with those that can', () => {
  assert.throws(() => parseFieldSelector('status.state=online', 'Device'), {
    message:
      /at character 1: devices can be selected by metadata\.name, metadata\.namespace, spec\.node, spec\.model, found "status/,
  });
  assert.throws(() => parseFieldSelector('metadata.name=a,spec.node=b', 'Node'), {
    message: /at character 17: nodes can be selected by metadata\.name, found/,
  });
  assert.throws(() => parseFieldSelector('metadata.name', 'Node'), {
    message: /expected =, == or !=/,
  });
});

test('no text makes anything but requirements or an ApiError', () => {
  const unit = fc.constantFrom(
    'a',
    'in',
    'notin',
    ' ',
    '(',
    ')',
    ',',
    '=',
    '!',
    '/',
    '.',
    '-',
    'é',
  );
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit }), fc.string({ unit: 'binary' })), (text) => {
      try {
        const labels = parseLabelSelector(text);
        assert.equal(typeof selects({ labels, fields: [] }, device('a')), 'boolean');
        parseFieldSelector(text, 'Device');
      } catch (error) {
        assert.ok(error instanceof ApiError, String(error));
        assert.match(error.message, /at character \d+: /);
      }
    }),
    { numRuns: 3000 },
  );
});
