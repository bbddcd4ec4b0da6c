/** The kernel's cgroup files, as far as budgets need them; and where this process stands among them. */
import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** What is done to cgroup files. Tests bring a folder that behaves like a kernel's. */
export interface CgroupFiles {
  read(file: string): string;
  write(file: string, text: string): void;
  makeFolder(folder: string): void;
  /** Only of an empty cgroup; throws EBUSY otherwise. */
  removeFolder(folder: string): void;
  folders(folder: string): string[];
}

export const kernelFiles: CgroupFiles = {
  read: (file) => readFileSync(file, 'utf8'),
  write: (file, text) => writeFileSync(file, text),
  makeFolder: (folder) => mkdirSync(folder, { recursive: true }),
  removeFolder: (folder) => rmdirSync(folder),
  folders: (folder) =>
    readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name),
};

export interface Standing {
  readonly version: 1 | 2;
  /** The folder of the memory cgroup that this process is in. */
  readonly folder: string;
}

/**
 * From /proc/self/cgroup and /proc/self/mountinfo, cgroups(7): the memory controller of v1 where one is mounted, else
 * v2; `undefined` where neither can be seen.
 */
export function standing(cgroup: string, mountinfo: string): Standing | undefined {
  const lines = cgroup.trim().split('\n');
  const v1 = lines.map(ofV1).find((found) => found !== undefined);
  const mounts = mountinfo.trim().split('\n').map(mountOf);
  const mountV1 = mounts.find(({ type, options }) => type === 'cgroup' && options.has('memory'));
  if (v1 !== undefined && mountV1 !== undefined) {
    return { version: 1, folder: folderOf(v1, mountV1) };
  }
  const v2 = lines.find((line) => line.startsWith('0::'))?.slice(3);
  const mountV2 = mounts.find(({ type }) => type === 'cgroup2');
  if (v2 === undefined || mountV2 === undefined) return undefined;
  return { version: 2, folder: folderOf(v2, mountV2) };
}

/** `4:memory:/path` */
function ofV1(line: string): string | undefined {
  const [, controllers = '', ...rest] = line.split(':');
  return controllers.split(',').includes('memory') ? rest.join(':') : undefined;
}

interface Mount {
  readonly root: string;
  readonly point: string;
  readonly type: string;
  readonly options: ReadonlySet<string>;
}

/** proc_pid_mountinfo(5): `36 35 98:0 /root /point options - type source super-options`. */
function mountOf(line: string): Mount {
  const [before = '', after = ''] = line.split(' - ');
  const [, , , root = '/', point = '/'] = before.split(' ');
  const [type = '', , options = ''] = after.split(' ');
  return { root, point, type, options: new Set(options.split(',')) };
}

/** In a container the mount shows only a part of the hierarchy, which then begins at its root. */
function folderOf(cgroup: string, { root, point }: Mount): string {
  const below =
    cgroup === root || cgroup.startsWith(`${root}/`) ? cgroup.slice(root.length) : cgroup;
  return path.join(point, below);
}

/** The lowest hard limit that this cgroup or one around it has, in bytes; `undefined`: none. */
export function hardLimit({ version, folder }: Standing, files: CgroupFiles): number | undefined {
  const name = version === 1 ? 'memory.limit_in_bytes' : 'memory.max';
  let lowest: number | undefined;
  for (let at = folder; at !== path.dirname(at); at = path.dirname(at)) {
    const bytes = limitIn(files, path.join(at, name));
    if (bytes !== undefined && bytes < (lowest ?? Number.MAX_SAFE_INTEGER)) lowest = bytes;
  }
  return lowest;
}

function limitIn(files: CgroupFiles, file: string): number | undefined {
  try {
    const bytes = Number(files.read(file));
    return Number.isSafeInteger(bytes) && bytes > 0 ? bytes : undefined; // `max`, or v1's 2^63
  } catch {
    return undefined; // above the hierarchy, or not ours to read
  }
}

/** Process numbers in a cgroup. */
export function processesIn(files: CgroupFiles, folder: string): number[] {
  return files
    .read(path.join(folder, 'cgroup.procs'))
    .split('\n')
    .filter((line) => line !== '')
    .map(Number);
}

/** A figure of a file like memory.events: lines of `name number`. */
export function figure(lines: string, name: string): number {
  const match = new RegExp(`^${name} (\\d+)$`, 'm').exec(lines);
  return Number(match?.[1] ?? 0);
}
