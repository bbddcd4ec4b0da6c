/**
 * Ends test files that do not end. A test that hangs is named by node:test itself; a file whose tests are done but
 * that left something open, or one that spins, would hold the whole run for ever.
 */
import { readdirSync, readFileSync } from 'node:fs';
import process from 'node:process';

/** The longest takes 30 s on two quiet cores. */
const USUAL = { boundMs: 240_000, lookMs: 5_000, log: process.stderr };
/** As many lives as are asked for. */
const LIVES = 'hil-tests/simulation/sync.test.ts';
const LIVES_MS = 1_800_000;

interface Bounds {
  readonly boundMs: number;
  readonly lookMs: number;
  readonly log: { write(text: string): unknown };
}

/** Looks after the children of the runner until called; where there is no /proc, nobody does. */
export function endOverdue(
  runner: number | undefined,
  { boundMs, lookMs, log }: Bounds = USUAL,
): () => void {
  if (runner === undefined || process.platform !== 'linux') return () => undefined;
  let since = new Map<number, number>();
  const look = (): void => {
    const now = performance.now();
    since = new Map(childrenOf(runner).map((pid) => [pid, since.get(pid) ?? now]));
    for (const [pid, start] of since) {
      const file = fileOf(pid);
      const bound = file?.endsWith(LIVES) === true ? LIVES_MS : boundMs;
      if (file === undefined || now - start <= bound) continue;
      log.write(
        `limpet: ${file} still runs after ${bound / 1000} s (it spins, or left something open): killed\n`,
      );
      process.kill(pid, 'SIGKILL');
    }
  };
  const timer = setInterval(() => attempt(look, undefined), lookMs).unref();
  return () => clearInterval(timer);
}

/** The test file is the last word of its command line. */
function fileOf(pid: number): string | undefined {
  const line = attempt(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8'), '');
  return line.split('\0').findLast((word) => word !== '');
}

function childrenOf(runner: number): number[] {
  const folder = `/proc/${runner}/task`;
  const threads = attempt(() => readdirSync(folder), []);
  const lists = threads.map((thread) =>
    attempt(() => readFileSync(`${folder}/${thread}/children`, 'utf8'), ''),
  );
  return lists.flatMap((list) => list.trim().split(' ').filter(Boolean).map(Number));
}

/** A process may end at any moment, and its entries with it. */
function attempt<T>(look: () => T, otherwise: T): T {
  try {
    return look();
  } catch {
    return otherwise;
  }
}
