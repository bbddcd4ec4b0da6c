import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mapperCommand } from './command.ts';
import { BENCH, floodFor } from './fixtures/flooding.ts';

test('a mapper that tells 100,000 readings a second delays no management call, and the latest of each arrives', async (t) => {
  const told = await floodFor(2, mapperCommand({ protocol: 'bench', module: BENCH }));
  t.diagnostic(JSON.stringify(told));
  // Other tests run beside this one; the scenario of the same name holds the promise alone, to 50 ms.
  assert.ok(told.p99Ms - told.quietP99Ms < 100, `p99 ${told.p99Ms} ms`);
  assert.equal(told.taken + told.superseded, told.told);
  assert.ok(told.superseded > 0, 'nothing was replaced: that was no flood');
  assert.ok(told.latest, 'the last reading of a property is missing');
  assert.ok(told.grownMib < 24, `${told.grownMib} MiB more`);
});
