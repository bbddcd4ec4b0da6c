/** What this machine has of memory, and the cgroups it lets this process make. */
import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import process from 'node:process';
import v8 from 'node:v8';
import type { Log } from '@limpet/dmi';
import { hardLimit, kernelFiles, type Standing, standing } from './cgroup-files.ts';
import { type Cgroups, openCgroups } from './cgroups.ts';
import type { Machine } from './share.ts';

/** Total memory, the lowest hard limit above this process, and where V8's heap ends. */
export function thisMachine(): Machine {
  const at = here();
  const { heap_size_limit: heap } = v8.getHeapStatistics();
  return { total: totalmem(), limit: at && hardLimit(at, kernelFiles), heap };
}

/** Cgroups for mappers, or why there are none. */
export function theseCgroups(log: Log): Cgroups | string {
  const at = here();
  if (at === undefined) return 'this system shows no memory cgroup';
  const start = startOf(process.pid);
  return openCgroups({
    at,
    files: kernelFiles,
    self: { pid: process.pid, mark: `${process.pid}-${start}` },
    alive: (mark) => {
      const [pid, started] = mark.split('-', 2);
      return startOf(Number(pid)) === started;
    },
    end: (pid) => {
      try {
        process.kill(pid, 'SIGKILL');
      } catch (error) {
        log.debug('mapper of an earlier run had ended', { pid, error });
      }
    },
    log,
  });
}

function here(): Standing | undefined {
  const [cgroup, mountinfo] = [text('/proc/self/cgroup'), text('/proc/self/mountinfo')];
  return cgroup === '' ? undefined : standing(cgroup, mountinfo);
}

/** proc_pid_stat(5), field 22: ticks since boot at which it started; '' when there is no such process. */
function startOf(pid: number): string {
  // The name in brackets may hold anything: count from behind it.
  const fields = text(`/proc/${pid}/stat`).split(') ').at(-1)?.split(' ');
  return fields?.[19] ?? '';
}

function text(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return ''; // not this kind of system, or no such process
  }
}
