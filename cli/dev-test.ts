/** Runs the tests with this very Node, also in every process that tests start. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import process from 'node:process';

const ROOT = path.dirname(import.meta.dirname);
const ROOMS = '{dmi,runtime,mappers,cloud,cli,boards,cross-build,hil-tests}';

/** Resolves with the exit code of node:test. */
export async function runTests(paths: readonly string[]): Promise<number> {
  const child = spawn(process.execPath, testArguments(paths), {
    cwd: ROOT,
    stdio: 'inherit',
    env: { ...process.env, PATH: `${path.dirname(process.execPath)}:${process.env['PATH'] ?? ''}` },
  });
  // The runner is in our process group: Ctrl-C reaches it by itself, other signals are passed on.
  process.on('SIGINT', () => {});
  for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal));
  const [code] = (await once(child, 'exit')) as [number | null];
  return code ?? 1;
}

/** The command line of node:test: every promise by its sentence, failures and the count last. */
function testArguments(paths: readonly string[]): string[] {
  return [
    '--conditions=source',
    '--disable-warning=ExperimentalWarning',
    '--test',
    '--test-reporter=spec',
    ...(paths.length > 0 ? paths : [`${ROOMS}/**/*.test.ts`]),
  ];
}
