import assert from 'node:assert/strict';
import { test } from 'node:test';
import { plainText } from './plain-text.ts';

test('what UTF-8 or PostgreSQL cannot hold becomes U+FFFD, the rest stays', () => {
  assert.equal(plainText('a\0b\ud800c'), 'a\u{fffd}b\u{fffd}c');
  assert.equal(plainText('grün 🛢'), 'grün 🛢');
});
