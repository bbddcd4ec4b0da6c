/** What Linux says of a process: memory in KiB, CPU time in seconds. */
import { readFileSync } from 'node:fs';

export interface ProcessMemory {
  /** RssAnon: what only this process holds and cannot be reclaimed without swap. */
  readonly private: number;
  /** Resident pages, each shared one divided by those who share it. */
  readonly pss: number;
  readonly rss: number;
}

export function processMemory(pid: number): ProcessMemory {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  return {
    private: field(status, 'RssAnon'),
    rss: field(status, 'VmRSS'),
    pss: field(rollup, 'Pss'),
  };
}

/** User and system time since the process started. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // Fields 14 and 15, counted after the name in parentheses; a tick is 10 ms on every Linux that Node runs on.
  const [user = '0', system = '0'] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13);
  return (Number(user) + Number(system)) / 100;
}

function field(text: string, name: string): number {
  const found = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1];
  if (found === undefined) throw new Error(`${name} is not told by this kernel`);
  return Number(found);
}
