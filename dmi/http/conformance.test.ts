/** A mapper made of the blocks, against the simulator derived from its visitors, which Node's own server serves. */
import assert from 'node:assert/strict';
import test, { suite } from 'node:test';
import * as v from 'valibot';
import { defineMapper } from '../mapper.ts';
import { checkMapper, fakeContext, type SubjectItem } from '../testing/index.ts';
import type { Json, PropertyType, Value } from '../value.ts';
import { httpConnection } from './connection.ts';
import { Http } from './http.ts';
import { at, extract, fill, isPointer, put } from './pointer.ts';
import { httpSimulator } from './simulator.ts';
import { decodeJson, encodeJson, httpFits, httpVisitor } from './visitor.ts';

const mapper = defineMapper({
  protocol: 'meter',
  settings: v.strictObject({ address: v.string() }),
  visitor: httpVisitor,
  fits: httpFits,
  async connect({ address }, context, signal) {
    return httpConnection(await Http.open(address, context, {}, signal));
  },
});

function item(
  visitor: { readonly path: string; readonly pointer: string; readonly [key: string]: unknown },
  type: PropertyType,
  reads: Value,
  writes?: readonly Value[],
): SubjectItem {
  const access = writes === undefined ? 'read' : 'readWrite';
  return {
    visitor,
    property: { name: `${visitor.path}${visitor.pointer}`, type, access },
    reads,
    ...(writes && { writes }),
  };
}

const items: [SubjectItem, ...SubjectItem[]] = [
  item({ path: '/status', pointer: '/meters/0/power' }, 'float', 231.5),
  item({ path: '/status', pointer: '/name~1id', type: 'text' }, 'string', 'hall'),
  item(
    {
      path: '/relay/0',
      pointer: '/on',
      type: 'bool',
      on: 'on',
      off: 'off',
      set: { method: 'GET', path: '/relay/0?turn={}' },
    },
    'bool',
    true,
    [false, true],
  ),
  item(
    {
      path: '/config',
      pointer: '/limit',
      type: 'number',
      set: { path: '/config', body: { v: 1, limit: '{}' } },
    },
    'float',
    16,
    [10.5, -3],
  ),
];

suite('JSON over HTTP', () => {
  checkMapper(mapper, {
    simulator: httpSimulator(),
    settings: { address: 'http://meter' },
    items,
    refused: { path: '/nowhere' },
    faults: 100,
  });
});

test('pointers lead in and back', () => {
  const document = { a: [{ 'b/c': 1, 'd~e': null }] };
  assert.equal(at(document, '/a/0/b~1c'), 1);
  assert.equal(at(document, '/a/0/d~0e'), null);
  assert.equal(at(document, ''), document);
  for (const none of ['/a/1', '/a/length', '/a/x', '/__proto__', '/a/0/b~1c/x']) {
    assert.equal(at(document, none), undefined, none);
  }
  assert.deepEqual(put(put(undefined, '/a/1/x', 5), '/b', 6), { a: [null, { x: 5 }], b: 6 });
  assert.ok(isPointer('') && isPointer('/a/~0') && !isPointer('a') && !isPointer('/~2'));
});

test('a body gives back what was put into it', () => {
  const template: Json = { op: 'set', of: [1, { value: '{}' }] };
  assert.equal(extract(template, fill(template, 7.5)), 7.5);
  assert.equal(extract(template, { op: 'get', of: [1, { value: 5 }] }), undefined);
  assert.equal(extract(template, { op: 'set' }), undefined);
});

test('values are what their type says, or Garbled on the way in and Misconfigured on the way out', () => {
  const visitor = (fields: object) => v.parse(httpVisitor, { path: '/', ...fields });
  assert.equal(decodeJson(visitor({ type: 'number' }), '21.5'), 21.5);
  assert.equal(decodeJson(visitor({ type: 'bool', on: 1, off: 0 }), 1), true);
  assert.deepEqual(decodeJson(visitor({}), [1]), [1]);
  for (const [type, found] of [
    ['number', 'x'],
    ['number', ''],
    ['number', null],
    ['bool', 'yes'],
    ['text', 5],
  ]) {
    assert.throws(() => decodeJson(visitor({ type }), found as Json), {
      code: 'HTTP_VALUE',
      name: 'Garbled',
    });
  }
  for (const [type, value] of [
    ['number', NaN],
    ['json', Uint8Array.of(1)],
    ['json', 2n ** 60n],
    ['bool', 1],
    ['text', 5],
    ['text', '\ud800'],
  ]) {
    assert.throws(() => encodeJson(visitor({ type }), value as Value), {
      code: 'HTTP_VALUE',
      name: 'Misconfigured',
    });
  }
});

test('a value of another type is the trouble of one property', async () => {
  const body = '{"a":"x","b":2}';
  const answer = `HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
  const context = fakeContext({
    wire: (stream) => void stream.on('data', () => stream.write(answer)),
  });
  const signal = new AbortController().signal;
  const http = await Http.open('http://x', context, {}, signal);
  const visitors = ['/a', '/b'].map((pointer) =>
    v.parse(httpVisitor, { path: '/', pointer, type: 'number' }),
  );
  const [first, second] = await httpConnection(http).read(visitors, signal);
  assert.ok(first?.ok === false && first.error.code === 'HTTP_VALUE');
  assert.deepEqual(second, { ok: true, value: 2 });
  await http.close();
});

test('a path that answers null is got once for all that read from it', async () => {
  let requests = 0;
  const context = fakeContext({
    wire: (stream) =>
      void stream.on('data', () => {
        requests++;
        stream.write('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nnull');
      }),
  });
  const signal = new AbortController().signal;
  const http = await Http.open('http://x', context, {}, signal);
  const visitors = ['/a', ''].map((pointer) => v.parse(httpVisitor, { path: '/', pointer }));
  const [first, second] = await httpConnection(http).read(visitors, signal);
  assert.ok(first?.ok === false && first.error.code === 'HTTP_NO_VALUE');
  assert.deepEqual(second, { ok: true, value: null });
  assert.equal(requests, 1);
  await http.close();
});

test('a visitor says what is wrong with it', () => {
  const wrong: readonly [unknown, RegExp][] = [
    [{}, /a visitor needs path/],
    [{ path: 'status' }, /begins with \//],
    [{ path: '/a', pointer: 'b' }, /JSON pointer/],
    [{ path: '/a', set: { path: '/b' } }, /\{\} in the path/],
    [{ path: '/a', sets: 1 }, /unknown field "sets"/],
  ];
  for (const [value, message] of wrong) {
    const issues = v.safeParse(httpVisitor, value).issues ?? [];
    assert.match(issues.map((issue) => issue.message).join(), message);
  }
});
