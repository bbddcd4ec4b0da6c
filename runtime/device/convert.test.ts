import { type Reading, Refused, type Value } from '@limpet/dmi';
import { isJson, MAX_VALUE_BYTES, type Property } from '@limpet/dmi/manifest';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answer, nextReported, same, toValue } from './convert.ts';

type Type = Property['type'];
const said = (type: Type, value: Value, more: Partial<Property> = {}) =>
  answer({ name: 'p', type, ...more }, { ok: true, value });

test('values become JSON by the type of the property', () => {
  const big = 2n ** 63n - 1n;
  const table: [Type, Value, unknown][] = [
    ['bool', true, true],
    ['int', 42, 42],
    ['int', 42n, 42],
    ['int', big, '9223372036854775807'],
    ['float', 55.3, 55.3],
    ['float', -0, 0],
    ['string', 'hot', 'hot'],
    ['bytes', new Uint8Array([72, 105]), 'SGk='],
    ['json', { a: [1] }, { a: [1] }],
  ];
  for (const [type, value, json] of table) {
    assert.deepEqual(said(type, value), { ok: true, value: json }, `${type} ${typeof value}`);
  }
});

// The cloud counts a value as it is written out, and would leave out what the edge took.
test('what is taken is JSON that the cloud takes too', () => {
  let deep: Value = 'x';
  for (let level = 0; level < 100; level++) deep = [deep];
  const [most, quotes] = ['x'.repeat(MAX_VALUE_BYTES - 2), '"'.repeat(40_000)];
  const table: [Type, Value, string | undefined][] = [
    ['string', most, undefined],
    ['string', `${most}x`, 'VALUE_TOO_LONG'],
    ['string', quotes, 'VALUE_TOO_LONG'],
    ['json', { text: 'é'.repeat(40_000) }, 'VALUE_TOO_LONG'],
    ['json', deep, 'VALUE_TYPE'],
  ];
  for (const [type, value, code] of table) {
    const result = said(type, value);
    assert.equal(result.ok ? undefined : result.reason.code, code, type);
    if (result.ok) assert.ok(isJson(result.value, MAX_VALUE_BYTES));
  }
});

test('what cannot be converted is bad, with the reason', () => {
  const cycle: Record<string, Value> = {};
  cycle['self'] = cycle as Value;
  const table: [Type, Value, string][] = [
    ['bool', 1, 'VALUE_TYPE'],
    ['int', 1.5, 'VALUE_TYPE'],
    ['int', 2 ** 60, 'VALUE_TYPE'],
    ['int', NaN, 'VALUE_NOT_FINITE'],
    ['float', NaN, 'VALUE_NOT_FINITE'],
    ['float', -Infinity, 'VALUE_NOT_FINITE'],
    ['float', '1', 'VALUE_TYPE'],
    ['string', 1, 'VALUE_TYPE'],
    ['bytes', 'SGk=', 'VALUE_TYPE'],
    ['json', cycle as Value, 'VALUE_TYPE'],
    ['json', undefined as unknown as Value, 'VALUE_TYPE'],
    ['string', 'x'.repeat(MAX_VALUE_BYTES + 1), 'VALUE_TOO_LONG'],
    ['bytes', new Uint8Array(MAX_VALUE_BYTES), 'VALUE_TOO_LONG'],
  ];
  for (const [type, value, code] of table) {
    const result = said(type, value);
    assert.equal(result.ok, false, `${type}`);
    assert.equal(result.reason?.code, code, `${type} ${typeof value}`);
  }
});

test('an error that is none of the DMI is a bad value and a fault of the mapper', () => {
  for (const error of [new TypeError('oops'), 'oops', undefined]) {
    const result = answer({ name: 'p', type: 'int' }, { ok: false, error: error as never });
    assert.equal(result.reason?.code, 'MAPPER_FAULT', String(error));
    assert.match(result.reason?.message ?? '', /please report it/);
  }
});

test('a value beyond its limits is kept, and bad', () => {
  const limits = { minimum: 20, maximum: 90 };
  assert.equal(said('float', 90, limits).reason, undefined);
  for (const value of [19.9, 90.1]) {
    const result = said('float', value, limits);
    assert.equal(result.ok && result.value, value);
    assert.equal(result.reason?.code, 'VALUE_OUT_OF_RANGE');
  }
  assert.equal(said('int', 2n ** 62n, limits).reason?.code, 'VALUE_OUT_OF_RANGE');
});

const FLOAT = { name: 'p', type: 'float', deadband: 0.1 } as const;
const good = (value: number, at = 1) => ({ value, at, quality: 'good' }) as const;

test('the deadband counts from the value last reported, so a slow drift is seen in the end', () => {
  let last: { value: unknown } = good(20);
  const reports: unknown[] = [];
  for (let step = 1; step <= 10; step++) {
    const reading = { ok: true, value: 20 + step * 0.03 } as const;
    const next = nextReported(FLOAT, last as never, answer(FLOAT, reading), step);
    if (next === undefined) continue;
    reports.push(next.value);
    last = next;
  }
  assert.deepEqual(reports, [20.12, 20.24]);
});

test('a move of exactly the deadband is reported', () => {
  for (const [from, to] of [
    [20, 20.1],
    [0.2, 0.3],
    [55.3, 55.4],
  ] as const) {
    assert.equal(nextReported(FLOAT, good(from), { ok: true, value: to }, 9)?.value, to);
  }
});

test('an unchanged value is not reported; a change of quality always is', () => {
  assert.equal(nextReported(FLOAT, good(20), { ok: true, value: 20 }, 9), undefined);
  const stale = { ...good(20), quality: 'stale' } as const;
  assert.deepEqual(nextReported(FLOAT, stale, { ok: true, value: 20 }, 9), good(20, 9));
});

test('on bad the last good value and its time stay; before a first reading there is none', () => {
  const refused = answer(FLOAT, { ok: false, error: new Refused('X_1', 'no') });
  const bad = nextReported(FLOAT, good(20, 5), refused, 9);
  assert.deepEqual(bad, {
    value: 20,
    at: 5,
    quality: 'bad',
    reason: { code: 'X_1', message: 'no' },
  });
  assert.equal(nextReported(FLOAT, bad, refused, 10), undefined, 'told once');
  assert.equal(nextReported(FLOAT, undefined, refused, 9)?.value, null);
});

test('JSON goes back to the DMI as it came', () => {
  assert.equal(toValue('int', '9223372036854775807'), 9223372036854775807n);
  assert.equal(toValue('int', 42), 42);
  assert.deepEqual(toValue('bytes', 'SGk='), new Uint8Array([72, 105]));
  assert.equal(toValue('string', '12'), '12');
});

test('numbers are the same up to what binary fractions cannot say', () => {
  assert.ok(same(0.1 + 0.2, 0.3));
  assert.ok(!same(55, 55.1));
  assert.ok(same({ a: [1] }, { a: [1] }));
  assert.ok(!same('1', 1));
});

test('a value has the time that the device gives it, but none from the future', () => {
  const property = { name: 'p', type: 'float' } as const;
  const table: [number | undefined, number][] = [
    [900, 900],
    [0, 0],
    [1_000, 1_000],
    [1_001, 1_000],
    [-1, 1_000],
    [NaN, 1_000],
    [undefined, 1_000],
  ];
  for (const [at, expected] of table) {
    const reading: Reading = { ok: true, value: 1, ...(at !== undefined && { at }) };
    const next = nextReported(property, undefined, answer(property, reading), 1_000);
    assert.deepEqual(next, { value: 1, at: expected, quality: 'good' }, String(at));
  }
});

test('a value that the device does not vouch for is kept, and bad with the reason it gives', () => {
  const property = { name: 'p', type: 'float', maximum: 10 } as const;
  const doubt = new Refused('PLANT_SENSOR', 'the sensor is not accurate');
  const said = answer(property, { ok: true, value: 11, doubt });
  const reason = { code: 'PLANT_SENSOR', message: 'the sensor is not accurate' };
  assert.deepEqual(said, { ok: true, value: 11, reason });
  const next = nextReported(property, undefined, said, 5);
  assert.deepEqual(next, { value: 11, at: 5, quality: 'bad', reason });
});
