/** The database says what the table of cases says: by way of the service's engine, and from every place a query can start at. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { compileSelect, faultOf, type Keys, prepare, QueryError } from '#protocol/query';
import { answersOf, type Asked, isSameAnswer } from '#cloud/protocol/query/answers.fixture.ts';
import { CASES_FLEET } from '#cloud/protocol/query/cases-fleet.fixture.ts';
import { ANSWERED } from '#cloud/protocol/query/cases.fixture.ts';
import { REFUSED } from '#cloud/protocol/query/cases-refused.fixture.ts';
import { NOW } from '#cloud/protocol/query/random-fleet.fixture.ts';
import { Random } from '#cloud/protocol/query/random.fixture.ts';
import { databaseOf } from './database.fixture.ts';
import { QueryEngine } from './engine.ts';

async function opened(t: TestContext) {
  const database = await databaseOf(t, CASES_FLEET);
  const engine = new QueryEngine({
    read: (work) => database.engine.read(work),
    now: () => NOW,
    monotonic: () => 0,
    costCeiling: 1e6,
    slowMs: Infinity,
  });
  return { database, engine };
}

test('the store answers every case of the language as the table says, from every start', async (t) => {
  const { database, engine } = await opened(t);
  for (const [query, rows] of ANSWERED) {
    const { answer } = await engine.answer({ query });
    const found = answer.kind === 'QueryResult' ? answer.rows : [];
    assert.ok(isSameAnswer(found, rows), `${query}\n${JSON.stringify(found)}`);
    const checked = prepare({ query }, database.catalog, NOW).query;
    for (const [start, some] of await answersOf(checked, database, new Random(1))) {
      assert.ok(isSameAnswer(some, rows), `${start}: ${query}\n${JSON.stringify(some)}`);
    }
  }
});

test('the service refuses every wrong case with the code, the place and the suggestion of the table', async (t) => {
  const { engine } = await opened(t);
  for (const [query, { code, at, suggestion }] of REFUSED) {
    const caught = await engine.answer({ query }).catch((error: unknown) => error);
    assert.ok(caught instanceof QueryError, query);
    const fault = faultOf(caught, query);
    assert.deepEqual([fault.reason, fault.suggestion], [code, suggestion], query);
    const stretch = query.slice(fault.offset, fault.offset + fault.length);
    if (at !== undefined) assert.equal(stretch, at, query);
  }
});

/** One row, after another. */
async function page(asked: Asked, query: string, after?: Keys) {
  const { dialect, catalog } = asked;
  const checked = prepare({ query }, catalog, NOW).query;
  const compiled = compileSelect(checked, { dialect, catalog, limit: 1, ...(after && { after }) });
  const [found] = await asked.all(compiled.text, compiled.values);
  assert.ok(found, 'there is one more');
  return { row: compiled.row(found), keys: compiled.keys(found) };
}

test('pages of a moving fleet tell each row that stays put once, whatever comes, goes and moves about it', async (t) => {
  const { database, engine } = await opened(t);
  const { writer } = database.engine;
  // Of pages of one row each, for a page of the service is a thousand rows.
  const query = 'SELECT name, temperature FROM devices ORDER BY temperature DESC';
  const { keys, row } = await page(database, query);
  assert.deepEqual(row, ['c', 95]);
  await writer.begin();
  // The first one falls behind all others, and one before the cursor goes.
  await writer.run("UPDATE mirrors SET num = 99, value = '99' WHERE dev = 2 AND prop = 1");
  await writer.commit();
  const second = await page(database, query, keys);
  assert.deepEqual(second.row, ['a', 80.5]);
  await writer.begin();
  await writer.run('DELETE FROM objects WHERE n = 3');
  await writer.commit();
  const third = await page(database, query, second.keys);
  assert.deepEqual(third.row, ['e', 20]);
  assert.deepEqual((await page(database, query, third.keys)).row, ['d', null]);
  const { answer } = await engine.answer({ query });
  assert.equal(answer.kind === 'QueryResult' && answer.rows[0]?.[0], 'b');
});
