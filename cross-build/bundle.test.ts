import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { findPackageJSON } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { test } from 'node:test';
import { bundleEdge, isTarget } from './bundle.ts';

// Without one Node goes on above the bundle, which a confined mapper may not read: loading a serial line's add-on, the
// Modbus mapper was then shown as one that reached for what it may not have.
test('whoever looks for the package of a bundled file finds it in the bundle', async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'limpet-bundle-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const target = `${process.platform}-${process.arch}`;
  if (!isTarget(target)) return t.skip(`no bundle is made for ${target}`);
  const edge = path.join(folder, 'edge');
  await bundleEdge(target, edge);
  const found = findPackageJSON('.', pathToFileURL(path.join(edge, 'limpet-mapper.mjs')));
  assert.equal(found, path.join(edge, 'package.json'));
});
