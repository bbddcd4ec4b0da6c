import assert from 'node:assert/strict';
import { test } from 'node:test';
import { check, compileSelect, evaluateSelect, parse } from '#protocol/query';
import { answersOf, isSameAnswer } from '#cloud/protocol/query/answers.fixture.ts';
import { sqlCatalogOf } from '#cloud/protocol/query/fleet-rows.fixture.ts';
import { randomQuery } from '#cloud/protocol/query/random-query.fixture.ts';
import {
  fleetOf,
  NOW,
  randomFleet,
  type RawFleet,
} from '#cloud/protocol/query/random-fleet.fixture.ts';
import { Random } from '#cloud/protocol/query/random.fixture.ts';
import { databaseOf } from './database.fixture.ts';

function checkedSelect(text: string, raw: RawFleet) {
  const checked = check(parse(text), { catalog: sqlCatalogOf(raw), now: NOW, text });
  assert.equal(checked.kind, 'select');
  return checked.kind === 'select' ? checked : assert.fail();
}

for (const seed of [11, 12, 13]) {
  test(`the database answers 400 random queries as the evaluator does, from every start and by pages (seed ${seed})`, async (t) => {
    const raw = randomFleet(new Random(seed), 60);
    const asked = await databaseOf(t, raw);
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
