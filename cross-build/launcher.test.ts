import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { LAUNCHER } from './launcher.ts';

test('the launcher says which Node it needs instead of failing with a flag of it', async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'limpet-launcher-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const launcher = path.join(folder, 'limpet-edge');
  await writeFile(launcher, LAUNCHER, { mode: 0o755 });
  const start = async (name: string, version: string) => {
    const node = path.join(folder, name);
    await writeFile(
      node,
      `#!/bin/sh\ncase "$1" in --version) echo ${version};; *) echo "ran $@";; esac\n`,
      {
        mode: 0o755,
      },
    );
    return spawnSync(launcher, ['--config', 'x.yaml'], { env: { NODE: node }, encoding: 'utf8' });
  };
  const old = await start('old', 'v20.19.4');
  assert.equal(old.status, 78);
  assert.match(old.stderr, /Node 22 or later is needed, found v20\.19\.4: .* NODE/);
  const none = spawnSync(launcher, [], { env: { NODE: '/nowhere/node' }, encoding: 'utf8' });
  assert.equal(none.status, 78);
  assert.match(none.stderr, /found none/);
  for (const version of ['v22.22.0', 'v24.1.0', 'v30.0.0']) {
    const { status, stdout } = await start('right', version);
    assert.equal(status, 0);
    assert.match(stdout, /^ran --max-semi-space-size=1 .*limpet-edge\.mjs --config x\.yaml$/m);
  }
});
