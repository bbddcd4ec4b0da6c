/** W for hours: how private memory moves, inline and with the mapper in its own process, side by side. */
import { changeAll } from '../change-all.ts';
import type { Column } from './bench.ts';
import { Clients } from './clients.ts';
import type { Soaked } from './plot.ts';
import { DEVICES, PER_DEVICE, type Subject } from './subject.ts';
import { trend } from './trend.ts';
import { watchPrivate } from './watch.ts';

export interface SoakOptions {
  readonly hours: number;
  readonly columns: readonly Column[];
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

/** Short soaks are sampled often enough to be judged, long ones seldom enough to be kept. */
const SAMPLES = { most: 5000, shortestS: 2 };

/** A configuration that cannot run, or ends, is told and left out. */
export async function soak(options: SoakOptions): Promise<readonly Soaked[]> {
  const [listeners, pairs] = [await Clients.start(), await Clients.start()];
  try {
    const all = await Promise.allSettled(
      options.columns.map((column) => soakOne(column, { listeners, pairs }, options)),
    );
    options.signal.throwIfAborted();
    return all.flatMap((one, i) => {
      if (one.status === 'fulfilled') return one.value;
      options.say(`${options.columns[i]?.key} is left out: ${String(one.reason)}`);
      return [];
    });
  } finally {
    await Promise.all([listeners.close(), pairs.close()]);
  }
}

interface BusClients {
  readonly listeners: Clients;
  readonly pairs: Clients;
}

async function soakOne(
  column: Column,
  clients: BusClients,
  { hours, signal }: SoakOptions,
): Promise<readonly Soaked[]> {
  const subject = await column.make();
  const stop = changeAll(subject.registers, DEVICES, PER_DEVICE);
  try {
    await subject.start();
    await subject.declare();
    await clients.listeners.listen(column.key, subject.busPort, subject.filter);
    await clients.pairs.pair(column.key, subject.busPort);
    const seconds = hours * 3600;
    const everyS = Math.max(SAMPLES.shortestS, seconds / SAMPLES.most);
    const names =
      column.key === 'process'
        ? (['core', 'Modbus mapper'] as const)
        : (['core with Modbus mapper', 'its other processes'] as const);
    const series = await watchPrivate(() => running(subject), names, { seconds, everyS, signal });
    return series.map((one) => ({ ...one, trend: trend(one) }));
  } finally {
    stop();
    await subject.close();
  }
}

function running({ child }: Subject): number {
  if (child?.running) return child.pid;
  throw new Error(`it ended by itself\n${child?.lastLines ?? 'never started'}`);
}
