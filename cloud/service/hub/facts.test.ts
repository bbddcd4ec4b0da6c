import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FACTS } from '../testing.ts';
import { readFromEdge } from './frames.ts';

const BUDGET = {
  ceiling: 100,
  rows: [
    { kind: 'memory', what: 'core', budget: 50, now: 12, peak: 15, over: 0, pss: 30 },
    { kind: 'memory', what: 'waiting', partOf: 'core', now: 1, peak: 1, over: 0 },
  ],
  shed: [{ step: 'caches', times: 1, last: '2026-11-21T00:00:00.000Z' }],
  enforced: { by: 'cgroup-v2' },
  lookMicroseconds: 12,
};
const MAPPER = {
  protocol: 'acme',
  version: '1',
  hosting: 'process',
  state: 'crash-loop',
  lines: ['out'],
};

function taken(facts: unknown): unknown {
  const frame = readFromEdge(JSON.stringify({ type: 'facts', facts }));
  return frame.ok && frame.message.type === 'facts' ? frame.message.facts : frame;
}

test('an edge tells its mappers and its budget; one of an earlier version neither', () => {
  const full = { ...FACTS, mappers: [MAPPER], budget: BUDGET };
  assert.deepEqual(taken(full), full);
  assert.deepEqual(taken(FACTS), FACTS);
});

test('a state or a table that only a later version knows is left out, and the edge stays', () => {
  const facts = taken({
    ...FACTS,
    mappers: [{ ...MAPPER, state: 'dreaming', colour: 'blue' }],
    budget: { ...BUDGET, enforced: { by: 'magic' } },
    later: true,
  });
  const { state: _, ...rest } = MAPPER;
  const { mappers, budget } = facts as { mappers: unknown[]; budget: unknown };
  assert.deepEqual(JSON.parse(JSON.stringify(mappers)), [rest]);
  assert.equal(budget, undefined);
});

test('facts without an end are refused', () => {
  const many = { ...FACTS, mappers: Array.from({ length: 101 }, () => MAPPER) };
  assert.match(JSON.stringify(taken(many)), /facts\.mappers/);
  const chatty = {
    ...FACTS,
    mappers: [{ ...MAPPER, lines: Array.from({ length: 21 }, () => 'x') }],
  };
  assert.match(JSON.stringify(taken(chatty)), /lines/);
});
