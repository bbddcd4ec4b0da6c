import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { test } from 'node:test';
import { fakeCgroupfs } from '#runtime/health/fake-cgroupfs.fixture.ts';
import { Cgroup } from './cgroup.ts';
import { Impossible } from './subject.ts';

test('what takes more than its limit is killed, counted, and leaves no group behind', async (t) => {
  const cgroup = own();
  if (cgroup === undefined) return t.skip('no memory cgroup can be made on this machine');
  const greedy = 'const all = []; for (;;) all.push(Buffer.alloc(1024 * 1024, 1));';
  const [file = '', ...args] = cgroup.enter([process.execPath, '-e', greedy]);
  const { signal } = spawnSync(file, args);
  const { oomKills, peak, failures } = cgroup.read();
  mkdirSync(path.join(cgroup.folder, 'of-its-own'));
  await cgroup.remove();
  assert.equal(signal, 'SIGKILL');
  assert.ok(oomKills >= 1);
  assert.ok(failures >= 1);
  assert.ok(peak > 20e6 && peak <= 40e6, `peak ${peak}`);
  assert.equal(existsSync(cgroup.folder), false);
});

test('v2: limited without swap, and read from its events', async () => {
  const fake = fakeCgroupfs();
  try {
    const stands = { version: 2, folder: fake.root } as const;
    const cgroup = Cgroup.create('bench', 30_000_000, { stands, files: fake.files });
    const file = (name: string) => path.join(cgroup.folder, name);
    assert.equal(fake.files.read(file('memory.max')), '30000000');
    assert.equal(fake.files.read(file('memory.swap.max')), '0');
    writeFileSync(file('memory.current'), '12345\n');
    writeFileSync(file('memory.peak'), '23456\n');
    writeFileSync(file('memory.events'), 'low 0\nhigh 0\nmax 7\noom 2\noom_kill 1\n');
    const read = { usage: 12345, peak: 23456, failures: 7, oomKills: 1 };
    assert.deepEqual(cgroup.read(), read);
    await cgroup.remove();
    assert.equal(existsSync(cgroup.folder), false);
  } finally {
    fake.remove();
  }
});

test('a machine without a memory cgroup says so', () => {
  const fake = fakeCgroupfs();
  const place = { stands: undefined, files: fake.files };
  assert.throws(() => Cgroup.create('bench', 1, place), Impossible);
  fake.remove();
});

function own(): Cgroup | undefined {
  try {
    return Cgroup.create('limpet-bench-test', 40_000_000);
  } catch (error) {
    if (error instanceof Impossible) return undefined;
    throw error;
  }
}
