/** A query that would run for minutes is stopped with its process, and others do not notice. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '@limpet/dmi';
import { ApiError } from '#protocol/api';
import { openEngine } from '../store/engine.ts';
import { CloudStore } from '../store/store.ts';
import { silent } from '../testing.ts';
import { openQueries } from './open.ts';

const never = new AbortController().signal;
const ROWS = 200_000;

/** A property of very many devices, by the database alone. */
async function filled(file: string): Promise<void> {
  const engine = await openEngine({ path: file, log: silent, lost: assert.fail });
  await engine.writer.begin();
  await engine.writer.run("INSERT INTO names (n, name) VALUES (1, 'level')");
  await engine.writer.run(
    `INSERT INTO mirrors (dev, prop, value, num, type, quality, at)
      WITH RECURSIVE counted(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < $1)
      SELECT n, 1, CAST((n * 7919) % 1000003 AS TEXT), (n * 7919) % 1000003, 'n', 'good', 0 FROM counted`,
    ROWS,
  );
  await engine.writer.commit();
  await engine.close();
}

/** Processes that this one has started and that run. */
function children(): readonly string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      const [state, parent] =
        readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
      return parent === String(process.pid) && state !== 'Z';
    } catch {
      // It has ended meanwhile.
      return false;
    }
  });
}

test('a query of SQLite that takes too long is ended with its process, while others are answered', async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'limpet-too-slow-'));
  const file = path.join(folder, 'cloud.db');
  await filled(file);
  /** What falls due when the test says so: the ceilings of queries, in the order of their beginning. */
  const due: (() => void)[] = [];
  const clock: Clock = {
    now: () => Date.now(),
    monotonic: () => performance.now(),
    sleep: (ms, signal) => sleep(ms, undefined, { signal }),
    after: (_, task) => (due.push(task), () => undefined),
  };
  const store = await CloudStore.open({ path: file, clock, log: silent });
  const settings = { costCeiling: Number.MAX_SAFE_INTEGER };
  const queries = openQueries({ store, path: file, clock, log: silent, settings });
  t.after(async () => {
    await queries.close();
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const columns = Array.from(
    { length: 50 },
    (_, index) => `count(DISTINCT value.p${index}), percentile(value, ${index + 1})`,
  );
  let ended = false;
  const slow = queries
    .answer({ query: `SELECT ${columns.join(', ')} FROM properties` }, never)
    .finally(() => (ended = true));
  slow.catch(() => undefined);
  const quick = { query: 'SELECT count(*) FROM nodes' };
  for (let each = 0; each < 3; each++) {
    const answer = await queries.answer(quick, never);
    assert.deepEqual(answer.kind === 'QueryResult' && answer.rows, [[0]]);
  }
  assert.equal(ended, false, 'it still runs');
  assert.equal(children().length, 2);
  due[0]?.();
  await assert.rejects(slow, (error) => {
    return error instanceof ApiError && error.details.causes?.[0]?.reason === 'QUERY_TOO_SLOW';
  });
  while (children().length > 1) await sleep(5);
  // Both places are free again: one with a new process.
  const both = await Promise.all([queries.answer(quick, never), queries.answer(quick, never)]);
  assert.ok(both.every(({ kind }) => kind === 'QueryResult'));
  assert.equal(queries.slow().items[0]?.outcome.includes('ran for longer'), true);
});
