/** All fleets that were asked for, each against a cloud with a database of its own. */
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { cpus, release, tmpdir, totalmem } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { inspect } from 'node:util';
import { freePort } from '../../rig/free-port.ts';
import { checkLimits } from './limits.ts';
import type { Result, StepResult } from './result.ts';
import { runStep, type StepOptions } from './step.ts';
import { Subject } from './subject.ts';

export interface BenchOptions extends Omit<StepOptions, 'nodes'> {
  readonly nodes: readonly number[];
  readonly store?: string | undefined;
  readonly data?: string | undefined;
  readonly profile?: string | undefined;
}

export async function bench({
  nodes,
  store,
  data,
  profile,
  ...each
}: BenchOptions): Promise<Result> {
  for (const count of nodes) checkLimits(count, each.generators);
  const steps: StepResult[] = [];
  let fault: string | undefined;
  for (const count of nodes) {
    const folder = await mkdtemp(path.join(data ?? tmpdir(), 'limpet-load-'));
    try {
      const subject = new Subject({
        data: folder,
        port: await freePort(),
        ...(store !== undefined && { store }),
        ...(profile !== undefined && { profile }),
      });
      steps.push(await runStep(subject, { ...each, nodes: count }));
    } catch (error) {
      // An hour's figures of smaller fleets are worth telling.
      if (steps.length === 0) throw error;
      fault = inspect(error);
      break;
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }
  const gib = Math.round(totalmem() / 2 ** 30);
  return {
    machine: `${cpus()[0]?.model ?? 'unknown CPU'}, ${cpus().length} cores, ${gib} GiB, Linux ${release()}, Node ${process.version}`,
    at: new Date().toISOString().slice(0, 10),
    commit: commit(),
    store: store === undefined ? 'SQLite' : 'PostgreSQL',
    steps,
    ...(fault !== undefined && { fault }),
  };
}

function commit(): string {
  try {
    const args = ['describe', '--always', '--dirty'];
    return execFileSync('git', args, { cwd: import.meta.dirname, encoding: 'utf8' }).trim();
  } catch {
    return 'not from a repository';
  }
}
