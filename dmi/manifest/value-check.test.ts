import assert from 'node:assert/strict';
import test from 'node:test';
import type { PropertyType } from '../value.ts';
import { duration, formatDuration } from './duration.ts';
import { nearest } from './nearest.ts';
import type { DeviceModel } from './resource.ts';
import { checkOrder, checkValue, MAX_VALUE_BYTES } from './value-check.ts';

const model: DeviceModel = {
  apiVersion: 'limpet.dev/v1',
  kind: 'DeviceModel',
  metadata: { name: 'boiler' },
  spec: {
    protocol: 'modbus',
    properties: [
      { name: 'temperature', type: 'float', visitor: {} },
      {
        name: 'setpoint',
        type: 'float',
        access: 'readWrite',
        minimum: 20,
        maximum: 90,
        visitor: {},
      },
    ],
  },
};

function codeOf(checked: ReturnType<typeof checkValue>): string {
  return checked.ok ? 'ok' : checked.code;
}

test('an order for an unknown property is refused with the nearest known one', () => {
  const checked = checkOrder(model, 'setpont', 55);
  assert.equal(codeOf(checked), 'PROPERTY_UNKNOWN');
  assert.match(checked.ok ? '' : checked.message, /Did you mean "setpoint"\?/);
});

test('an order is refused for a read-only property and outside its limits', () => {
  assert.equal(codeOf(checkOrder(model, 'temperature', 55)), 'PROPERTY_READ_ONLY');
  assert.equal(codeOf(checkOrder(model, 'setpoint', 19.9)), 'VALUE_BELOW_MINIMUM');
  assert.equal(codeOf(checkOrder(model, 'setpoint', 90.1)), 'VALUE_ABOVE_MAXIMUM');
  assert.equal(codeOf(checkOrder(model, 'setpoint', '55')), 'VALUE_TYPE');
  assert.deepEqual(checkOrder(model, 'setpoint', 55), { ok: true, value: 55 });
});

test('null withdraws an order', () => {
  assert.deepEqual(checkOrder(model, 'setpoint', null), { ok: true, value: null });
});

test('each type takes its own values, in one form', () => {
  const taken: [PropertyType, unknown, unknown][] = [
    ['bool', true, true],
    ['int', 7, 7],
    ['int', '7', 7],
    ['int', -0, 0],
    ['int', '9007199254740993', '9007199254740993'],
    ['int', '-18446744073709551616', '-18446744073709551616'],
    ['float', -0, 0],
    ['float', 1e300, 1e300],
    ['string', 'grün', 'grün'],
    ['bytes', 'SGk', 'SGk='],
    ['bytes', '', ''],
    ['json', { a: [1, null] }, { a: [1, null] }],
  ];
  for (const [type, value, expected] of taken) {
    assert.deepEqual(checkValue({ name: 'p', type }, value), { ok: true, value: expected }, type);
  }
});

test('what is not of the type is refused', () => {
  const refused: [PropertyType, unknown][] = [
    ['bool', 1],
    ['bool', 'true'],
    ['int', 1.5],
    ['int', 2 ** 53],
    ['int', '007'],
    ['int', '1e3'],
    ['int', '9'.repeat(41)],
    ['float', '1'],
    ['float', Number.NaN],
    ['float', Number.POSITIVE_INFINITY],
    ['string', 1],
    ['string', '\ud800'],
    ['bytes', 'not base64!'],
    ['bytes', 'SGl='],
    ['json', null],
    ['json', undefined],
    ['json', new Date()],
    ['json', { a: 1n }],
  ];
  for (const [type, value] of refused) {
    assert.equal(
      codeOf(checkValue({ name: 'p', type }, value)),
      'VALUE_TYPE',
      `${type} ${String(value)}`,
    );
  }
});

test('limits hold for ints beyond 2^53', () => {
  const property = { name: 'energy', type: 'int', minimum: 0, maximum: 2 ** 60 } as const;
  assert.equal(codeOf(checkValue(property, '1152921504606846976')), 'ok');
  assert.equal(codeOf(checkValue(property, '1152921504606846977')), 'VALUE_ABOVE_MAXIMUM');
  assert.equal(codeOf(checkValue(property, '-9007199254740993')), 'VALUE_BELOW_MINIMUM');
});

test('a value may be 64 KiB as JSON and no more, however it hides its size', () => {
  const property = { name: 'p', type: 'string' } as const;
  assert.equal(codeOf(checkValue(property, 'x'.repeat(MAX_VALUE_BYTES - 2))), 'ok');
  assert.equal(codeOf(checkValue(property, 'x'.repeat(MAX_VALUE_BYTES - 1))), 'VALUE_TOO_LARGE');
  assert.equal(codeOf(checkValue(property, '"'.repeat(MAX_VALUE_BYTES / 2))), 'VALUE_TOO_LARGE');
  let shared: unknown = [1];
  for (let level = 0; level < 40; level++) shared = [shared, shared];
  assert.equal(codeOf(checkValue({ name: 'p', type: 'json' }, shared)), 'VALUE_TOO_LARGE');
  const circle: unknown[] = [];
  circle.push(circle);
  assert.equal(codeOf(checkValue({ name: 'p', type: 'json' }, circle)), 'VALUE_TYPE');
});

test('a message never shows the value that was refused for its type', () => {
  const checked = checkValue({ name: 'p', type: 'bool' }, 'hunter2');
  assert.ok(!checked.ok && !checked.message.includes('hunter2'));
});

test('durations are whole numbers with a unit, and are written the shortest way', () => {
  const known = { '500ms': 500, '2s': 2000, '1m': 60_000, '1h': 3_600_000, '1d': 86_400_000 };
  for (const [written, ms] of Object.entries(known)) {
    assert.equal(duration(written), ms);
    assert.equal(formatDuration(ms), written);
  }
  for (const odd of ['', '5', '1.5s', '-1s', ' 1s', '1 s', '1S', '1w', '999999999999999d']) {
    assert.equal(duration(odd), undefined, odd);
  }
  assert.equal(formatDuration(90_000), '90s');
  assert.equal(formatDuration(0), '0ms');
});

test('the nearest word is suggested only when it is near', () => {
  assert.equal(nearest('setpont', ['temperature', 'setpoint']), 'setpoint');
  assert.equal(nearest('SETPOINT', ['setpoint']), 'setpoint');
  assert.equal(nearest('vistior', ['visitor', 'every']), 'visitor');
  assert.equal(nearest('frequency', ['visitor', 'every']), undefined);
  assert.equal(nearest('x'.repeat(1000), ['x']), undefined);
});
