/**
 * Promise: a mapper in a process of its own that tells 100,000 readings a second delays no management call by 50 ms
 * (p99); the core's memory stays bounded, what was replaced is counted, and the latest of each property arrives.
 */
import assert from 'node:assert/strict';
import process from 'node:process';
import { test } from 'node:test';
import { mapperCommand } from '#runtime/mapper/process/command.ts';
import { BENCH, floodFor } from '#runtime/mapper/process/fixtures/flooding.ts';

const SECONDS = Number(process.env['LIMPET_FLOOD_S'] ?? 30);

test(`100,000 readings/s for ${SECONDS} s delay writes and health calls by less than 50 ms p99`, async (t) => {
  const told = await floodFor(SECONDS, mapperCommand({ protocol: 'bench', module: BENCH }));
  const [p50, p99, most] = [told.p50Ms, told.p99Ms, told.mostMs].map((ms) => ms.toFixed(1));
  t.diagnostic(
    `${told.told} readings told, ${told.taken} taken, ${told.superseded} replaced by later ones; ` +
      `${told.calls} writes and health calls: p50 ${p50} ms, p99 ${p99} ms (before the flood ${told.quietP99Ms.toFixed(1)}), at most ${most} ms; ` +
      `core grew by ${told.grownMib.toFixed(1)} MiB private`,
  );
  assert.ok(told.calls > SECONDS * 10, `only ${told.calls} calls were made`);
  assert.ok(told.p99Ms - told.quietP99Ms < 50, `p99 ${p99} ms`);
  assert.equal(told.taken + told.superseded, told.told);
  assert.ok(told.superseded > 0, 'nothing was replaced: that was no flood');
  assert.ok(told.latest, 'the last reading of a property is missing');
  assert.ok(told.grownMib < 24, `the core grew by ${told.grownMib} MiB`);
});
