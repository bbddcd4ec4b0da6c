import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Json } from '@limpet/dmi';
import fc from 'fast-check';
import { readFromEdge } from './frames.ts';
import { isUsualRow } from './usual-row.ts';

const usual = {
  kind: 'property',
  seq: 7,
  device: 'default/boiler-1',
  property: 'temperature',
  reported: { value: 55.3, at: 1_763_800_000_000, quality: 'good' },
};

/** The report's rows as the schema alone takes them: a row it cannot tell from the usual makes it look at each. */
function bySchema(row: Json): unknown {
  const frame = readFromEdge(report({ ...(row as object), carried: true }));
  if (!frame.ok || frame.message.type !== 'report' || frame.message.rows.length === 0)
    return undefined;
  const { carried: _, ...rest } = frame.message.rows[0] as { carried?: true };
  return rest;
}

function report(row: unknown): string {
  return JSON.stringify({ type: 'report', to: 9, rows: [row] });
}

test('the usual row is taken as it is', () => {
  assert.equal(isUsualRow(usual), true);
  const frame = readFromEdge(report(usual));
  assert.deepEqual(frame, {
    ok: true,
    message: { type: 'report', to: 9, rows: [usual] },
    spoiled: 0,
  });
});

test('whatever is done to a row, the quick look takes none that the schema would refuse or change', () => {
  const odd = fc.oneof(
    fc.constantFrom<Json>(
      null,
      '',
      'good',
      'stale',
      -1,
      0,
      1.5,
      1e300,
      true,
      [],
      {},
      'a/b',
      'A/b',
      '\ud800',
    ),
    fc.jsonValue() as fc.Arbitrary<Json>,
  );
  const field = fc.constantFrom('kind', 'seq', 'device', 'property', 'reported', 'desired', 'more');
  const inner = fc.constantFrom('value', 'at', 'quality', 'reason', 'more');
  let quick = 0;
  fc.assert(
    fc.property(
      fc.option(fc.tuple(field, odd)),
      fc.option(fc.tuple(inner, odd)),
      (outer, within) => {
        const reported = { ...usual.reported, ...(within && { [within[0]]: within[1] }) };
        const row = JSON.parse(
          JSON.stringify({ ...usual, reported, ...(outer && { [outer[0]]: outer[1] }) }),
        ) as Json;
        if (!isUsualRow(row)) return;
        quick++;
        assert.deepEqual(row, bySchema(row));
      },
    ),
    { numRuns: 5_000 },
  );
  assert.ok(quick > 100, `only ${quick} rows were usual`);
});

test('a spoiled row among usual ones is left out and counted', () => {
  const rows = [usual, { ...usual, device: 'no id' }, { ...usual, seq: -1 }, { ...usual, more: 1 }];
  const frame = readFromEdge(JSON.stringify({ type: 'report', to: 9, rows }));
  assert.ok(frame.ok && frame.message.type === 'report');
  assert.equal(frame.spoiled, 2);
  assert.deepEqual(frame.message.rows, [usual, usual]);
});
