/**
 * Lives of history full of kills, full disks, silent devices, shortage and overflow. After each, every report is a
 * sample, once, or lies in a gap; and no gap is told where there are samples. One for forty of `LIMPET_LIVES`, from `LIMPET_SEED` on: each takes a tenth of a second.
 */
import assert from 'node:assert/strict';
import { copyFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { type Reported } from '@limpet/dmi/manifest';
import { device, folder, model, row, TestClock, testLog } from '../fixtures.ts';
import { unmetered } from '../metered.ts';
import { TwinStore } from '../store.ts';
import { Samples } from './samples.ts';

const LIVES = Math.ceil(Number(process.env['LIMPET_LIVES'] ?? 1_200) / 40);
const FIRST = Number(process.env['LIMPET_SEED'] ?? 0);
const STEPS = 400;
const NAMES = ['x', 'y', 'z'];
const A = 'default/a';
/** Overflows after some 100 samples: 1,000 pages are the WAL's, 1 MiB is kept free. */
const MAX_BYTES = 1_000 * 4_096 + 2 ** 20 + 48 * 1024;

/** mulberry32 */
function chance(seed: number): (below: number) => number {
  let state = seed + 0x9e3779b9;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

class Life {
  readonly clock = new TestClock(1_000_000);
  readonly store = TwinStore.open({ path: ':memory:', clock: this.clock, log: testLog() });
  readonly given: { name: string; value: string; at: number }[] = [];
  readonly #below: (below: number) => number;
  readonly #folder: string;
  #generation = 0;
  #rev = 4;
  #low = false;
  #kept = true;
  samples: Samples;

  constructor(t: TestContext, seed: number) {
    this.#below = chance(seed);
    this.#folder = folder(t);
    this.#declare(true);
    this.samples = this.#open();
  }

  step(): void {
    this.clock.advance(this.#below(3) === 0 ? this.#below(9_000) : this.#below(200));
    const act = this.#below(100);
    if (act < 70) this.#report(this.#below(12) === 0 ? 'bad' : 'good');
    else if (act < 80) this.#silent();
    else if (act < 84) this.#low = !this.#low;
    else if (act < 87) this.samples.shed();
    else if (act < 89) this.#declare(!this.#kept);
    else if (act < 93) this.#restart('killed');
    else if (act < 95) this.#restart('stopped');
  }

  /** All is well again, and every property says something. */
  end(): void {
    this.#low = false;
    if (!this.#kept) this.#declare(true);
    this.clock.advance(20_000);
    for (const name of NAMES) this.#say(name, 'good');
    this.clock.advance(20_000);
  }

  close(): void {
    this.samples.close();
    this.store.close();
  }

  #report(quality: Reported['quality']): void {
    this.#say(NAMES[this.#below(NAMES.length)] as string, quality);
  }

  #say(name: string, quality: Reported['quality']): void {
    const at = this.clock.now();
    const value = `${this.given.length} ${'v'.repeat(this.#below(300))}`;
    if (this.#kept) this.given.push({ name, value, at });
    this.store.condition(A, { state: 'online', lastSeen: at });
    this.store.report(A, new Map([[name, { value, at, quality }]]));
  }

  /** The device is away, or nothing has been read since the start. */
  #silent(): void {
    for (const name of NAMES) {
      const reported = this.store.twin(A)?.properties.get(name)?.reported;
      if (reported) this.store.report(A, new Map([[name, { ...reported, quality: 'stale' }]]));
    }
  }

  #restart(how: 'killed' | 'stopped'): void {
    const dead = this.#path();
    if (how === 'stopped') this.samples.close();
    this.#generation++;
    for (const suffix of ['', '-wal']) {
      if (existsSync(dead + suffix)) copyFileSync(dead + suffix, this.#path() + suffix);
    }
    // What a killed one still writes goes into a file that nobody reads any more.
    if (how === 'killed') this.samples.close();
    this.#silent();
    this.clock.advance(this.#below(5_000));
    this.samples = this.#open();
  }

  #declare(kept: boolean): void {
    this.#kept = kept;
    const properties = NAMES.map((name) => {
      return { name, type: 'string' as const, ...(kept && { history: true as const }) };
    });
    const rows = [row(model('m', properties), (this.#rev += 2))];
    if (this.#rev === 6) rows.push(row(device('a', 'm'), (this.#rev += 2)));
    this.store.mergeWanted(rows, this.#rev);
  }

  #path(): string {
    return join(this.#folder, `samples-${this.#generation}.db`);
  }

  #open(): Samples {
    return new Samples({
      path: this.#path(),
      store: this.store,
      maxBytes: MAX_BYTES,
      maxAgeMs: 86_400_000,
      low: () => this.#low,
      metered: unmetered,
      clock: this.clock,
      log: testLog(),
      maxWaiting: 4_000,
    });
  }
}

function check({ samples, given }: Life, name: string): Set<string> {
  const past = samples.history(A, name, { since: 0, limit: 1_000 });
  assert.ok(past && past.next === undefined);
  const kept = new Set(past.samples.map(({ value }) => value));
  const distinct = new Set(past.samples.map(({ at, value }) => `${at} ${JSON.stringify(value)}`));
  assert.equal(distinct.size, past.samples.length, `${name}: a sample twice`);
  for (const { value, at } of given.filter((each) => each.name === name)) {
    if (kept.has(value)) continue;
    const gap = past.gaps.some(({ from, to = Infinity }) => from <= at && at <= to);
    assert.ok(gap, `${name}: ${value.slice(0, 9)} at ${at} is unaccounted for`);
  }
  for (const { from, to = Infinity, cause } of past.gaps) {
    const inside: readonly unknown[] = past.samples.filter(({ at }) => at > from && at < to);
    assert.equal(inside.length, 0, `${name}: a sample in the gap (${cause}) ${from}-${to}`);
  }
  return new Set(past.gaps.map(({ cause }) => cause));
}

test(`in ${LIVES} lives nothing of the past is unaccounted for`, (t) => {
  const causes = new Set<string>();
  for (let seed = FIRST; seed < FIRST + LIVES; seed++) {
    const life = new Life(t, seed);
    try {
      for (let step = 0; step < STEPS; step++) life.step();
      life.end();
      for (const name of NAMES) for (const cause of check(life, name)) causes.add(cause);
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
    } finally {
      life.close();
    }
  }
  const all = ['away', 'disk', 'down', 'dropped', 'off', 'shed'];
  if (LIVES >= 30) assert.deepEqual([...causes].toSorted(), all, 'each of them happened');
});
