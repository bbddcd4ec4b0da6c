import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { check, compileSelect, evaluateSelect, parse } from '#protocol/query';
import {
  answersOf,
  type Asked,
  type Found,
  isSameAnswer,
} from '#cloud/protocol/query/answers.fixture.ts';
import { rowsOfFleet, sqlCatalogOf } from '#cloud/protocol/query/fleet-rows.fixture.ts';
import { randomQuery } from '#cloud/protocol/query/random-query.fixture.ts';
import {
  fleetOf,
  NOW,
  randomFleet,
  type RawFleet,
} from '#cloud/protocol/query/random-fleet.fixture.ts';
import { Random } from '#cloud/protocol/query/random.fixture.ts';
import { openEngine } from '../store/engine.ts';
import type { Engine } from '../store/sql.ts';
import { placeOf, silent } from '../testing.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'limpet-compiled-'));
const engines: Engine[] = [];
after(async () => {
  await Promise.all(engines.map((engine) => engine.close()));
  rmSync(folder, { recursive: true, force: true });
});

/** On SQLite, or on the PostgreSQL that the tests are run on. */
async function databaseOf(raw: RawFleet): Promise<Asked> {
  const engine = await openEngine({
    path: placeOf(path.join(folder, `${engines.length}.db`)),
    log: silent,
  });
  engines.push(engine);
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
    dialect: writer.dialect,
    catalog: sqlCatalogOf(raw),
    all: (text, values) => engine.read((sql) => sql.all<Found>(text, ...values)),
  };
}

function checkedSelect(text: string, raw: RawFleet) {
  const checked = check(parse(text), { catalog: sqlCatalogOf(raw), now: NOW, text });
  assert.equal(checked.kind, 'select');
  return checked.kind === 'select' ? checked : assert.fail();
}

for (const seed of [11, 12, 13]) {
  test(`the database answers 400 random queries as the evaluator does, from every start and by pages (seed ${seed})`, async () => {
    const raw = randomFleet(new Random(seed), 60);
    const asked = await databaseOf(raw);
    for (let index = 0; index < 400; index++) {
      const random = new Random(seed * 100_000 + index);
      const text = randomQuery(random);
      const query = checkedSelect(text, raw);
      const { rows } = evaluateSelect(query, fleetOf(raw), { limit: query.limit ?? 100_000 });
      for (const [start, answer] of await answersOf(query, asked, random)) {
        assert.ok(
          isSameAnswer(answer, rows),
          `seed ${seed}, query ${index}, starting at ${start}: ${text}\n${JSON.stringify(answer)}\n${JSON.stringify(rows)}`,
        );
      }
    }
  });
}

test('whatever a user says is a value: two queries with other texts are one statement', () => {
  const raw = randomFleet(new Random(1), 3);
  const catalog = sqlCatalogOf(raw);
  const options = { catalog, limit: 10 } as const;
  const queries = (text: string, number: string) =>
    `SELECT labels."${text}", config."${text}" FROM devices WHERE serial = '${text}' AND mode LIKE '%${text}' AND temperature IN (${number}) AND config."${text}" > ${number} AND desired.config."${text}" IS NOT NULL AND node.os."${text}" = '${text}'`;
  for (const dialect of ['sqlite', 'postgres'] as const) {
    const [plain, hostile] = [
      queries('a', '1'),
      queries("''; DROP TABLE objects; --", '-7.5e3'),
    ].map((text) => {
      return compileSelect(checkedSelect(text, raw), { ...options, dialect });
    });
    assert.equal(hostile?.text, plain?.text);
    assert.ok(hostile?.values.some((value) => String(value).includes('DROP TABLE')));
  }
});
