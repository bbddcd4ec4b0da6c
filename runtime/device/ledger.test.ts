import { type FakeClock, fakeClock } from '@limpet/dmi/testing';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WINDOW_MS } from './budget.ts';
import { Gate } from './gate.ts';
import { DEAD_PORT_SHARE, DEAD_SHARE, Ledger } from './ledger.ts';
import { Retry } from './retry.ts';
import { seeded } from './seeded.fixture.ts';
import { Turns } from './turns.ts';

const NEVER = new AbortController().signal;
const SPAN_MS = 3 * WINDOW_MS;

interface Span {
  readonly from: number;
  readonly to: number;
}

/** A line of slaves on a clock of its own; what each of them wastes of it. */
class Line {
  readonly clock: FakeClock = fakeClock();
  readonly gate = new Gate(this.clock, DEAD_PORT_SHARE);
  readonly turns = new Turns(() => undefined);
  readonly wasted: Span[][] = [];

  /** Tries one slave for ever; `dies` says at each turn whether it is silent. */
  async slave(costMs: number, random: () => number, dies: () => boolean): Promise<void> {
    const { clock, gate } = this;
    const ledger = new Ledger({ clock, gate, shared: () => true });
    const retry = new Retry(random);
    const spans: Span[] = [];
    this.wasted.push(spans);
    for (;;) {
      const giveBack = await this.turns.take(`${costMs}`, 'poll', NEVER);
      if (dies()) {
        const from = clock.monotonic();
        await clock.sleep(costMs);
        spans.push({ from, to: from + costMs });
        ledger.silent(costMs);
        giveBack();
        ledger.tried();
        await clock.sleep(retry.failed());
        await ledger.wait(NEVER);
      } else {
        ledger.answered();
        retry.succeeded();
        giveBack();
        await clock.sleep(1_000);
      }
    }
  }
}

/** The most that any window holds; it is enough to look at those that begin or end with a span. */
function worstWindow(spans: readonly Span[]): number {
  const begins = spans.flatMap(({ from, to }) => [from, to - WINDOW_MS]);
  const within = (begin: number): number =>
    spans.reduce(
      (sum, { from, to }) =>
        sum + Math.max(0, Math.min(to, begin + WINDOW_MS) - Math.max(from, begin)),
      0,
    );
  return Math.max(0, ...begins.map(within));
}

const SLAVE_MS = DEAD_SHARE.share * WINDOW_MS;
const PORT_MS = DEAD_PORT_SHARE.share * WINDOW_MS;

test('one dead slave never takes more than its share of any ten minutes, and uses it at most', async () => {
  for (const [seed, costMs] of [200, 1_000, 2_000, 5_000, 10_000, 15_000].entries()) {
    const line = new Line();
    void line.slave(costMs, seeded(seed), () => true);
    await line.clock.advance(SPAN_MS);
    const [spans = []] = line.wasted;
    const worst = worstWindow(spans);
    assert.ok(worst <= SLAVE_MS + 1, `${costMs} ms each: ${worst}`);
    assert.ok(spans.length >= 3, `${costMs} ms each: tried ${spans.length} times`);
  }
});

test('twenty dead slaves together leave four fifths of the line to the others', async () => {
  for (let seed = 1; seed <= 4; seed++) {
    const random = seeded(seed);
    const line = new Line();
    const costs = Array.from({ length: 20 }, () => 500 + Math.floor(random() * 6_000));
    for (const costMs of costs) void line.slave(costMs, random, () => true);
    await line.clock.advance(SPAN_MS);
    // The first silence of each is not yet one of a slave that is known to be lost.
    const retries = line.wasted.flatMap((spans) => spans.slice(1));
    const worst = worstWindow(retries);
    assert.ok(worst <= PORT_MS + 1, `seed ${seed}: ${worst} ms`);
    for (const [index, spans] of line.wasted.entries()) {
      assert.ok(worstWindow(spans) <= SLAVE_MS + 1, `seed ${seed}, slave ${index}`);
      assert.ok(spans.length >= 3, `seed ${seed}, slave ${index} is tried, none is forgotten`);
    }
  }
});

test('a slave that answers now and then cannot take more by flapping', async () => {
  for (let seed = 1; seed <= 10; seed++) {
    const random = seeded(seed);
    const line = new Line();
    void line.slave(1_000, random, () => random() < 0.5);
    await line.clock.advance(SPAN_MS);
    const [spans = []] = line.wasted;
    assert.ok(worstWindow(spans) <= SLAVE_MS + 1, `seed ${seed}: ${worstWindow(spans)}`);
  }
});

test('one lost reply is followed by a try within two seconds', async () => {
  const line = new Line();
  let asked = 0;
  const times: number[] = [];
  void line.slave(1_000, seeded(1), () => {
    times.push(line.clock.monotonic());
    return ++asked === 5;
  });
  await line.clock.advance(10_000);
  assert.ok((times[5] ?? Infinity) - (times[4] ?? 0) <= 3_000, times.join());
});

test('a line that is back serves all its slaves at once, not one after each other pause', async () => {
  const line = new Line();
  const random = seeded(7);
  let dead = false;
  const back = new Set<number>();
  for (let index = 0; index < 30; index++) {
    void line.slave(1_000, random, () => {
      if (!dead) back.add(index);
      return dead;
    });
  }
  await line.clock.advance(5_000);
  dead = true;
  await line.clock.advance(40_000);
  back.clear();
  dead = false;
  await line.clock.advance(60_000);
  assert.equal(back.size, 30);
});

test('the gate lets one through at a time, in their order, and forgets who stops waiting', async () => {
  const clock = fakeClock();
  const gate = new Gate(clock, DEAD_PORT_SHARE);
  const over = await gate.pass(1_000, NEVER);
  const passed: string[] = [];
  const stop = new AbortController();
  const refused = assert.rejects(gate.pass(1_000, stop.signal), /enough/);
  const second = gate.pass(1_000, NEVER).then((done) => (passed.push('second'), done));
  const third = gate.pass(1_000, NEVER).then((done) => (passed.push('third'), done));
  stop.abort(new Error('enough'));
  await refused;
  await clock.advance(60_000);
  assert.deepEqual(passed, []);
  over(1_000);
  over(1_000);
  (await second)(1_000);
  (await third)(1_000);
  assert.deepEqual(passed, ['second', 'third']);
});

test('alone on its port a slave waits for nobody', async () => {
  const clock = fakeClock();
  const gate = new Gate(clock, DEAD_PORT_SHARE);
  const ledger = new Ledger({ clock, gate, shared: () => false });
  ledger.silent(500_000);
  assert.ok(ledger.bearable);
  await ledger.wait(NEVER);
});
