/** A folder that behaves like the kernel's cgroup v2 files, as far as budgets use them. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type CgroupFiles, kernelFiles } from './cgroup-files.ts';

const FILES = {
  'cgroup.controllers': 'cpu memory pids',
  'cgroup.procs': '',
  'cgroup.subtree_control': '',
  'memory.max': 'max',
  'memory.current': '0',
  'memory.swap.max': 'max',
  'memory.oom.group': '0',
  'memory.events': 'low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\n',
};

export interface FakeCgroupfs {
  readonly root: string;
  readonly files: CgroupFiles;
  remove(): void;
}

export function fakeCgroupfs(): FakeCgroupfs {
  const root = mkdtempSync(path.join(tmpdir(), 'limpet-cgroup-'));
  const populate = (folder: string): void => {
    mkdirSync(folder, { recursive: true });
    for (const [name, text] of Object.entries(FILES)) writeFileSync(path.join(folder, name), text);
  };
  populate(root);
  const procs = (folder: string) => readFileSync(path.join(folder, 'cgroup.procs'), 'utf8').trim();
  const files: CgroupFiles = {
    ...kernelFiles,
    makeFolder: (folder) => {
      if (!readdirSync(path.dirname(folder)).includes(path.basename(folder))) populate(folder);
    },
    removeFolder: (folder) => {
      if (procs(folder) !== '' || kernelFiles.folders(folder).length > 0) throw fault('EBUSY');
      rmSync(folder, { recursive: true });
    },
    write: (file, text) => {
      const [folder, name] = [path.dirname(file), path.basename(file)];
      if (!(name in FILES)) throw fault('EACCES');
      if (name === 'cgroup.subtree_control' && procs(folder) !== '') throw fault('EBUSY');
      if (name === 'cgroup.procs') return move(root, text, file);
      writeFileSync(file, text);
    },
  };
  return { root, files, remove: () => rmSync(root, { recursive: true, force: true }) };
}

/** A process is in one cgroup only. */
function move(root: string, pid: string, to: string): void {
  for (const name of readdirSync(root, { recursive: true, encoding: 'utf8' })) {
    if (path.basename(name) !== 'cgroup.procs') continue;
    const file = path.join(root, name);
    const left = readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line !== '' && line !== pid);
    writeFileSync(file, left.map((line) => `${line}\n`).join(''));
  }
  writeFileSync(to, `${readFileSync(to, 'utf8')}${pid}\n`);
}

function fault(code: string): Error {
  return Object.assign(new Error(code), { code });
}
