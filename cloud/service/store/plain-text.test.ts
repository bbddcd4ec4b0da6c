import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { plainJson, plainText } from './plain-text.ts';

test('what UTF-8 or PostgreSQL cannot hold becomes U+FFFD, the rest stays', () => {
  assert.equal(plainText('a\0b\ud800c'), 'a\u{fffd}b\u{fffd}c');
  assert.equal(plainText('grün 🛢'), 'grün 🛢');
});

test('JSON is cleaned of the same, and of nothing that only looks like it', () => {
  const value = ['a\0b', '\ud83d', '\\u0000', '\\\\ud800', 'tab\t', '\u0001', '🛢'];
  assert.deepEqual(
    JSON.parse(plainJson(JSON.stringify(value))),
    value.map((text) => plainText(text)),
  );
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary' })), fc.string(), (texts, more) => {
      const json = plainJson(JSON.stringify([...texts, more, `\\u0000${more}\0`]));
      assert.deepEqual(
        JSON.parse(json),
        [...texts, more, `\\u0000${more}\0`].map((text) => plainText(text)),
      );
    }),
  );
});
