/** What Linux says of a process: memory in KiB, CPU time in seconds. */
import { readFileSync } from 'node:fs';

export interface ProcessMemory {
  /** RssAnon: what only this process holds and cannot be reclaimed without swap. */
  readonly private: number;
  readonly rss: number;
  /** The highest resident size since it started. */
  readonly peak: number;
}

export function processMemory(pid: number): ProcessMemory {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return {
    private: field(status, 'RssAnon'),
    rss: field(status, 'VmRSS'),
    peak: field(status, 'VmHWM'),
  };
}

/**
 * Resident pages, each shared one divided by those who share it. Linux counts all pages one by one: 25 ms for 1 GB, in
 * which who asks does nothing else, and the process that is asked about gets no memory.
 */
export function proportionalMemory(pid: number): number {
  return field(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'), 'Pss');
}

/** User and system time since the process started. */
export function cpuSeconds(pid: number): number {
  const [user = 0, system = 0] = statFields(pid).slice(11, 13);
  return (user + system) / 100; // a tick is 10 ms on every Linux that Node runs on
}

/** Pages that had to be read from the disk since the process started. */
export function majorFaults(pid: number): number {
  return statFields(pid)[9] ?? 0;
}

/** The process, and those it started that still run, itself first. */
export function processTree(pid: number): readonly number[] {
  const found = [pid];
  for (const parent of found) {
    const children = readFileSync(`/proc/${parent}/task/${parent}/children`, 'utf8');
    found.push(...children.split(' ').filter(Boolean).map(Number));
  }
  return found;
}

/** From `state` on; the name before it, in parentheses, may hold anything. */
function statFields(pid: number): readonly number[] {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
}

function field(text: string, name: string): number {
  const found = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1];
  if (found === undefined) throw new Error(`${name} is not told by this kernel`);
  return Number(found);
}
