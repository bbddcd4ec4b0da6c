/** What an edge and the processes of its mappers took and counted in a stretch of time. */
import { execFileSync } from 'node:child_process';
import { request } from 'node:http';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import type { Device } from '@limpet/dmi/manifest';
import type { Rig } from '../../rig/rig.ts';
import { until } from '../../rig/until.ts';
import { cpuSeconds, type ProcessMemory, processMemory, processTree } from '../process-memory.ts';

/** What one process took. */
export interface Share {
  readonly what: 'core' | 'mapper';
  /** Of one core. */
  readonly cpu: number;
  readonly memory: ProcessMemory;
}

/** Counters of the edge's own metrics; 0 for one that it does not tell yet. */
type Metrics = (name: string) => number;

export interface Stretch {
  readonly seconds: number;
  readonly shares: readonly Share[];
  /** By how much a counter rose. */
  readonly rose: Metrics;
}

/** Runs `meanwhile`, and says what the edge did in that time. */
export async function watched(rig: Rig, meanwhile: () => Promise<void>): Promise<Stretch> {
  const [core = 0, ...mappers] = processTree(rig.edge?.pid ?? 0);
  const processes = [
    { what: 'core' as const, pid: core },
    ...mappers.map((pid) => ({ what: 'mapper' as const, pid })),
  ];
  const start = performance.now();
  const before = await metrics(rig);
  const cpu = processes.map(({ pid }) => cpuSeconds(pid));
  await meanwhile();
  const seconds = (performance.now() - start) / 1_000;
  const shares = processes.map(({ what, pid }, at) => ({
    what,
    cpu: (cpuSeconds(pid) - (cpu[at] ?? 0)) / seconds,
    memory: processMemory(pid),
  }));
  const after = await metrics(rig);
  return { seconds, shares, rose: (name) => after(name) - before(name) };
}

export async function allOnline(rig: Rig, wanted: number, timeoutMs = 60_000): Promise<void> {
  await until(
    async () => {
      const { items } = await rig.edgeApi.list('Device');
      const online = items.filter((item) => (item as Device).status?.state === 'online').length;
      return online === wanted ? undefined : `${online} of ${wanted} devices are online`;
    },
    timeoutMs,
    500,
  );
}

/** A process on one core, with all its threads and whatever it starts. */
export function pin(core: number, pid: number | undefined): void {
  execFileSync('taskset', ['-a', '-p', '-c', String(core), String(pid)], { stdio: 'ignore' });
}

async function metrics(rig: Rig): Promise<Metrics> {
  const told = await get(path.join(rig.edgeData, 'limpet.sock'), '/metrics');
  return (name) =>
    Number(new RegExp(`^limpet_${name}(?:\\{[^}]*\\})? (\\d+)`, 'm').exec(told)?.[1] ?? 0);
}

function get(socketPath: string, where: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const asked = request({ socketPath, path: where }, (answer) => {
    text(answer).then(resolve, reject);
  });
  asked.on('error', reject);
  asked.end();
  return promise;
}
