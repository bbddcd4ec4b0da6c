import {
  Garbled,
  Misconfigured,
  type Reading,
  Refused,
  Unreachable,
  type Value,
} from '@limpet/dmi';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  packError,
  packReading,
  packReadings,
  packValue,
  unpackError,
  unpackReading,
  unpackValue,
} from './packed.ts';

const crossed = <T>(value: T): unknown => JSON.parse(JSON.stringify(value));
const json = fc.jsonValue().map((value) => JSON.parse(JSON.stringify(value)) as Value);
const value = fc.oneof(
  json,
  fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n }),
  fc.uint8Array(),
  fc.double({ noDefaultInfinity: false }),
);

test('every value of the DMI crosses as it is', () => {
  fc.assert(
    fc.property(value, (each) => {
      const back = unpackValue(crossed(packValue(each)));
      // JSON knows one zero only, and so does a twin.
      assert.deepEqual(back, Object.is(each, -0) ? 0 : each);
    }),
  );
});

test('a value that JSON cannot say, or that is too long, is one bad reading', () => {
  const cycle: unknown[] = [];
  cycle.push(cycle);
  const odd = [undefined, () => 1, Symbol('x'), cycle, { n: 1n }, { deep: [Number.NaN] }];
  for (const each of odd) {
    const reading = unpackReading(crossed(packReading({ ok: true, value: each as Value })));
    assert.ok(!reading.ok && reading.error instanceof Misconfigured, String(typeof each));
    assert.equal(reading.error.code, 'VALUE_TYPE');
  }
  for (const each of ['x'.repeat(100_000), new Uint8Array(100_000), ['x'.repeat(100_000)]]) {
    const reading = unpackReading(crossed(packReading({ ok: true, value: each })));
    assert.ok(!reading.ok && reading.error.code === 'VALUE_TOO_LONG');
  }
});

test('an error keeps class, code, message and causes; of a copy of the DMI, by its name', () => {
  for (const kind of [Unreachable, Refused, Garbled, Misconfigured]) {
    const cause = Object.assign(new Error('reset'), { code: 'ECONNRESET' });
    const error = new kind('TEST_CODE', 'what to do', { cause });
    const back = unpackError(crossed(packError(error)));
    assert.ok(back instanceof kind && back.code === 'TEST_CODE' && back.message === 'what to do');
    assert.deepEqual(
      [(back.cause as Error).message, (back.cause as { code?: string }).code],
      ['reset', 'ECONNRESET'],
    );
  }
  const foreign = Object.assign(new Error('no'), { name: 'Refused', code: 'X' });
  assert.ok(unpackError(crossed(packError(foreign))) instanceof Refused);
  class Asleep extends Unreachable {}
  assert.ok(unpackError(crossed(packError(new Asleep('X', 'x')))) instanceof Unreachable);
  // What happens next is told by the class, so a code that is none costs the code only.
  const odd = unpackError(crossed(packError(new Refused('not-there', 'no'))));
  assert.ok(odd instanceof Refused && odd.code === 'MAPPER_CODE' && odd.message === 'no');
  const numbered = Object.assign(new Error('x'), { message: 5, code: 7 });
  assert.match(
    unpackError(crossed(packError(numbered))).message,
    /^5 \(packed\.test\.ts:\d+:\d+\)$/,
  );
  assert.equal(unpackError(crossed(packError('text'))).message, 'text');
  const loop = new Error('loop');
  loop.cause = loop;
  assert.ok(JSON.stringify(packError(loop)).length < 200);
});

test('whatever a process sends for a reading is one or is refused', () => {
  const odd = fc.oneof(
    fc.jsonValue(),
    fc.record({ e: fc.jsonValue() }),
    fc.record({ n: fc.jsonValue() }),
    fc.record({ j: fc.string() }),
    fc.record({
      e: fc.tuple(
        fc.constantFrom('Refused', '__proto__', 'constructor'),
        fc.jsonValue(),
        fc.jsonValue(),
      ),
    }),
  );
  fc.assert(
    fc.property(odd, (each) => {
      let reading: Reading;
      try {
        reading = unpackReading(crossed(each));
      } catch (error) {
        assert.ok(error instanceof TypeError || error instanceof SyntaxError);
        return;
      }
      if (!reading.ok) assert.ok(reading.error instanceof Error);
    }),
  );
});

test('readings that are too large together lose the long ones, and fit one frame', () => {
  const values = [
    1,
    '\u0001'.repeat(60_000),
    'short',
    ...Array.from({ length: 200 }, () => 'x'.repeat(9_000)),
  ];
  const readings = values.map((each) => ({ ok: true as const, value: each }));
  const packed = packReadings(readings, 1_000_000);
  assert.ok(JSON.stringify(packed).length <= 1_000_000);
  assert.deepEqual([packed[0], packed[2]], [1, 'short']);
  for (const each of [packed[1], packed[3]]) {
    const reading = unpackReading(crossed(each));
    assert.ok(!reading.ok && reading.error.code === 'VALUE_TOO_LONG');
  }
  assert.deepEqual(packReadings(readings.slice(0, 50), 1_000_000), values.slice(0, 50));
});

test('the time and the doubt that a device puts beside a value cross with it', () => {
  const doubt = new Refused('PLANT_SENSOR', 'the sensor is not accurate');
  const table: Reading[] = [
    { ok: true, value: 21.5, at: 1_700_000_000_000 },
    { ok: true, value: Uint8Array.of(1), at: 0 },
    { ok: true, value: { v: 1 }, at: 1.5 },
  ];
  for (const reading of table) {
    assert.deepEqual(unpackReading(crossed(packReading(reading))), reading);
  }
  const back = unpackReading(crossed(packReading({ ok: true, value: 1, doubt })));
  assert.ok(back.ok && back.doubt instanceof Refused && back.doubt.code === 'PLANT_SENSOR');
  const odd = packReading({ ok: true, value: 1, at: Number.NaN });
  assert.deepEqual(unpackReading(crossed(odd)), { ok: true, value: 1 });
  for (const wrong of [{ v: 1, a: '1' }, { v: 1, a: null }, { v: 1, d: 'no' }, { v: { x: 1 } }]) {
    assert.throws(() => unpackReading(wrong), TypeError, JSON.stringify(wrong));
  }
});
