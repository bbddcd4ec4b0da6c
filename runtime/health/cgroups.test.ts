import { silentLog } from '@limpet/dmi/testing';
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { hardLimit, kernelFiles, standing } from './cgroup-files.ts';
import { type Cgroups, openCgroups } from './cgroups.ts';
import { fakeCgroupfs, type FakeCgroupfs } from './fake-cgroupfs.fixture.ts';

const MI = 2 ** 20;

function open(fake: FakeCgroupfs, folder = fake.root) {
  const ended: number[] = [];
  const opened = openCgroups({
    at: { version: 2, folder },
    files: fake.files,
    self: { pid: 100, mark: '100-1' },
    alive: () => false,
    end: (pid) => ended.push(pid),
    log: silentLog(),
  });
  return { opened, ended };
}

function fake(t: TestContext): FakeCgroupfs {
  const made = fakeCgroupfs();
  t.after(() => made.remove());
  writeFileSync(path.join(made.root, 'cgroup.procs'), '100\n');
  return made;
}

test('v2: the core moves into a leaf, and each mapper gets a cgroup with a hard limit and no swap', (t) => {
  const { root, files } = fake(t);
  const { opened } = open({ root, files, remove: () => undefined });
  const cgroups = opened as Cgroups;
  assert.equal(cgroups.by, 'cgroup-v2');
  const read = (file: string) => readFileSync(path.join(root, file), 'utf8').trim();
  assert.equal(read('core/cgroup.procs'), '100');
  assert.equal(read('cgroup.subtree_control'), '+memory');
  const cage = cgroups.cage('modbus-1', 22 * MI);
  cage.enter(101);
  assert.equal(read('mappers/modbus-1/memory.max'), String(22 * MI));
  assert.equal(read('mappers/modbus-1/memory.swap.max'), '0');
  assert.equal(read('mappers/modbus-1/memory.oom.group'), '1');
  assert.equal(read('mappers/modbus-1/cgroup.procs'), '101');
  writeFileSync(path.join(root, 'mappers/modbus-1/memory.current'), '1234\n');
  assert.equal(cage.charged(), 1234);
  assert.equal(cage.kills(), 0);
  writeFileSync(
    path.join(root, 'mappers/modbus-1/memory.events'),
    'oom 1\noom_kill 2\noom_group_kill 1\n',
  );
  assert.equal(cage.kills(), 2);
  assert.equal(cage.remove(), false, 'its process has not ended');
  writeFileSync(path.join(root, 'mappers/modbus-1/cgroup.procs'), '');
  assert.equal(cage.remove(), true);
  cgroups.close();
  assert.equal(existsSync(path.join(root, 'mappers')), false);
});

test('v2: what a killed core left is swept at start, its processes ended', (t) => {
  const first = fake(t);
  const cage = (open(first).opened as Cgroups).cage('acme-1', MI);
  cage.enter(77);
  // The core was killed and a new one stands in the leaf, as systemd's DelegateSubgroup= puts it.
  const { opened, ended } = open(first, path.join(first.root, 'core'));
  assert.deepEqual(ended, [77]);
  assert.equal((opened as Cgroups).by, 'cgroup-v2');
});

test('v2: a cgroup that others live in, or without the controller, is left alone with a reason', (t) => {
  const shared = fake(t);
  writeFileSync(path.join(shared.root, 'cgroup.procs'), '1\n100\n');
  assert.match(
    open(shared).opened as string,
    /not this process's alone \(1 others\).*Delegate=yes/,
  );
  const bare = fake(t);
  writeFileSync(path.join(bare.root, 'cgroup.controllers'), 'cpu pids\n');
  assert.match(open(bare).opened as string, /no memory controller.*cgroup_enable=memory/);
  const gone = fake(t);
  assert.match(
    open(gone, path.join(gone.root, 'nowhere')).opened as string,
    /ENOENT.*Delegate=yes/,
  );
});

test('where this process stands is read as the kernel writes it', () => {
  const v1 =
    '32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n';
  const v2 = '24 23 0:21 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n';
  const hybrid = `${v1}41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n`;
  const cases = [
    ['4:memory:/a/b\n0::/\n', hybrid, { version: 1, folder: '/sys/fs/cgroup/memory/a/b' }],
    [
      '0::/system.slice/limpet.service\n',
      v2,
      { version: 2, folder: '/sys/fs/cgroup/system.slice/limpet.service' },
    ],
    // A container sees its own part at the mount's root.
    [
      '4:memory:/docker/abc\n',
      v1.replace('0:32 / ', '0:32 /docker/abc '),
      { version: 1, folder: '/sys/fs/cgroup/memory' },
    ],
    ['0::/\n', v2, { version: 2, folder: '/sys/fs/cgroup' }],
    ['2:cpu:/\n', 'no mounts at all\n', undefined],
  ] as const;
  for (const [cgroup, mounts, expected] of cases) {
    assert.deepEqual(standing(cgroup, mounts), expected, cgroup);
  }
});

test('the lowest hard limit around this process counts', (t) => {
  const { root } = fake(t);
  const { files } = { files: kernelFiles };
  const folder = path.join(root, 'core');
  assert.equal(hardLimit({ version: 2, folder: root }, files), undefined, 'max is none');
  writeFileSync(path.join(root, 'memory.max'), '30000000\n');
  assert.equal(hardLimit({ version: 2, folder }, files), 30_000_000);
});
