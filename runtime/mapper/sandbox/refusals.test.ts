import assert from 'node:assert/strict';
import { channel } from 'node:diagnostics_channel';
import path from 'node:path';
import { test } from 'node:test';
import { countRefusals } from './refusals.ts';

const refused = (resource: string): void =>
  channel('node:permission-model:fs').publish({ permission: 'FileSystemRead', resource });

// Loading the add-on of a serial line, Node looks for a package in the folder of the program, and stops where it may not.
test("what Node looks for itself is not the mapper's doing; what the mapper reaches for is", () => {
  const refusals = countRefusals();
  refused(import.meta.dirname);
  refused('/opt/limpet/package.json');
  assert.deepEqual(refusals(), { count: 0, last: '' });
  refused(path.join(import.meta.dirname, 'limpet.yaml'));
  refused(path.dirname(import.meta.dirname));
  assert.equal(refusals().count, 2);
  assert.match(refusals().last, /^FileSystemRead .*mapper$/);
});
