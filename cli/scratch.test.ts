import assert from 'node:assert/strict';
import { rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { scratchFolder } from './scratch.ts';

function parentOf(t: TestContext, memory: string): string {
  const folder = scratchFolder(memory);
  t.after(() => rmdirSync(folder));
  return path.dirname(folder);
}

test('the files of tests go where TMPDIR says', (t) => {
  const before = process.env['TMPDIR'];
  process.env['TMPDIR'] = import.meta.dirname;
  t.after(() => {
    if (before === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = before;
  });
  assert.equal(parentOf(t, '/dev/shm'), import.meta.dirname);
});

test('the files of tests go to the disk where there is no memory for them', (t) => {
  const before = process.env['TMPDIR'];
  delete process.env['TMPDIR'];
  t.after(() => {
    if (before !== undefined) process.env['TMPDIR'] = before;
  });
  for (const none of ['/nowhere/at/all', import.meta.dirname, '/proc']) {
    assert.equal(parentOf(t, none), tmpdir());
  }
});
