/**
 * A memory cgroup per mapper, where this process may make them. v1: beside each other below the cgroup it is in. v2:
 * where that cgroup is delegated to it alone (systemd's `Delegate=yes`), it moves itself into a leaf `core/`, because a
 * cgroup with children may hold no process, and mappers get `mappers/NAME`.
 */
import path from 'node:path';
import type { Log } from '@limpet/dmi';
import { type CgroupFiles, figure, processesIn, type Standing } from './cgroup-files.ts';

/** One mapper's cgroup. */
export interface Cage {
  /** Moves a process into it. @throws the system's error */
  enter(pid: number): void;
  /** What the kernel charges it with, in bytes, pages of files included. */
  charged(): number;
  /** Processes that the kernel has ended in it for want of memory. */
  kills(): number;
  /** Removes it; `false` while a process in it has not quite ended. */
  remove(): boolean;
}

export interface Cgroups {
  readonly by: 'cgroup-v1' | 'cgroup-v2';
  /** @throws the system's error */
  cage(name: string, limitBytes: number): Cage;
  /** After the last cage is gone. */
  close(): void;
}

export interface CgroupsOptions {
  readonly at: Standing;
  readonly files: CgroupFiles;
  /** This process, as `PID-STARTTIME`: no other has or had this name. */
  readonly self: { readonly pid: number; readonly mark: string };
  /** Whether the process of such a mark still runs. */
  readonly alive: (mark: string) => boolean;
  /** Ends a process that a killed core left behind. */
  readonly end: (pid: number) => void;
  readonly log: Log;
}

/** Cgroups, or why there can be none, as a sentence. */
export function openCgroups(options: CgroupsOptions): Cgroups | string {
  try {
    return options.at.version === 1 ? openV1(options) : openV2(options);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    return `the memory cgroup ${options.at.folder} cannot be used (${code}); with systemd set Delegate=yes`;
  }
}

const OWN = 'limpet-';

function openV1(options: CgroupsOptions): Cgroups {
  const { at, files, self } = options;
  for (const name of files.folders(at.folder)) {
    const mark = name.startsWith(OWN) ? name.slice(OWN.length) : undefined;
    if (mark !== undefined && /^\d+-\d+$/.test(mark) && !options.alive(mark)) {
      sweep(path.join(at.folder, name), options);
    }
  }
  const folder = path.join(at.folder, `${OWN}${self.mark}`);
  files.makeFolder(folder);
  // Of children too; what the root says counts where it says so already, and writing is then refused.
  attempt(() => files.write(path.join(folder, 'memory.use_hierarchy'), '1'));
  return {
    by: 'cgroup-v1',
    cage: (name, limit) => {
      const own = path.join(folder, name);
      files.makeFolder(own);
      files.write(path.join(own, 'memory.limit_in_bytes'), String(limit));
      // Absent without swap accounting; a node has no swap as a rule.
      attempt(() => files.write(path.join(own, 'memory.memsw.limit_in_bytes'), String(limit)));
      attempt(() => files.write(path.join(own, 'memory.swappiness'), '0'));
      return cageAt(own, files, { usage: 'memory.usage_in_bytes', kills: 'memory.oom_control' });
    },
    close: () => void attempt(() => files.removeFolder(folder)),
  };
}

function openV2(options: CgroupsOptions): Cgroups | string {
  const { at, files, self } = options;
  // systemd's DelegateSubgroup=, or an earlier run in this place, may have put it in the leaf already.
  const inLeaf = path.basename(at.folder) === 'core';
  const root = inLeaf ? path.dirname(at.folder) : at.folder;
  const controllers = files.read(path.join(root, 'cgroup.controllers')).trim().split(/\s+/);
  if (!controllers.includes('memory')) {
    return `the cgroup ${root} has no memory controller: with systemd set Delegate=yes and MemoryAccounting=yes; on a Raspberry Pi add cgroup_enable=memory to the kernel command line`;
  }
  const others = processesIn(files, root).filter((pid) => pid !== self.pid);
  if (others.length > 0) {
    return `the cgroup ${root} is not this process's alone (${others.length} others): run it as a service with Delegate=yes`;
  }
  const mappers = path.join(root, 'mappers');
  if (files.folders(root).includes('mappers')) sweep(mappers, options);
  if (!inLeaf) {
    files.makeFolder(path.join(root, 'core'));
    files.write(path.join(root, 'core', 'cgroup.procs'), String(self.pid));
  }
  files.write(path.join(root, 'cgroup.subtree_control'), '+memory');
  files.makeFolder(mappers);
  files.write(path.join(mappers, 'cgroup.subtree_control'), '+memory');
  return {
    by: 'cgroup-v2',
    cage: (name, limit) => {
      const own = path.join(mappers, name);
      files.makeFolder(own);
      files.write(path.join(own, 'memory.max'), String(limit));
      attempt(() => files.write(path.join(own, 'memory.swap.max'), '0'));
      files.write(path.join(own, 'memory.oom.group'), '1');
      return cageAt(own, files, { usage: 'memory.current', kills: 'memory.events' });
    },
    close: () => void attempt(() => files.removeFolder(mappers)),
  };
}

function cageAt(
  folder: string,
  files: CgroupFiles,
  names: { readonly usage: string; readonly kills: string },
): Cage {
  return {
    enter: (pid) => files.write(path.join(folder, 'cgroup.procs'), String(pid)),
    charged: () => Number(files.read(path.join(folder, names.usage))),
    kills: () => figure(files.read(path.join(folder, names.kills)), 'oom_kill'),
    remove: () => attempt(() => files.removeFolder(folder)),
  };
}

/** What a killed core left: its mappers would fight the new ones for their devices. */
function sweep(folder: string, by: Pick<CgroupsOptions, 'files' | 'end' | 'log'>): void {
  const { files, end, log } = by;
  for (const name of files.folders(folder)) sweep(path.join(folder, name), by);
  const left = processesIn(files, folder);
  for (const pid of left) end(pid);
  const removed = attempt(() => files.removeFolder(folder));
  log.info('cgroup of an earlier run swept', { folder, ended: left.length, removed });
}

/** Whether `task` went through; what the kernel refuses here is not needed or tried again. */
function attempt(task: () => void): boolean {
  try {
    task();
    return true;
  } catch {
    return false;
  }
}
