import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DmiError, type Value } from '@limpet/dmi';
import { parse } from 'valibot';
import { parsePath, pathText, pick, wrap } from './json-path.ts';
import { decodeJson, decodePayload, encode, parseJson, payloadOf } from './values.ts';
import { type Layout, visitor } from './visitor.ts';

function layout(fields: object): Layout {
  return parse(visitor, fields).layout;
}

function reads(payload: string | Buffer, fields: object): Value {
  try {
    return decodePayload(Buffer.from(payload), layout(fields));
  } catch (error) {
    assert.ok(error instanceof DmiError, String(error));
    return error.code;
  }
}

test('paths are keys and indexes, in three ways of writing', () => {
  const json = { a: { b: [{ 'c d': 1, "it's": 2 }], 'x/y': { '~': 3 } }, '0': 4 };
  for (const [path, value] of [
    ["$.a.b[0]['c d']", 1],
    ['$["a"].b[0]["it\'s"]', 2],
    ["a.b[0]['it\\'s']", 2],
    ['/a/b/0/c d', 1],
    ['/a/x~1y/~0', 3],
    ['/0', 4],
    ['$.a.b[7]', undefined],
    ['$.a.b.length', undefined],
    ['$.constructor', undefined],
  ] as const) {
    const steps = parsePath(path);
    assert.ok(typeof steps !== 'string', path);
    assert.equal(pick(json, steps), value, path);
  }
  assert.deepEqual(parsePath('$'), []);
  for (const wrong of ['$.a[*]', '$..a', '$.a[-1]', 'a b', '$.a[', '/a~2', '$.a[?(@.x)]', '']) {
    assert.equal(typeof parsePath(wrong), 'string', wrong);
  }
  assert.deepEqual(wrap(5, ['a', 1, 'b']), { a: [null, { b: 5 }] });
  for (const steps of [
    ['a', 'b'],
    ['a b', 'c/d~'],
  ])
    assert.deepEqual(parsePath(pathText(steps)), steps);
});

test('numbers, scaled to 12 digits, exact beyond 2^53, and nothing else', () => {
  assert.equal(reads('553', { type: 'number', scale: 0.1 }), 55.3);
  assert.equal(reads(' 21.5\n', {}), 21.5);
  assert.equal(reads('"7"', {}), 'MQTT_NOT_A_NUMBER');
  assert.equal(reads('9007199254740993', {}), 9_007_199_254_740_993n);
  for (const wrong of ['', 'warm', 'NaN', 'Infinity', '1e999', '{}']) {
    assert.equal(reads(wrong, {}), 'MQTT_NOT_A_NUMBER', wrong);
  }
});

test('true and false by the usual words, or by those of the device alone', () => {
  for (const word of ['ON', 'true', '1', 'Yes']) assert.equal(reads(word, { type: 'bool' }), true);
  for (const word of ['off', 'False', '0']) assert.equal(reads(word, { type: 'bool' }), false);
  assert.equal(reads('maybe', { type: 'bool' }), 'MQTT_NOT_A_BOOL');
  const door = { type: 'bool', on: 'OPEN', off: 0 };
  assert.deepEqual(
    ['OPEN', '0', 'on'].map((word) => reads(word, door)),
    [true, false, 'MQTT_NOT_A_BOOL'],
  );
  assert.equal(encode(false, layout(door)), 0);
});

test('an enum is what its words mean, and back', () => {
  const fan = { type: 'enum', map: { '0': 'off', '2': 'fast' } };
  assert.equal(reads('2', fan), 'fast');
  assert.equal(reads('5', fan), 'MQTT_NOT_IN_MAP');
  assert.equal(encode('off', layout(fan)), '0');
  assert.throws(() => encode('slow', layout(fan)), { code: 'MQTT_VALUE' });
});

test('numbers of bytes at their place, in both orders', () => {
  const bytes = Buffer.from('01020304fffe80000000000000013fc00000', 'hex');
  for (const [fields, value] of [
    [{ type: 'uint16le' }, 0x0201],
    [{ type: 'uint16be', byte: 2, scale: 0.5 }, 386],
    [{ type: 'int16be', byte: 4 }, -2],
    [{ type: 'int64be', byte: 6 }, -9_223_372_036_854_775_807n],
    [{ type: 'uint64be', byte: 6 }, 9_223_372_036_854_775_809n],
    [{ type: 'float32be', byte: 14 }, 1.5],
    [{ type: 'uint8', byte: 3, bit: 2 }, true],
    [{ type: 'uint32be', byte: 16 }, 'MQTT_TOO_SHORT'],
  ] as const) {
    assert.equal(reads(bytes, fields), value, JSON.stringify(fields));
  }
  assert.deepEqual(reads(bytes, { type: 'bytes', byte: 1, length: 2 }), Uint8Array.of(2, 3));
  for (const [type, value] of [
    ['int16le', -300],
    ['uint64be', 2n ** 64n - 1n],
    ['float32le', 0.1],
  ] as const) {
    const raw = encode(value, layout({ type }));
    assert.equal(reads(payloadOf(raw, undefined), { type }), value);
  }
  assert.throws(() => encode(70_000, layout({ type: 'uint16le' })), { code: 'MQTT_VALUE' });
});

test('what is no text, no JSON or nested too deep is refused', () => {
  assert.equal(reads(Buffer.from([0xff]), { type: 'text' }), 'MQTT_NOT_TEXT');
  assert.equal(reads('{"a":', { type: 'json' }), 'MQTT_NOT_JSON');
  assert.throws(() => parseJson(Buffer.from('['.repeat(1e6))), { code: 'MQTT_NOT_JSON' });
  const deep = `${'['.repeat(32)}"[[[["${']'.repeat(32)}`;
  assert.ok(Array.isArray(parseJson(Buffer.from(deep))), 'brackets in text are no nesting');
});

test('a template holds the value as text or as JSON, whatever is in it', () => {
  assert.equal(payloadOf('a"$&', '{"to":{json}}').toString(), '{"to":"a\\"$&"}');
  assert.equal(payloadOf(true, 'set {value}!').toString(), 'set true!');
  assert.equal(payloadOf({ a: [1] }, undefined).toString(), '{"a":[1]}');
});

test('bytes in JSON are base64, and what is none is not guessed at', () => {
  const bytes = layout({ expose: 'a', type: 'bytes' });
  for (const text of ['+/8=', '+/8', '-_8']) {
    assert.deepEqual(decodeJson(text, bytes), Uint8Array.of(0xfb, 0xff), text);
  }
  assert.deepEqual(decodeJson('', bytes), new Uint8Array());
  for (const wrong of ['hello!', 'off', 'AAAAA', 7, null]) {
    assert.throws(() => decodeJson(wrong, bytes), { code: 'MQTT_NOT_TEXT' }, String(wrong));
  }
});
