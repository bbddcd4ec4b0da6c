/** The evaluator says what the table of cases says; that the database does too is tested where the store is. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSameAnswer } from './answers.fixture.ts';
import { CASES_FLEET } from './cases-fleet.fixture.ts';
import { ANSWERED } from './cases.fixture.ts';
import { REFUSED } from './cases-refused.fixture.ts';
import { sqlCatalogOf } from './fleet-rows.fixture.ts';
import { evaluateSelect, faultOf, pageOf, prepare, QueryError } from './index.ts';
import { fleetOf, NOW } from './random-fleet.fixture.ts';

const fleet = fleetOf(CASES_FLEET);
const catalog = sqlCatalogOf(CASES_FLEET);

function answer(query: string) {
  const prepared = prepare({ query }, catalog, NOW);
  const found = evaluateSelect(prepared.query, fleet, { limit: prepared.limit });
  return pageOf(query, prepared, found).rows;
}

for (const [query, rows] of ANSWERED) {
  test(query, () => {
    const found = answer(query);
    assert.ok(isSameAnswer(found, rows), JSON.stringify(found));
  });
}

for (const [query, { code, at, suggestion }] of REFUSED) {
  test(`${query.slice(0, 80)} is refused as ${code}`, () => {
    let caught: unknown;
    try {
      answer(query);
    } catch (error) {
      caught = error;
    }
    assert.ok(caught instanceof QueryError, 'it is refused');
    const fault = faultOf(caught, query);
    assert.equal(fault.reason, code, fault.message);
    const stretch = query.slice(fault.offset, fault.offset + fault.length);
    if (at !== undefined) assert.equal(stretch, at, fault.message);
    assert.equal(fault.suggestion, suggestion, fault.message);
  });
}
