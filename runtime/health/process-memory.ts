/** How much memory a process takes, as the kernel counts. Sampling reads one short file through an open descriptor. */
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { endianness } from 'node:os';

export interface Taken {
  /** Anonymous pages (RssAnon): what only this process has and only it can give back. */
  readonly private: number;
  readonly rss: number;
}

/** What the kernel says when asked at length: about 1 ms for a process of 50 MB, so only when somebody asks. */
export interface TakenInDetail extends Taken {
  /** Private pages plus this process's part of those it shares. */
  readonly pss: number;
}

/** Samples one process. The descriptor belongs to that process: one that gets its number later is never read. */
export class MemoryProbe {
  readonly #pid: number | 'self';
  readonly #buffer = Buffer.alloc(128);
  #fd: number | undefined;

  /** @throws the system's error when there is no such process, or no /proc */
  constructor(pid: number | 'self') {
    this.#pid = pid;
    this.#fd = openSync(`/proc/${pid}/statm`, 'r');
  }

  /** `undefined` once the process is gone. */
  look(): Taken | undefined {
    if (this.#fd === undefined) return undefined;
    try {
      const length = readSync(this.#fd, this.#buffer, 0, this.#buffer.length, 0);
      return takenOf(this.#buffer.toString('latin1', 0, length), PAGE_BYTES);
    } catch {
      return undefined; // ESRCH: it has ended
    }
  }

  /** `undefined` once the process is gone, or where its owner may not ask. */
  detail(): TakenInDetail | undefined {
    try {
      return detailOf(readFileSync(`/proc/${this.#pid}/smaps_rollup`, 'latin1'));
    } catch {
      return undefined; // ended, or a kernel without the file: PSS is then not told
    }
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}

/** proc_pid_statm(5): size, resident, shared (file and shmem), …, in pages. */
export function takenOf(statm: string, pageBytes: number): Taken | undefined {
  const [, resident, shared] = statm.split(' ', 3).map(Number);
  if (resident === undefined || shared === undefined || resident === 0) return undefined;
  return { private: (resident - shared) * pageBytes, rss: resident * pageBytes };
}

/** proc_pid_smaps_rollup(5). */
export function detailOf(rollup: string): TakenInDetail | undefined {
  const bytes = (name: string): number | undefined => {
    const match = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(rollup);
    return match?.[1] === undefined ? undefined : Number(match[1]) * 1024;
  };
  const [rss, pss, anonymous] = [bytes('Rss'), bytes('Pss'), bytes('Anonymous')];
  if (rss === undefined || pss === undefined || anonymous === undefined) return undefined;
  return { rss, pss, private: anonymous };
}

/** AT_PAGESZ of the auxiliary vector: some ARM kernels have pages of 16 KiB. */
function pageBytes(): number {
  const word = process.arch === 'arm' || process.arch === 'ia32' ? 4 : 8;
  try {
    return pageSizeIn(readFileSync('/proc/self/auxv'), word) ?? 4096;
  } catch {
    return 4096; // no /proc, and with it nothing to sample
  }
}

const AT_PAGESZ = 6;

/** getauxval(3): pairs of machine words, kind and value. */
export function pageSizeIn(auxv: Buffer, word: 4 | 8): number | undefined {
  const read = (at: number): number => {
    const low = endianness() === 'LE' ? at : at + word - 4;
    return endianness() === 'LE' ? auxv.readUInt32LE(low) : auxv.readUInt32BE(low);
  };
  for (let at = 0; at + 2 * word <= auxv.length; at += 2 * word) {
    if (read(at) === AT_PAGESZ) return read(at + word);
  }
  return undefined;
}

const PAGE_BYTES = pageBytes();
