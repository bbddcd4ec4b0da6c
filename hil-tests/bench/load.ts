/** How many properties one edge polls at 1 Hz on one core without falling behind, and what it costs in memory and CPU. */
import { execFileSync } from 'node:child_process';
import type { Device } from '@limpet/dmi/manifest';
import { Rig } from '../rig/rig.ts';
import { pause, until } from '../rig/until.ts';
import { changeAll } from './change-all.ts';
import type { Figure } from './figure.ts';
import { sensors } from './models.ts';
import { cpuSeconds, processMemory, proportionalMemory } from './process-memory.ts';

const PER_DEVICE = 100;
const WARM_UP_S = 5;
const SAMPLE_S = 15;
/** Up to what a node takes with the memory that it derives here: NODE_FULL at 20,000. */
const STEPS = [2_000, 4_000, 8_000, 12_000, 16_000];
/** A poll rate below this counts as falling behind. */
const KEEPS_UP = 0.98;

interface Run {
  readonly properties: number;
  /** Reads that happened, of those that were due. */
  readonly rate: number;
  readonly cpu: number;
  readonly private: number;
  readonly rss: number;
  readonly pss: number;
}

export async function load(quick: boolean): Promise<readonly Figure[]> {
  const runs: Run[] = [];
  for (const properties of quick ? STEPS.slice(0, 1) : STEPS) {
    const run = await runWith(properties);
    runs.push(run);
    if (run.rate < KEEPS_UP) break;
  }
  const idle = await runWith(0);
  const [first] = runs;
  if (first === undefined) throw new Error('nothing was run');
  const most = runs.findLast(({ rate }) => rate >= KEEPS_UP)?.properties ?? 0;
  return [
    {
      what: `${first.properties} properties at 1 Hz on one core: polls done of those due`,
      value: percent(first.rate),
      unit: '%',
      goal: '100 %',
    },
    {
      what: `${first.properties} properties at 1 Hz: CPU of that core`,
      value: percent(first.cpu),
      unit: '%',
    },
    {
      what: `most properties at 1 Hz that kept up (of ${runs.map(({ properties }) => properties).join(', ')} tried)`,
      value: most,
      unit: 'properties',
    },
    ...memory('idle, cloud link up, no device', idle),
    ...memory(`${first.properties} properties at 1 Hz, all changing, cloud link up`, first),
  ];
}

function memory(when: string, run: Run): readonly Figure[] {
  return [
    { what: `edge memory, ${when}: private (RssAnon)`, value: mib(run.private), unit: 'MiB' },
    { what: `edge memory, ${when}: PSS`, value: mib(run.pss), unit: 'MiB' },
    { what: `edge memory, ${when}: RSS`, value: mib(run.rss), unit: 'MiB' },
  ];
}

async function runWith(properties: number): Promise<Run> {
  const rig = await Rig.create();
  try {
    await rig.startCloud();
    await rig.startEdge();
    const pid = rig.edge?.pid ?? 0;
    // The edge has one core to itself; this process, with the devices, and the cloud have the other.
    execFileSync('taskset', ['-a', '-p', '-c', '1', String(pid)]);
    execFileSync('taskset', ['-a', '-p', '-c', '0', String(rig.cloud?.pid)]);
    const devices = properties / PER_DEVICE;
    if (devices > 0) await declare(rig, devices);
    const stop = changeAll(rig.registers, devices, PER_DEVICE);
    await pause(WARM_UP_S * 1000);
    let polls = 0;
    rig.registers.onRead = (_unit, _address, count) => (polls += count);
    const cpuBefore = cpuSeconds(pid);
    const start = performance.now();
    await pause(SAMPLE_S * 1000);
    const seconds = (performance.now() - start) / 1000;
    const cpu = (cpuSeconds(pid) - cpuBefore) / seconds;
    const rate = properties === 0 ? 1 : polls / (properties * seconds);
    stop();
    return { properties, rate, cpu, ...processMemory(pid), pss: proportionalMemory(pid) };
  } finally {
    await rig.close();
  }
}

async function declare(rig: Rig, devices: number): Promise<void> {
  await rig.declare(sensors('load', PER_DEVICE, '1s'), devices);
  const last = { kind: 'Device', namespace: 'default', name: `device-${devices}` } as const;
  await until(async () => {
    const { status } = (await rig.api.get(last)) as Device;
    return status?.state === 'online' ? undefined : `device-${devices} is ${status?.state}`;
  }, 60_000);
}

function percent(share: number): number {
  return Math.round(share * 1000) / 10;
}

function mib(kib: number): number {
  return Math.round((kib / 1024) * 10) / 10;
}
