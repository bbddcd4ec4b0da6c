import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Misconfigured, type Value } from '@limpet/dmi';
import fc from 'fast-check';
import * as v from 'valibot';
import { bitMask, decode, encode } from './values.ts';
import { fits, visitor } from './visitor.ts';

const holding = (fields: object) =>
  v.parse(visitor, { register: 'holding', address: 0, ...fields });

function read(fields: object, hex: string): unknown {
  const reading = decode(holding(fields), Buffer.from(hex.replaceAll(' ', ''), 'hex'));
  return reading.ok ? reading.value : reading.error.code;
}

const TABLE: readonly (readonly [fields: object, hex: string, value: Value])[] = [
  [{ type: 'uint16' }, 'ff fe', 65_534],
  [{ type: 'int16' }, 'ff fe', -2],
  [{ type: 'int16', order: 'BA' }, 'fe ff', -2],
  [{ type: 'int16', scale: 0.1 }, '02 29', 55.3],
  [{ type: 'uint16', scale: 0.01, offset: -40 }, '0f a1', 0.01],
  [{ type: 'uint32', order: 'ABCD' }, '12 34 56 78', 0x12345678],
  [{ type: 'uint32', order: 'CDAB' }, '56 78 12 34', 0x12345678],
  [{ type: 'uint32', order: 'BADC' }, '34 12 78 56', 0x12345678],
  [{ type: 'uint32', order: 'DCBA' }, '78 56 34 12', 0x12345678],
  [{ type: 'int32' }, 'ff ff ff fe', -2],
  [{ type: 'uint64', order: 'ABCD' }, '00 01 02 03 04 05 06 07', 0x1020304050607],
  [{ type: 'uint64', order: 'CDAB' }, '06 07 04 05 02 03 00 01', 0x1020304050607],
  [{ type: 'uint64', order: 'BADC' }, '01 00 03 02 05 04 07 06', 0x1020304050607],
  [{ type: 'uint64', order: 'DCBA' }, '07 06 05 04 03 02 01 00', 0x1020304050607],
  [{ type: 'uint64' }, 'ff ff ff ff ff ff ff ff', 2n ** 64n - 1n],
  [{ type: 'int64' }, '00 20 00 00 00 00 00 01', 2n ** 53n + 1n],
  [{ type: 'int64' }, 'ff ff ff ff ff ff ff ff', -1],
  [{ type: 'float32' }, '41 ac 00 00', 21.5],
  [{ type: 'float32' }, '42 5d 33 33', 55.3],
  [{ type: 'float32', order: 'CDAB' }, '00 00 41 ac', 21.5],
  [{ type: 'float64' }, '3f b9 99 99 99 99 99 9a', 0.1],
  [{ type: 'string', length: 5 }, '48 65 6c 6c 6f 00', 'Hello'],
  [{ type: 'string', length: 6, order: 'BA' }, '65 48 6c 6c 00 6f', 'Hello'],
  [{ type: 'bytes', length: 3 }, '01 02 03 00', Uint8Array.of(1, 2, 3)],
];

for (const [fields, hex, value] of TABLE) {
  test(`${JSON.stringify(fields)} reads ${hex} and writes it back`, () => {
    assert.deepEqual(read(fields, hex), value);
    assert.equal(encode(holding(fields), value).toString('hex'), hex.replaceAll(' ', ''));
  });
}

test('what is no number is refused, never a made-up value', () => {
  for (const hex of ['7fc00000', '7f800000', 'ff800000'])
    assert.equal(read({ type: 'float32' }, hex), 'MODBUS_NOT_A_NUMBER');
  assert.equal(read({ type: 'float64' }, '7ff0000000000000'), 'MODBUS_NOT_A_NUMBER');
  assert.equal(read({ type: 'float64', scale: 1e300 }, '7fe0000000000000'), 'MODBUS_NOT_A_NUMBER');
});

test('text ends at NUL or before its blanks, and is refused when it is none', () => {
  assert.equal(read({ type: 'string', length: 6 }, '41 42 00 43 44 45'), 'AB');
  assert.equal(read({ type: 'string', length: 4 }, '41 42 20 20'), 'AB');
  assert.equal(read({ type: 'string', length: 2 }, 'ff fe'), 'MODBUS_NOT_TEXT');
});

test('a bit is counted from the least significant of its register, after its byte order', () => {
  assert.equal(read({ bit: 0 }, '00 01'), true);
  assert.equal(read({ bit: 15 }, '80 00'), true);
  assert.equal(read({ bit: 8 }, '00 ff'), false);
  assert.equal(read({ bit: 0, order: 'BA' }, '01 00'), true);
  assert.equal(bitMask(holding({ bit: 3 })), 0x0008);
  assert.equal(bitMask(holding({ bit: 3, order: 'BA' })), 0x0800);
});

test('a value that the registers cannot hold is refused, not clipped', () => {
  const cases: readonly (readonly [object, Value])[] = [
    [{ type: 'uint16' }, 65_536],
    [{ type: 'uint16' }, -1],
    [{ type: 'int16', scale: 0.1 }, 3276.8],
    [{ type: 'int32' }, 2 ** 31],
    [{ type: 'uint64' }, 2n ** 64n],
    [{ type: 'float32' }, 1e39],
    [{ type: 'uint16' }, Number.NaN],
    [{ type: 'uint16' }, '5'],
    [{ type: 'uint16' }, null],
    [{ type: 'string', length: 2 }, 'abc'],
    [{ type: 'string', length: 4 }, 'a\0b'],
    [{ type: 'bytes', length: 2 }, Uint8Array.of(1)],
  ];
  for (const [fields, value] of cases)
    assert.throws(() => encode(holding(fields), value), Misconfigured, JSON.stringify(fields));
});

test('any number written in any order is read back as written', () => {
  const type = fc.constantFrom('int32', 'uint32', 'int64', 'uint64', 'float32', 'float64');
  const order = fc.constantFrom('ABCD', 'CDAB', 'BADC', 'DCBA');
  const whole = fc.integer({ min: 0, max: 2 ** 31 - 1 });
  fc.assert(
    fc.property(type, order, whole, (type, order, number) => {
      const value = type === 'float32' ? number % 2 ** 20 : number;
      const place = holding({ type, order });
      assert.deepEqual(decode(place, encode(place, value)), { ok: true, value });
    }),
  );
});

test('a visitor is refused with every fault at once, by field', () => {
  const faults = (fields: object): string[] => {
    const result = v.safeParse(visitor, { register: 'holding', address: 0, ...fields });
    return result.issues?.map((issue) => issue.message.split(':')[0] ?? '') ?? [];
  };
  assert.deepEqual(faults({}), []);
  assert.deepEqual(faults({ type: 'bool' }), ['bit']);
  assert.deepEqual(faults({ type: 'string' }), ['length']);
  assert.deepEqual(faults({ type: 'string', length: 4, order: 'CDAB', scale: 2 }), [
    'scale, offset',
    'order',
  ]);
  assert.deepEqual(faults({ register: 'coil', type: 'int16', bit: 1 }), ['type', 'bit']);
  assert.deepEqual(faults({ type: 'float32', order: 'AB' }), ['order']);
  assert.deepEqual(faults({ type: 'float32', address: 65_535 }), ['address']);
  assert.deepEqual(faults({ type: 'uint16', address: 65_535 }), []);
  assert.deepEqual(faults({ registr: 1 }), [
    'unknown field "registr"; known are register, address, type, bit, order, scale, offset, length',
  ]);
});

test('fits says why a visitor cannot serve a property', () => {
  const why = (fields: object, type: 'bool' | 'int' | 'float', access: 'read' | 'readWrite') =>
    fits(holding(fields), { name: 'p', type, access });
  assert.equal(why({ type: 'float32' }, 'float', 'readWrite'), undefined);
  assert.equal(why({ type: 'int16' }, 'float', 'read'), undefined);
  assert.match(why({ type: 'float32' }, 'bool', 'read') ?? '', /holds float, not bool/);
  assert.match(why({ type: 'int16', scale: 0.1 }, 'int', 'read') ?? '', /has fractions/);
  assert.match(why({ register: 'input' }, 'int', 'readWrite') ?? '', /cannot be written/);
  assert.match(why({ register: 'discrete' }, 'bool', 'readWrite') ?? '', /cannot be written/);
});
