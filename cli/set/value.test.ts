import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Json, PropertyType } from '@limpet/dmi';
import type { DeviceModel } from '@limpet/dmi/manifest';
import { explain } from '../cli-error.ts';
import { parsePlace, parseValue } from './value.ts';

test('a place is DEVICE.PROPERTY, with a namespace before it or from -n', () => {
  const boiler = { name: 'boiler-1', property: 'setpoint' };
  assert.deepEqual(parsePlace('boiler-1.setpoint', 'default'), { namespace: 'default', ...boiler });
  assert.deepEqual(parsePlace('plant/boiler-1.setpoint', 'x'), { namespace: 'plant', ...boiler });
  for (const wrong of ['boiler-1', '.setpoint', 'boiler-1.', 'a/b/c.d', '', 'a.b.c']) {
    assert.throws(
      () => parsePlace(wrong, 'default'),
      (error) => explain(error).exit === 2,
      wrong,
    );
  }
});

test('words become values by the type that the model declares', () => {
  const cases: readonly [PropertyType, string, Json][] = [
    ['bool', 'true', true],
    ['bool', 'OFF', false],
    ['bool', '1', '1'],
    ['int', '60', 60],
    ['int', '-7', -7],
    ['int', '9007199254740993', '9007199254740993'],
    ['int', 'many', 'many'],
    ['float', '60', 60],
    ['float', '-2.5', -2.5],
    ['float', '1e3', 1000],
    ['float', 'NaN', 'NaN'],
    ['float', '0x10', '0x10'],
    ['float', '1e999', '1e999'],
    ['string', '60', '60'],
    ['string', '"null"', 'null'],
    ['string', 'a "b"', 'a "b"'],
    ['bytes', 'SGk=', 'SGk='],
    ['json', '{"a":[1]}', { a: [1] }],
    ['float', 'null', null],
    ['string', 'null', null],
  ];
  for (const [type, text, value] of cases) {
    assert.deepEqual(parseValue(model(type), 'p', text), value, `${type} ${text}`);
  }
});

test('what is not JSON for a json property is wrong usage', () => {
  assert.throws(
    () => parseValue(model('json'), 'p', '{a:1}'),
    (error) => explain(error).exit === 2,
  );
});

function model(type: PropertyType): DeviceModel {
  const properties = [{ name: 'p', type, visitor: {} }];
  const metadata = { name: 'm' };
  return {
    apiVersion: 'limpet.dev/v1',
    kind: 'DeviceModel',
    metadata,
    spec: { protocol: 'x', properties },
  };
}
