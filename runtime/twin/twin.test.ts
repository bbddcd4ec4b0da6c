import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Desired, type PropertyTwin, type Reported } from '@limpet/dmi/manifest';
import {
  alreadyOrdered,
  fromDisk,
  judged,
  sameJson,
  type Step,
  withDesired,
  withReported,
} from './twin.ts';

const wanted = (more: Partial<Desired<number>> = {}): Desired<number> => ({
  value: 55,
  rev: 11,
  verdict: 'pending',
  stages: { accepted: 1, stored: 2 },
  ...more,
});
const said: Reported<number> = { value: 5, at: 1, quality: 'good' };
const reason = { code: 'READ_BACK_DIFFERS', message: 'it says 54' };

test('a reading changes the twin when value, time, quality or reason differ, and only then', () => {
  const twin: PropertyTwin<number> = { reported: said, desired: wanted() };
  assert.equal(withReported(twin, { ...said }), undefined);
  for (const more of [{ value: 6 }, { at: 2 }, { quality: 'stale' as const }, { reason }]) {
    assert.deepEqual(withReported(twin, { ...said, ...more }), {
      reported: { ...said, ...more },
      desired: wanted(),
    });
  }
  assert.deepEqual(withReported({}, said), { reported: said });
});

test('the order with the highest rev counts, whenever it arrives', () => {
  const revs = [11, 14, 13, 12, 14];
  let twin: PropertyTwin<number> = { reported: said };
  for (const rev of revs) twin = withDesired(twin, wanted({ rev, value: rev })) ?? twin;
  assert.equal(twin.desired?.value, 14);
  assert.equal(twin.reported, said);
});

const STEPS: [string, Desired<number>, Step, Partial<Desired<number>> | undefined][] = [
  ['sent', wanted(), { sent: 5 }, { stages: { accepted: 1, stored: 2, sent: 5 } }],
  [
    'applied',
    wanted(),
    { verdict: 'applied', confirmed: 6 },
    { verdict: 'applied', stages: { accepted: 1, stored: 2, confirmed: 6 } },
  ],
  [
    'rejected with its reason',
    wanted(),
    { verdict: 'rejected', reason },
    { verdict: 'rejected', reason },
  ],
  ['nothing new', wanted(), { verdict: 'pending' }, undefined],
  ['pending after applied', wanted({ verdict: 'applied' }), { verdict: 'pending' }, undefined],
  [
    'pending after rejected, sent again',
    wanted({ verdict: 'rejected', reason }),
    { verdict: 'pending', sent: 7 },
    { verdict: 'rejected', reason, stages: { accepted: 1, stored: 2, sent: 7 } },
  ],
  [
    'expired after rejected',
    wanted({ verdict: 'rejected', reason }),
    { verdict: 'expired' },
    { verdict: 'expired' },
  ],
  ['the same verdict again', wanted({ verdict: 'applied' }), { verdict: 'applied' }, undefined],
];
for (const [name, held, step, changed] of STEPS) {
  test(`progress of an order: ${name}`, () => {
    const twin = judged({ desired: held }, 11, step);
    if (!changed) assert.equal(twin, undefined);
    else {
      const { reason: _old, ...rest } = held;
      assert.deepEqual(twin, { desired: { ...rest, ...changed } });
    }
  });
}

test('progress of another order than the one in force is ignored', () => {
  assert.equal(judged({ desired: wanted() }, 9, { verdict: 'applied' }), undefined);
  assert.equal(judged({ desired: wanted() }, 13, { verdict: 'applied' }), undefined);
  assert.equal(judged({}, 11, { verdict: 'applied' }), undefined);
});

test('the same value again is a new order unless it is under way or still so', () => {
  const applied = wanted({ verdict: 'applied' });
  const at55: Reported<number> = { value: 55, at: 1, quality: 'good' };
  const none = { readBack: undefined, expires: false };
  const table: [PropertyTwin<number>, Parameters<typeof alreadyOrdered>[2], boolean][] = [
    [{}, none, false],
    [{ desired: wanted() }, none, true],
    [{ desired: wanted() }, { ...none, expires: true }, false],
    [{ desired: wanted({ value: 54 }) }, none, false],
    [{ desired: applied, reported: at55 }, none, true],
    [{ desired: applied, reported: { ...at55, value: 54.9 } }, none, false],
    [{ desired: applied, reported: { ...at55, value: 54.9 } }, { ...none, readBack: 54.9 }, true],
    [{ desired: applied, reported: { ...at55, quality: 'stale' } }, none, false],
    [{ desired: applied }, none, false],
    [{ desired: wanted({ verdict: 'rejected' }), reported: at55 }, none, false],
    [{ desired: wanted({ verdict: 'expired' }), reported: at55 }, none, false],
  ];
  for (const [twin, order, expected] of table) {
    assert.equal(alreadyOrdered(twin, 55, order), expected, JSON.stringify({ twin, order }));
  }
});

test('what comes from disk keeps its value and time but is stale', () => {
  assert.deepEqual(fromDisk({ desired: wanted() }), { desired: wanted() });
  const { reported } = fromDisk({ reported: said });
  assert.equal(reported?.value, 5);
  assert.equal(reported?.at, 1);
  assert.equal(reported?.quality, 'stale');
});

test('JSON is the same whatever the order of keys, and different otherwise', () => {
  assert.ok(sameJson({ a: 1, b: [1, { c: null }] }, { b: [1, { c: null }], a: 1 }));
  assert.ok(sameJson(0, -0), 'JSON does not know -0');
  for (const [a, b] of [
    [[], {}],
    [null, {}],
    [{ a: 1 }, { b: 1 }],
    [{ a: 1 }, { a: 1, b: 1 }],
    [
      [1, 2],
      [2, 1],
    ],
    ['1', 1],
    [undefined, null],
  ] as const) {
    assert.equal(sameJson(a, b), false);
  }
});
