import { silentLog } from '@limpet/dmi/testing';
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { systemClock } from '../kernel/clock.ts';
import { MapperFolder, until } from './folder.fixture.ts';
import { FilesWatch } from './package-files.ts';

test('a file that changes while the files are read is seen', async (t) => {
  const { mappers } = new MapperFolder(t);
  mkdirSync(mappers);
  let told = 0;
  const watch = new FilesWatch({
    clock: systemClock,
    log: silentLog(),
    changed() {
      told += 1;
      // Whoever reads the folder has seen all of it already.
      if (told === 1) writeFileSync(path.join(mappers, 'second'), '');
    },
  });
  t.after(() => watch.stop());
  // Its first look can have missed what came before the watch.
  assert.equal(watch.follow([mappers]), true);
  assert.equal(watch.follow([mappers]), false);
  writeFileSync(path.join(mappers, 'first'), '');
  await until('told again', () => told === 2, 5_000);
});
