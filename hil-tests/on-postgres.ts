/** `npm run test:postgres`: the tests of the cloud's store, and of what stands on it, on a PostgreSQL of their own. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import process from 'node:process';
import { PostgresServer } from './rig/postgres.ts';

const TESTS = [
  'cloud/service/*.test.ts',
  'cloud/service/history/*.test.ts',
  'cloud/service/hub/*.test.ts',
  'cloud/service/query/*.test.ts',
  'cloud/service/rollout/*.test.ts',
  'cloud/service/standing/*.test.ts',
  'cloud/service/store/store.test.ts',
  'hil-tests/simulation/sync.test.ts',
];
/** Lives of the simulations of edges, rollouts and standing queries, unless asked otherwise: each waits for a server here. */
const LIVES = { LIMPET_LIVES: '6', LIMPET_ROLLOUT_LIVES: '6', SEEDS: '3' };
/** A test that waits for the server leaves a core to another. */
const AT_ONCE = Math.max(2, availableParallelism());

const server = await PostgresServer.start();
try {
  const [, , ...asked] = process.argv;
  const args = [
    '--conditions=source',
    '--test',
    '--test-timeout=120000',
    `--test-concurrency=${AT_ONCE}`,
    ...(asked.length > 0 ? asked : TESTS),
  ];
  const child = spawn(process.execPath, args, {
    stdio: 'inherit',
    env: { ...LIVES, ...process.env, LIMPET_TEST_STORE: server.url() },
  });
  const [code] = (await once(child, 'exit')) as [number | null];
  process.exitCode = code ?? 1;
} finally {
  await server.stop();
}
