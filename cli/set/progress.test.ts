import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Desired, Stages, Verdict } from '@limpet/dmi/manifest';
import { progress, type Stage } from './progress.ts';

const ACCEPTED = { accepted: '2026-11-21T10:00:00.000Z' };
const STORED = { ...ACCEPTED, stored: '2026-11-21T10:00:00.010Z' };
const SENT = { ...STORED, sent: '2026-11-21T10:00:00.020Z' };

test('an order has got as far as its twin says', () => {
  const cases: readonly [Verdict, Stages, Stage, string][] = [
    ['pending', ACCEPTED, 'accepted', 'reached'],
    ['pending', ACCEPTED, 'stored', 'waiting'],
    ['pending', STORED, 'stored', 'reached'],
    ['pending', SENT, 'stored', 'reached'],
    ['pending', SENT, 'confirmed', 'waiting'],
    // What was already true is applied without having been sent.
    ['applied', STORED, 'confirmed', 'reached'],
    ['rejected', SENT, 'stored', 'refused'],
    ['expired', STORED, 'confirmed', 'refused'],
  ];
  for (const [verdict, stages, wait, kind] of cases) {
    assert.equal(progress(desired(10, verdict, stages), 10, wait).kind, kind, `${verdict} ${wait}`);
  }
});

test('an older order in the twin is no news, a newer one has taken over', () => {
  assert.equal(progress(undefined, 10, 'accepted').kind, 'waiting');
  assert.equal(progress(desired(8, 'applied', SENT), 10, 'accepted').kind, 'waiting');
  assert.equal(progress(desired(12, 'pending', ACCEPTED), 10, 'confirmed').kind, 'superseded');
});

function desired(rev: number, verdict: Verdict, stages: Stages): Desired {
  return { value: 60, rev, verdict, stages };
}
