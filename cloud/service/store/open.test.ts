import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openFiles } from './open.ts';

test('a folder that cannot be made is told at once, also below /proc', () => {
  assert.throws(() => openFiles('/proc/limpet/cloud/cloud.db'), /\/proc\/limpet\/cloud/);
});
