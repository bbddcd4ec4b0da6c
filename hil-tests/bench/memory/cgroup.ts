/** A memory cgroup of the bench's own, below or beside the one it runs in: v1 or v2, whichever this machine counts memory in. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import {
  type CgroupFiles,
  figure,
  kernelFiles,
  type Standing,
  standing,
} from '#runtime/health/cgroup-files.ts';
import { until } from '../../rig/until.ts';
import { Impossible } from './subject.ts';

/** Bytes and counts since the group was made, or since `resetPeak`. */
export interface CgroupReading {
  /** Everything charged: private memory, file pages, kernel memory. */
  readonly usage: number;
  readonly peak: number;
  /** How often the limit was reached, so that pages had to be reclaimed first. */
  readonly failures: number;
  readonly oomKills: number;
}

/** Where the kernel shows its cgroups; tests bring a folder of their own. */
export interface CgroupPlace {
  readonly stands: Standing | undefined;
  readonly files: CgroupFiles;
}

const PAGE = 4096;

export class Cgroup {
  readonly version: 1 | 2;
  readonly folder: string;
  readonly #files: CgroupFiles;

  private constructor(stands: Standing, files: CgroupFiles) {
    this.version = stands.version;
    this.folder = stands.folder;
    this.#files = files;
  }

  /** @throws Impossible when no memory cgroup can be made or limited here. */
  static create(name: string, limitBytes?: number, place: CgroupPlace = machine()): Cgroup {
    const { stands, files } = place;
    const reasons: string[] = [];
    for (const parent of parents(stands)) {
      const folder = path.join(parent.folder, `${name}-${process.pid}`);
      try {
        files.makeFolder(folder);
        const cgroup = new Cgroup({ version: parent.version, folder }, files);
        cgroup.#limit(limitBytes);
        return cgroup;
      } catch (error) {
        reasons.push(error instanceof Error ? error.message : String(error));
        if (existsSync(folder)) files.removeFolder(folder);
      }
    }
    const why = reasons.join('; ') || 'this kernel shows no memory cgroup';
    throw new Impossible(`no memory cgroup can be had here: ${why}`);
  }

  /** The command that runs `command` inside: the shell joins first, so that every page is charged here. */
  enter(command: readonly string[]): readonly string[] {
    const join = 'echo $$ > "$0/cgroup.procs" && exec "$@"';
    return ['/bin/sh', '-c', join, this.folder, ...command];
  }

  read(): CgroupReading {
    return this.version === 1 ? this.#readV1() : this.#readV2();
  }

  /** Kernels whose v2 `memory.peak` is missing or cannot be written keep what they have. */
  resetPeak(): void {
    if (this.version === 1) this.#write('memory.max_usage_in_bytes', '0');
  }

  /** With the groups that were made in it. Waits until the last process in them is gone. */
  async remove(): Promise<void> {
    await until(() => {
      try {
        this.#removeAll(this.folder);
      } catch (error) {
        return `${this.folder} cannot be removed (${(error as NodeJS.ErrnoException).code})`;
      }
      return undefined;
    });
  }

  #removeAll(folder: string): void {
    if (!existsSync(folder)) return;
    for (const name of this.#files.folders(folder)) this.#removeAll(path.join(folder, name));
    this.#files.removeFolder(folder);
  }

  #limit(bytes: number | undefined): void {
    const [limit, counter, swap] =
      this.version === 1
        ? ['memory.limit_in_bytes', 'memory.usage_in_bytes', 'memory.memsw.limit_in_bytes']
        : ['memory.max', 'memory.current', 'memory.swap.max'];
    if (!this.#has(counter)) throw new Impossible(`${this.folder} does not count memory`);
    if (bytes === undefined) return;
    this.#write(limit, String(bytes));
    // No way out to swap, where there is any. v1 limits memory and swap together, and counts only how often it was memory's
    // limit that was reached: so that one is the lower, by a page.
    if (this.#has(swap)) this.#write(swap, this.version === 1 ? String(bytes + PAGE) : '0');
  }

  #readV1(): CgroupReading {
    return {
      usage: Number(this.#text('memory.usage_in_bytes')),
      peak: Number(this.#text('memory.max_usage_in_bytes')),
      failures: Number(this.#text('memory.failcnt')),
      oomKills: figure(this.#text('memory.oom_control'), 'oom_kill'),
    };
  }

  #readV2(): CgroupReading {
    const events = this.#text('memory.events');
    const usage = Number(this.#text('memory.current'));
    return {
      usage,
      peak: this.#has('memory.peak') ? Number(this.#text('memory.peak')) : usage,
      failures: figure(events, 'max'),
      oomKills: figure(events, 'oom_kill'),
    };
  }

  #has(file: string): boolean {
    return existsSync(path.join(this.folder, file));
  }

  #text(file: string): string {
    return this.#files.read(path.join(this.folder, file));
  }

  #write(file: string, text: string): void {
    this.#files.write(path.join(this.folder, file), text);
  }
}

function machine(): CgroupPlace {
  const [own, mounts] = ['/proc/self/cgroup', '/proc/self/mountinfo'].map((file) =>
    readFileSync(file, 'utf8'),
  );
  return { stands: standing(own ?? '', mounts ?? ''), files: kernelFiles };
}

/** v2 lets no group hold both processes and limited children, so beside our own is as good as below. */
function parents(stands: Standing | undefined): readonly Standing[] {
  if (stands === undefined) return [];
  if (stands.version === 1) return [stands];
  return [stands, { version: 2, folder: path.dirname(stands.folder) }];
}
