/** A fleet in a store's tables: on SQLite, or on the PostgreSQL that the tests are run on. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';
import type { Asked, Found } from '#cloud/protocol/query/answers.fixture.ts';
import { rowsOfFleet, sqlCatalogOf } from '#cloud/protocol/query/fleet-rows.fixture.ts';
import type { RawFleet } from '#cloud/protocol/query/random-fleet.fixture.ts';
import { openEngine } from '../store/engine.ts';
import type { Engine } from '../store/sql.ts';
import { placeOf, silent } from '../testing.ts';

export async function databaseOf(
  t: TestContext,
  raw: RawFleet,
): Promise<Asked & { readonly engine: Engine }> {
  const folder = mkdtempSync(path.join(tmpdir(), 'limpet-fleet-'));
  const engine = await openEngine({
    path: placeOf(path.join(folder, 'cloud.db')),
    log: silent,
    lost: assert.fail,
  });
  t.after(async () => {
    await engine.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const { writer } = engine;
  await writer.begin();
  for (const [table, rows] of Object.entries(rowsOfFleet(raw))) {
    for (const row of rows) {
      const columns = Object.keys(row);
      const places = columns.map((_, index) => `$${index + 1}`).join(', ');
      const text = `INSERT INTO ${table} (${columns.join(', ')}) VALUES (${places})`;
      await writer.run(text, ...Object.values(row));
    }
  }
  await writer.commit();
  return {
    engine,
    dialect: writer.dialect,
    catalog: sqlCatalogOf(raw),
    all: (text, values) => engine.read((sql) => sql.all<Found>(text, ...values)),
  };
}
