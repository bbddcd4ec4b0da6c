import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mapperCommand } from './command.ts';
import { BENCH, floodFor } from './fixtures/flooding.ts';

test('a mapper that tells 100,000 readings a second delays no management call, and the latest of each arrives', async (t) => {
  const told = await floodFor(2, mapperCommand({ protocol: 'bench', module: BENCH }));
  t.diagnostic(JSON.stringify(told));
  // Other tests run beside this one, and take the core from one call or another: in a queue shared with the flood all of
  // them would wait. The scenario of the same name holds the promise alone, to a p99 of 50 ms.
  assert.ok(told.p50Ms < 100, `p50 ${told.p50Ms} ms`);
  assert.equal(told.taken + told.superseded, told.told);
  assert.ok(told.superseded > 0, 'nothing was replaced: that was no flood');
  assert.ok(told.latest, 'the last reading of a property is missing');
  assert.ok(told.grownMib < 24, `${told.grownMib} MiB more`);
});
