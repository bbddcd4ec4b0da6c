/** For the tests of this folder: history on a database of its own. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { openEngine } from '../store/engine.ts';
import type { Sql } from '../store/sql.ts';
import { placeOf, silent } from '../testing.ts';
import { History } from './history.ts';
import { Slices } from './slices.ts';

export interface Bench {
  readonly sql: Sql;
  readonly clock: { now: number };
  readonly history: History;
}

export async function openBench(now: number): Promise<Bench> {
  const folder = mkdtempSync(join(tmpdir(), 'limpet-history-'));
  const place = placeOf(join(folder, 'cloud.db'));
  const engine = await openEngine({ path: place, log: silent, lost: assert.fail });
  after(async () => {
    await engine.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const sql = engine.writer;
  await sql.run('INSERT INTO past (one, began) VALUES (1, $1)', now);
  // Each statement is a transaction of its own here: what the disk has after each is no subject of these tests.
  if (sql.dialect === 'sqlite') await sql.run('PRAGMA synchronous = OFF');
  const clock = { now };
  return { sql, clock, history: new History(sql, await Slices.open(sql), () => clock.now) };
}
