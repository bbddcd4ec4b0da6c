/** A memory cgroup of the bench's own, below or beside the one it runs in: v1 or v2, whichever this machine counts memory in. */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
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
  readonly root: string;
  /** What /proc/self/cgroup says. */
  readonly own: string;
}

export class Cgroup {
  readonly version: 'v1' | 'v2';
  readonly folder: string;

  private constructor(version: 'v1' | 'v2', folder: string) {
    this.version = version;
    this.folder = folder;
  }

  /** @throws Impossible when no memory cgroup can be made or limited here. */
  static create(name: string, limitBytes?: number, place: CgroupPlace = machine()): Cgroup {
    const reasons: string[] = [];
    for (const { version, parent } of candidates(place)) {
      const folder = path.join(parent, `${name}-${process.pid}`);
      try {
        mkdirSync(folder);
        const cgroup = new Cgroup(version, folder);
        cgroup.#limit(limitBytes);
        return cgroup;
      } catch (error) {
        reasons.push(error instanceof Error ? error.message : String(error));
        if (existsSync(folder)) rmdirSync(folder);
      }
    }
    throw new Impossible(reasons.join('; ') || 'this kernel offers no memory cgroup');
  }

  /** The command that runs `command` inside: the shell joins first, so that every page is charged here. */
  enter(command: readonly string[]): readonly string[] {
    const join = 'echo $$ > "$0/cgroup.procs" && exec "$@"';
    return ['/bin/sh', '-c', join, this.folder, ...command];
  }

  read(): CgroupReading {
    return this.version === 'v1' ? this.#readV1() : this.#readV2();
  }

  /** Kernels whose v2 `memory.peak` cannot be written keep the peak since the group was made. */
  resetPeak(): void {
    if (this.version === 'v1') this.#write('memory.max_usage_in_bytes', '0');
  }

  /** Waits until the last process in it is gone, which takes the kernel a moment. */
  async remove(): Promise<void> {
    await until(() => {
      try {
        rmdirSync(this.folder);
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code !== 'ENOENT') return `${this.folder} cannot be removed (${code})`;
      }
      return undefined;
    });
  }

  #limit(bytes: number | undefined): void {
    const [limit, counter] =
      this.version === 'v1'
        ? ['memory.limit_in_bytes', 'memory.usage_in_bytes']
        : ['memory.max', 'memory.current'];
    if (!existsSync(path.join(this.folder, counter)))
      throw new Impossible(`${this.folder} does not count memory`);
    if (bytes === undefined) return;
    this.#write(limit, String(bytes));
    // No way out to swap, where there is any.
    const swap = this.version === 'v1' ? 'memory.memsw.limit_in_bytes' : 'memory.swap.max';
    if (existsSync(path.join(this.folder, swap)))
      this.#write(swap, this.version === 'v1' ? String(bytes) : '0');
  }

  #readV1(): CgroupReading {
    return {
      usage: Number(this.#text('memory.usage_in_bytes')),
      peak: Number(this.#text('memory.max_usage_in_bytes')),
      failures: Number(this.#text('memory.failcnt')),
      oomKills: count(this.#text('memory.oom_control'), 'oom_kill'),
    };
  }

  #readV2(): CgroupReading {
    const events = this.#text('memory.events');
    const usage = Number(this.#text('memory.current'));
    const peak = existsSync(path.join(this.folder, 'memory.peak'))
      ? Number(this.#text('memory.peak'))
      : usage;
    return { usage, peak, failures: count(events, 'max'), oomKills: count(events, 'oom_kill') };
  }

  #text(file: string): string {
    return readFileSync(path.join(this.folder, file), 'utf8');
  }

  #write(file: string, text: string): void {
    writeFileSync(path.join(this.folder, file), text);
  }
}

function machine(): CgroupPlace {
  return { root: '/sys/fs/cgroup', own: readFileSync('/proc/self/cgroup', 'utf8') };
}

interface Candidate {
  readonly version: 'v1' | 'v2';
  readonly parent: string;
}

/** v2 lets no group hold both processes and limited children, so beside our own is as good as below. */
function candidates({ root, own }: CgroupPlace): readonly Candidate[] {
  const v1 = /^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(.*)$/m.exec(own)?.[1];
  if (v1 !== undefined) return [{ version: 'v1', parent: path.join(root, 'memory', v1) }];
  const v2 = /^0::(.*)$/m.exec(own)?.[1];
  if (v2 === undefined) return [];
  const below = path.join(root, v2);
  const beside = path.dirname(below);
  return [below, ...(beside.startsWith(root) ? [beside] : [])].map((parent) => ({
    version: 'v2',
    parent,
  }));
}

function count(text: string, name: string): number {
  return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1] ?? 0);
}
