import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type HostedMapper, mapperFacts } from './mapper-facts.ts';

const MAPPER: HostedMapper = {
  protocol: 'acme',
  version: '1.0.0',
  hosting: 'process',
  state: 'ready',
  restarts: 2,
  sinceMs: Date.UTC(2026, 10, 21),
  budgetBytes: 100,
  importance: 50,
  superseded: 3,
  lines: ['one', 'two'],
};

test('a mapper is told with its state, its memory and its budget', () => {
  const [facts] = mapperFacts([MAPPER], () => ({ now: 40, peak: 70 }));
  assert.deepEqual(facts, {
    protocol: 'acme',
    version: '1.0.0',
    hosting: 'process',
    state: 'ready',
    restarts: 2,
    since: '2026-11-21T00:00:00.000Z',
    budget: 100,
    memory: 40,
    peak: 70,
    importance: 50,
    superseded: 3,
  });
});

test('the last lines of one that is not well are told, cut to a size', () => {
  const lines = Array.from({ length: 30 }, (_, index) => `${index} ${'x'.repeat(600)}`);
  const ill: HostedMapper = { ...MAPPER, state: 'crash-loop', lines };
  const told = mapperFacts([ill], () => undefined)[0]?.lines ?? [];
  assert.equal(told.length, 10);
  assert.match(told.at(-1) ?? '', /^29 x+…$/);
  assert.ok(told.every((line) => line.length <= 300));
});

// The cloud takes names of 128 characters: one folder with a longer name, and the node was sent away for good.
test('a name or a reason of any length is told, cut to what the cloud takes', () => {
  const reason = { code: 'MAPPER_BROKEN', message: 'm'.repeat(5_000) };
  const long = { protocol: 'p'.repeat(255), version: `${'1'.repeat(200)}.0.0`, reason };
  const [facts] = mapperFacts([{ ...MAPPER, ...long }], () => undefined);
  assert.deepEqual(
    [facts?.protocol.length, facts?.version.length, facts?.reason?.message.length],
    [128, 128, 2_000],
  );
});

test('however many mappers chatter, the facts stay small', () => {
  const lines = Array.from({ length: 20 }, () => 'x'.repeat(500));
  const many = Array.from({ length: 500 }, () => ({ ...MAPPER, state: 'broken' as const, lines }));
  const facts = mapperFacts(many, () => undefined);
  assert.equal(facts.length, 100);
  assert.ok(JSON.stringify(facts).length < 100_000);
});
