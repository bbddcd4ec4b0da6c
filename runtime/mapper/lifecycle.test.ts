import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seeded } from '../device/seeded.fixture.ts';
import { type Life, type LifeEvent, NEW_LIFE, next, type Step } from './lifecycle.ts';

const reason = { code: 'MAPPER_EXITED', message: 'it ended with exit code 1' };
const other = { code: 'MAPPER_BUDGET', message: 'too much memory' };

/** The life after these events, one second apart unless a number of ms stands between them. */
function live(...events: (LifeEvent['kind'] | LifeEvent | number)[]) {
  let life = NEW_LIFE;
  let nowMs = 0;
  let steps: readonly Step[] = [];
  for (const each of events) {
    if (typeof each === 'number') {
      nowMs += each - 1_000;
      continue;
    }
    nowMs += 1_000;
    const event =
      typeof each === 'string' ? ({ kind: each, reason, broken: false } as LifeEvent) : each;
    ({ life, steps } = next(life, event, { nowMs, random: 0.5 }));
  }
  return { life, steps: steps.map((step) => step.kind), full: steps, phase: life.phase.kind };
}

const crash = ['exited', 'due', 'ready'] as const;

test('every event of a life leads where it should', () => {
  const broken: LifeEvent = { kind: 'failed', reason, broken: true };
  const table: [string, Parameters<typeof live>, string, Step['kind'][]][] = [
    ['nothing runs until a device needs it', ['changed', 'resume'], 'idle', []],
    ['the first need starts it', ['needed'], 'starting', ['start']],
    ['a second need starts nothing more', ['needed', 'needed'], 'starting', []],
    ['once ready, devices plan', ['needed', 'ready'], 'ready', ['announce']],
    ['an exit waits', ['needed', 'ready', 'exited'], 'waiting', ['wait']],
    ['then it starts', ['needed', 'ready', 'exited', 'due'], 'starting', ['start']],
    ['a failed start is an exit', ['needed', 'failed'], 'waiting', ['wait']],
    ['a mapper that cannot be loaded is not tried again', ['needed', broken], 'broken', []],
    ['until its files change', ['needed', broken, 'changed'], 'starting', ['start']],
    ['one silence is forgiven', ['needed', 'ready', 'silent'], 'ready', []],
    ['an answer wipes it out', ['needed', 'ready', 'silent', 'answered', 'silent'], 'ready', []],
    ['two are not', ['needed', 'ready', 'silent', 'silent'], 'dying', ['kill']],
    ['over budget it is killed', ['needed', 'ready', { kind: 'over', reason }], 'dying', ['kill']],
    ['also while it starts', ['needed', { kind: 'over', reason }], 'dying', ['kill']],
    [
      'killed and gone it waits',
      ['needed', 'ready', 'silent', 'silent', 'exited'],
      'waiting',
      ['wait'],
    ],
    ['shed it is ended in good order', ['needed', 'ready', 'shed'], 'shed', ['end']],
    ['shed while it starts it is killed', ['needed', 'shed'], 'shed', ['kill']],
    ['its exit is then no trouble', ['needed', 'ready', 'shed', 'exited'], 'shed', []],
    ['nor its failed start', ['needed', 'shed', 'failed'], 'shed', []],
    ['resumed it starts again', ['needed', 'ready', 'shed', 'resume'], 'starting', ['start']],
    ['shed before it was needed it stays idle then', ['shed', 'resume'], 'idle', []],
    ['held it is ended', ['needed', 'ready', 'hold'], 'stopped', ['end']],
    ['other files end the hold', ['needed', 'ready', 'hold', 'changed'], 'starting', ['start']],
    ['a new version starts beside it', ['needed', 'ready', 'changed'], 'ready', ['start-next']],
    [
      'and takes over once it is ready',
      ['needed', 'ready', 'changed', 'next-ready'],
      'ready',
      ['take-over', 'announce'],
    ],
    ['a broken one leaves the old', ['needed', 'ready', 'changed', 'next-failed'], 'ready', []],
    [
      'saved twice: the later one follows',
      ['needed', 'ready', 'changed', 'changed', 'next-ready'],
      'ready',
      ['take-over', 'announce', 'start-next'],
    ],
    [
      'saved twice, first one broken',
      ['needed', 'ready', 'changed', 'changed', 'next-failed'],
      'ready',
      ['start-next'],
    ],
    [
      'changed while it starts',
      ['needed', 'changed', 'ready'],
      'ready',
      ['announce', 'start-next'],
    ],
    ['changed while a broken one starts', ['needed', 'changed', broken], 'starting', ['start']],
    [
      'the old one dies meanwhile',
      ['needed', 'ready', 'changed', 'exited', 'due'],
      'waiting',
      ['wait'],
    ],
    [
      'the new one then takes its place',
      ['needed', 'ready', 'changed', 'exited', 'next-ready'],
      'ready',
      ['take-over', 'announce'],
    ],
    [
      'shed during a replacement',
      ['needed', 'ready', 'changed', 'shed'],
      'shed',
      ['drop-next', 'end'],
    ],
    [
      'what became ready too late is dropped',
      ['needed', 'ready', 'changed', 'shed', 'next-ready'],
      'shed',
      ['drop-next'],
    ],
    ['the end', ['needed', 'ready', 'stop'], 'ended', ['end']],
    [
      'nothing after the end',
      ['needed', 'ready', 'stop', 'needed', 'resume', 'changed'],
      'ended',
      [],
    ],
    [
      'other files are another chance',
      ['needed', 'ready', 'exited', 'changed'],
      'starting',
      ['start'],
    ],
  ];
  for (const [title, events, phase, steps] of table) {
    const lived = live(...events);
    assert.equal(lived.phase, phase, title);
    assert.deepEqual(lived.steps, steps, title);
  }
});

test('pauses grow with each exit, jittered, and five within a minute are a crash loop', () => {
  const waits = [1, 2, 3, 4, 5].map((count) => {
    const events = Array.from({ length: count }, () => crash).flat();
    return live('needed', 'ready', ...events.slice(0, -2)).full[0];
  });
  assert.deepEqual(
    waits,
    [750, 1_250, 2_250, 4_250, 60_000].map((ms) => ({ kind: 'wait', ms })),
  );
  const shortest = next(
    live('needed', 'ready').life,
    { kind: 'exited', reason },
    { nowMs: 9, random: 0 },
  );
  assert.deepEqual(shortest.steps, [{ kind: 'wait', ms: 500 }]);
});

test('a crash loop is left only by living for a minute, or with other files', () => {
  const five = [...crash, ...crash, ...crash, ...crash];
  const tried = live('needed', 'ready', ...five, 'exited', 61_000, 'due', 'ready', 5_000, 'exited');
  assert.deepEqual(tried.life.phase, {
    kind: 'waiting',
    loop: true,
    untilMs: tried.life.exits.at(-1)! + 60_000,
  });
  const lived = live(
    'needed',
    'ready',
    ...five,
    'exited',
    61_000,
    'due',
    'ready',
    61_000,
    'exited',
  );
  assert.equal(
    lived.phase === 'waiting' && 'loop' in lived.life.phase && lived.life.phase.loop,
    false,
  );
  assert.equal(live('needed', 'ready', ...five, 'exited', 'changed').life.looping, false);
});

test('the reason is that of whoever ended it, also when it is ready again, until its files are others', () => {
  const killed = live('needed', 'ready', { kind: 'over', reason: other }, 'exited');
  assert.deepEqual(killed.life.reason, other);
  assert.equal(
    live('needed', 'ready', 'silent', 'silent', 'exited').life.reason?.code,
    'MAPPER_UNRESPONSIVE',
  );
  assert.deepEqual(live('needed', 'ready', 'exited', 'due').life.reason, reason);
  assert.deepEqual(live('needed', 'ready', 'exited', 'due', 'ready').life.reason, reason);
  const mended = live('needed', 'ready', 'exited', 'due', 'ready', 'changed', 'next-ready');
  assert.equal(mended.life.reason, undefined);
  assert.equal(live('needed', 'ready', 'exited', 'due').life.restarts, 1);
});

test('a new version that is broken is told while the old one runs, until one takes over', () => {
  const failed = live('needed', 'ready', 'changed', 'next-failed');
  assert.deepEqual([failed.phase, failed.life.reason], ['ready', reason]);
  const mended = live('needed', 'ready', 'changed', 'next-failed', 'changed', 'next-ready');
  assert.equal(mended.life.reason, undefined);
  assert.equal(mended.life.restarts, 0);
});

test('whatever happens, there is at most one mapper, and one on its way', () => {
  for (let seed = 1; seed <= 300; seed++) simulate(seeded(seed));
});

const KINDS = [
  'needed',
  'ready',
  'answered',
  'silent',
  'due',
  'resume',
  'failed',
  'exited',
  'over',
  'shed',
  'hold',
  'changed',
  'next-ready',
  'next-failed',
] as const;

/** Events come only where the shell could send them; steps are done at once. */
function simulate(chance: () => number): void {
  let life: Life = NEW_LIFE;
  const running: Running = { current: 0, next: 0, killed: false };
  for (let step = 0; step < 200; step++) {
    const kind = KINDS[Math.floor(chance() * KINDS.length)] as (typeof KINDS)[number];
    if (!possible(kind, life, running)) continue;
    if (kind === 'failed' || kind === 'exited')
      Object.assign(running, { current: 0, killed: false });
    if (kind === 'next-failed') running.next = 0;
    const event = { kind, reason, broken: chance() < 0.3 } as LifeEvent;
    const decision = next(life, event, { nowMs: step * 1_000, random: chance() });
    life = decision.life;
    for (const { kind: done } of decision.steps) perform(done, running);
    assert.ok(
      running.current <= 1 && running.next <= 1,
      `${kind}: ${JSON.stringify({ life, running })}`,
    );
    assert.equal(
      running.next,
      life.replacing ? 1 : 0,
      `${kind}: ${JSON.stringify({ life, running })}`,
    );
    const alive = ['starting', 'ready'].includes(life.phase.kind);
    if (alive) assert.equal(running.current, 1, kind);
  }
}

/** Processes tell of themselves only while they are there. */
function possible(kind: LifeEvent['kind'], life: Life, running: Running): boolean {
  if (kind.startsWith('next-')) return running.next === 1;
  if (kind === 'exited') return running.current === 1;
  if (kind !== 'ready' && kind !== 'failed') return true;
  return running.current === 1 && life.phase.kind === 'starting';
}

interface Running {
  current: number;
  next: number;
  killed: boolean;
}

function perform(step: Step['kind'], running: Running): void {
  if (step === 'start') {
    // The shell waits for the exit of one that was killed.
    running.current = running.killed ? 1 : running.current + 1;
    running.killed = false;
  }
  if (step === 'end') running.current = 0;
  if (step === 'kill') running.killed = true;
  if (step === 'start-next') running.next += 1;
  if (step === 'drop-next') running.next = 0;
  if (step === 'take-over') Object.assign(running, { current: 1, next: 0, killed: false });
}
