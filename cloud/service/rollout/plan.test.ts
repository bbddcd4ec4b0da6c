import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RolloutCounts } from '@limpet/dmi/manifest';
import type { Progress, Terms } from '../store/rollouts.ts';
import { NO_COUNTS } from './carry-out.ts';
import { type Flying, type Judgement, next } from './plan.ts';

const TERMS: Terms = {
  query: '',
  set: { setpoint: 50 },
  canary: 2,
  batch: 10,
  maxFailures: 3,
  timeoutMs: 30_000,
  withdraw: false,
  paused: false,
  revert: false,
};

const no = { code: 'NO', message: 'no' };

function progress(counts: Partial<RolloutCounts>, more: Partial<Progress> = {}): Progress {
  const none = { last: '', reverted: 0, batch: -1, left: 0, forgiven: 0, started: 0 };
  return {
    phase: 'Running',
    chosen: true,
    ...none,
    ...more,
    counts: { ...NO_COUNTS, total: 100, ...counts },
  };
}

function flight(...judgements: readonly Judgement['kind'][]): readonly Flying[] {
  return judgements.map((kind, at) => ({
    place: at + 1,
    since: 1_000,
    stages: {},
    judgement: kind === 'waits' || kind === 'applied' ? { kind } : { kind, reason: no },
  }));
}

function moved(
  terms: Partial<Terms>,
  now: Progress,
  flying: readonly Flying[] = [],
): ReturnType<typeof next> {
  return next({ terms: { ...TERMS, ...terms }, progress: now, flight: flying, now: 2_000 });
}

test('devices are written down before anybody is told', () => {
  const planned = progress({ total: 0 }, { phase: 'Planned', chosen: false });
  assert.deepEqual(moved({}, planned), { do: 'choose' });
});

test('the canary comes first: a number, or a share of which the least is one device', () => {
  const begun = progress({ pending: 100 }, { phase: 'Planned' });
  const canary = { do: 'send', phase: 'Canary', batch: 0, left: 0 };
  assert.deepEqual(moved({}, begun), { ...canary, limit: 2 });
  assert.deepEqual(moved({ canary: { percent: 1 } }, begun), { ...canary, limit: 1 });
  assert.deepEqual(moved({ canary: 0 }, begun), {
    ...canary,
    phase: 'Running',
    batch: 1,
    limit: 10,
  });
});

test('a batch of many is told in pieces, and no piece of the next before all of it has ended', () => {
  const begun = progress({ pending: 100 }, { batch: 0 });
  const first = moved({ batch: 70 }, begun);
  assert.deepEqual(first, { do: 'send', phase: 'Running', batch: 1, limit: 50, left: 20 });
  const rest = moved({ batch: 70 }, progress({ pending: 50, sent: 50 }, { batch: 1, left: 20 }));
  assert.deepEqual(rest, { do: 'send', phase: 'Running', batch: 1, limit: 20, left: 0 });
  const sent = progress({ pending: 30, sent: 1 }, { batch: 1 });
  assert.deepEqual(moved({}, sent, flight('waits')), { do: 'wait', until: 31_000 });
});

test('who has ended is judged before anything else is done', () => {
  const now = progress({ pending: 9, sent: 3 }, { batch: 1, left: 5 });
  const move = moved({}, now, flight('waits', 'applied', 'rejected'));
  assert.equal(move.do, 'judge');
  const ends = move.do === 'judge' ? move.ends.map(({ place, state }) => [place, state]) : [];
  assert.deepEqual(ends, [
    [2, 'applied'],
    [3, 'rejected'],
  ]);
});

test('one failure of the canary stops it, later so many as are allowed', () => {
  const stop = (counts: Partial<RolloutCounts>, batch: number, forgiven = 0): string => {
    const move = moved({}, progress({ pending: 9, ...counts }, { batch, forgiven }));
    return move.do === 'enter' ? `${move.phase} ${move.reason?.code}` : move.do;
  };
  assert.equal(stop({ rejected: 1 }, 0), 'Stopped ROLLOUT_CANARY_FAILED');
  assert.equal(stop({ rejected: 1, expired: 1 }, 3), 'send');
  assert.equal(stop({ rejected: 2, expired: 1 }, 3), 'Stopped ROLLOUT_MAX_FAILURES');
  assert.equal(stop({ rejected: 2, expired: 1, skipped: 4 }, 3, 1), 'send');
  assert.equal(stop({ rejected: 3, pending: 0 }, 3), 'Done ROLLOUT_INCOMPLETE', 'nobody is left');
});

test('stopped it waits, takes back what is under way where that is asked, and goes on when told', () => {
  const stopped = progress({ pending: 9, sent: 1, rejected: 3 }, { phase: 'Stopped', batch: 1 });
  const flying = flight('waits');
  assert.deepEqual(moved({ paused: true }, stopped, flying), { do: 'wait', until: 31_000 });
  const back = moved({ paused: true, withdraw: true }, stopped, flying);
  assert.deepEqual(
    back.do === 'judge' && back.ends.map(({ state, takeBack }) => [state, takeBack]),
    [['skipped', true]],
  );
  const on = { do: 'enter', phase: 'Running', forgiven: 3 };
  assert.deepEqual(moved({ paused: false }, stopped, flying), on);
});

test('paused nobody is told, and what is under way is judged', () => {
  const running = progress({ pending: 9, sent: 1 }, { batch: 1 });
  assert.deepEqual(moved({ paused: true }, running), { do: 'enter', phase: 'Paused' });
  const paused = { ...running, phase: 'Paused' } as const;
  assert.deepEqual(moved({ paused: true }, paused), { do: 'wait' });
  assert.equal(moved({ paused: true }, paused, flight('applied')).do, 'judge');
  assert.deepEqual(moved({}, paused), { do: 'enter', phase: 'Running' });
});

test('it is undone from wherever it is, but where nothing began or all is undone', () => {
  for (const phase of ['Planned', 'Canary', 'Running', 'Paused', 'Stopped', 'Done'] as const) {
    const move = moved({ revert: true, paused: true }, progress({}, { phase }), flight('applied'));
    assert.deepEqual(move, { do: 'enter', phase: 'Reverting' }, phase);
  }
  const reverting = progress({}, { phase: 'Reverting', reverted: 50 });
  assert.deepEqual(moved({ revert: true }, reverting), { do: 'restore', limit: 50 });
  const done = { ...reverting, reverted: 100 };
  assert.deepEqual(moved({ revert: true }, done), { do: 'enter', phase: 'Reverted' });
  for (const phase of ['Reverted', 'Failed'] as const) {
    assert.deepEqual(moved({ revert: true }, progress({}, { phase })), { do: 'rest' });
  }
});
