/** Private memory of a program's processes, sampled over time. */
import { setTimeout as sleep } from 'node:timers/promises';
import { processMemory, processTree } from '../process-memory.ts';
import type { Series } from './trend.ts';

export interface Watching {
  readonly seconds: number;
  readonly everyS: number;
  readonly signal?: AbortSignal;
}

/** One series for the first process and one for all that it started. `pid` throws when the program has ended. */
export async function watchPrivate(
  pid: () => number,
  names: readonly [first: string, others: string],
  { seconds, everyS, signal }: Watching,
): Promise<readonly Series[]> {
  const series = names.map((name) => ({ name, points: [] as { s: number; bytes: number }[] }));
  const start = performance.now();
  for (let i = 1; i * everyS <= seconds; i++) {
    const wait = start + i * everyS * 1000 - performance.now();
    await sleep(Math.max(0, wait), undefined, signal && { signal });
    const s = (performance.now() - start) / 1000;
    const [first = 0, ...others] = processTree(pid()).map(
      (one) => 1024 * processMemory(one).private,
    );
    series[0]?.points.push({ s, bytes: first });
    if (others.length > 0) series[1]?.points.push({ s, bytes: others.reduce((a, b) => a + b, 0) });
  }
  return series.filter(({ points }) => points.length > 0);
}
