import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Json } from '@limpet/dmi';
import { mergePatch } from './merge-patch.ts';

/** RFC 7386, appendix A. */
const CASES: readonly (readonly [original: Json, patch: Json, result: Json])[] = [
  [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
  [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
  [{ a: 'b' }, { a: null }, {}],
  [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
  [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
  [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
  [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
  [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
  [
    ['a', 'b'],
    ['c', 'd'],
    ['c', 'd'],
  ],
  [{ a: 'b' }, ['c'], ['c']],
  [{ a: 'foo' }, null, null],
  [{ a: 'foo' }, 'bar', 'bar'],
  [{ e: null }, { a: 1 }, { e: null, a: 1 }],
  [[1, 2], { a: 'b', c: null }, { a: 'b' }],
  [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
];

for (const [original, patch, result] of CASES) {
  test(`${JSON.stringify(original)} with ${JSON.stringify(patch)} is ${JSON.stringify(result)}`, () => {
    const before = structuredClone([original, patch]);
    assert.deepEqual(mergePatch(original, patch), result);
    assert.deepEqual([original, patch], before);
  });
}

test('a member called __proto__ stays a member', () => {
  const merged = mergePatch({}, JSON.parse('{"__proto__": {"polluted": true}}') as Json);
  assert.deepEqual(Object.keys(merged as object), ['__proto__']);
  assert.equal(Object.getPrototypeOf(merged), Object.prototype);
  assert.equal(({} as { polluted?: true }).polluted, undefined);
});
