import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Act, decide, GROUND, type Ladder, type Look } from './ladder.ts';

const RUNNING = [
  { protocol: 'modbus', importance: 80 },
  { protocol: 'opcua', importance: 50 },
  { protocol: 'bluetooth', importance: 10 },
  { protocol: 'mqtt', importance: 50 },
];

/** Looks once a second for each span, and tells what was done at which second. */
function live(spans: readonly (readonly [seconds: number, pressure: number])[], from = GROUND) {
  let ladder: Ladder = from;
  let second = 0;
  const acts: string[] = [];
  for (const [seconds, pressure] of spans) {
    for (const end = second + seconds; second < end; second++) {
      const running = RUNNING.filter(({ protocol }) => !ladder.shed.includes(protocol));
      const look: Look = { nowMs: second * 1_000, pressure, running };
      const { after, act } = decide(ladder, look);
      if (act !== undefined) acts.push(`${second} ${said(act)}`);
      ladder = after;
    }
  }
  return { acts, ladder };
}

function said(act: Act): string {
  return act.kind === 'shed' && act.step !== 'mapper'
    ? act.step
    : `${act.kind} ${'protocol' in act ? act.protocol : ''}`;
}

test('each share of the budget has its step, and a step is taken once while it is not calm', () => {
  const cases: readonly (readonly [number, readonly string[]])[] = [
    [0.5, []],
    [0.8, []],
    [0.86, ['2 caches']],
    [0.93, ['2 caches', '12 samples']],
    [1, ['2 caches', '12 samples', '22 shed bluetooth', '32 shed mqtt']],
    [2, ['2 caches', '12 samples', '22 shed bluetooth', '32 shed mqtt']],
  ];
  for (const [pressure, expected] of cases) {
    assert.deepEqual(live([[40, pressure]]).acts, expected, String(pressure));
  }
});

test('two looks above the line are no shortage', () => {
  const peaks = Array.from(
    { length: 20 },
    () =>
      [
        [2, 1.5],
        [1, 0.8],
      ] as const,
  ).flat();
  assert.deepEqual(live(peaks).acts, []);
});

test('steps that did not help are tried again ever more rarely, from the first one on', () => {
  assert.deepEqual(live([[500, 0.9]]).acts, ['2 caches', '62 caches', '182 caches', '422 caches']);
  const both = ['2 caches', '12 samples', '72 caches', '82 samples', '202 caches', '212 samples'];
  assert.deepEqual(live([[250, 0.95]]).acts, both);
  assert.equal(live([[86_400, 0.9]]).ladder.againMs, 3_600_000);
});

// V8's heap saws: what a collection freed is taken again within seconds.
test('a dip is no calm: memory that saws about the line gives caches up no more often', () => {
  const saw = Array.from(
    { length: 60 },
    () =>
      [
        [10, 0.9],
        [5, 0.7],
      ] as const,
  ).flat();
  assert.ok(live(saw).acts.length <= 5, `${live(saw).acts.length} times in a quarter of an hour`);
  const quiet = live([
    [10, 0.9],
    [61, 0.7],
    [10, 0.9],
  ]);
  assert.deepEqual(quiet.acts, ['2 caches', '73 caches']);
});

test('the least important mapper goes first, and by name among equals', () => {
  const { acts } = live([[120, 1.1]]);
  assert.deepEqual(acts.slice(2, 6), [
    '22 shed bluetooth',
    '32 shed mqtt',
    '42 shed opcua',
    '52 shed modbus',
  ]);
});

test('a mapper comes back after a minute of calm, the most important first, one a minute', () => {
  const { acts } = live([
    [40, 1],
    [150, 0.5],
  ]);
  assert.deepEqual(acts.slice(4), ['100 resume mqtt', '160 resume bluetooth']);
});

test('between calm and the first step nothing is given up and nothing comes back', () => {
  const { acts, ladder } = live([
    [30, 1],
    [600, 0.8],
  ]);
  assert.equal(acts.length, 3);
  assert.deepEqual(ladder.shed, ['bluetooth']);
  assert.deepEqual(
    live([
      [30, 1],
      [50, 0.5],
      [1, 0.8],
      [50, 0.5],
    ]).acts.length,
    3,
  );
});

test('a mapper that cannot be afforded comes back ever more rarely', () => {
  let ladder: Ladder = GROUND;
  let resumes = 0;
  let shed = 0;
  // With the mapper the node is over, without it is calm: six hours of it.
  for (let second = 0; second < 6 * 3_600; second++) {
    const out = ladder.shed.length > 0;
    const look = {
      nowMs: second * 1_000,
      pressure: out ? 0.6 : 1.1,
      running: [{ protocol: 'opcua', importance: 50 }],
    };
    const { after, act } = decide(ladder, look);
    if (act?.kind === 'resume') resumes += 1;
    if (act?.kind === 'shed' && act.step === 'mapper') shed += 1;
    ladder = after;
  }
  assert.ok(resumes >= 6 && resumes <= 12, `${resumes} times back in six hours`);
  assert.equal(shed, resumes + 1);
  assert.equal(ladder.patienceMs, 3_600_000);
});
