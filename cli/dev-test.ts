/** Runs the tests with this very Node, also in every process that tests start. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { endOverdue } from './overdue-tests.ts';
import { scratchFolder } from './scratch.ts';

const ROOT = path.dirname(import.meta.dirname);
const ROOMS = '{dmi,runtime,mappers,cloud,cli,boards,cross-build,hil-tests}';
/** A test that hangs is named after so long. */
const TEST_MS = 120_000;
/** Compiled sources of this run: hundreds of processes load the same ones. */
const COMPILED = path.join(ROOT, 'node_modules', '.cache', 'limpet-tests');

/** Resolves with the exit code of node:test. */
export async function runTests(paths: readonly string[]): Promise<number> {
  rmSync(COMPILED, { recursive: true, force: true });
  const scratch = scratchFolder();
  const child = spawn(process.execPath, testArguments(paths), {
    cwd: ROOT,
    stdio: 'inherit',
    env: {
      ...process.env,
      NODE_COMPILE_CACHE: COMPILED,
      TMPDIR: scratch,
      PATH: `${path.dirname(process.execPath)}:${process.env['PATH'] ?? ''}`,
    },
  });
  // The runner is in our process group: Ctrl-C reaches it by itself, other signals are passed on.
  process.on('SIGINT', () => {});
  for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal));
  const stop = endOverdue(child.pid);
  const [code] = (await once(child, 'exit')) as [number | null];
  stop();
  rmSync(scratch, { recursive: true, force: true });
  return code ?? 1;
}

/** The command line of node:test: every promise by its sentence, failures and the count last. */
function testArguments(paths: readonly string[]): string[] {
  return [
    '--conditions=source',
    '--disable-warning=ExperimentalWarning',
    '--test',
    '--test-reporter=spec',
    `--test-timeout=${TEST_MS}`,
    // By itself node:test leaves one core idle: of two, half.
    `--test-concurrency=${availableParallelism()}`,
    ...(paths.length > 0 ? paths : [`${ROOMS}/**/*.test.ts`]),
  ];
}
