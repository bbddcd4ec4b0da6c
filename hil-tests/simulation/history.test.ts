/**
 * Lives of a node's history between the real ring of the edge and the real history of the cloud, through the real door: kills,
 * power cuts, overflow, a full disk, answers that get lost, and either side back from an older copy. In the end every value
 * that was reported is in the cloud, once, or lies in a gap there. One life for 120 of `LIMPET_LIVES`, from `LIMPET_SEED` on.
 */
import assert from 'node:assert/strict';
import { copyFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { readFromEdge } from '#cloud/service/hub/frames.ts';
import { pastSource } from '#cloud/service/history/source.ts';
import { join as joined } from '#cloud/service/hub/presence.ts';
import { CloudStore } from '#cloud/service/store/store.ts';
import type { FromEdge, PastCursor } from '#protocol';
import { PastStream } from '#runtime/sync/past.ts';
import { device, folder, model, row, TestClock, testLog } from '#runtime/twin/fixtures.ts';
import { unmetered } from '#runtime/twin/metered.ts';
import { Samples } from '#runtime/twin/samples/samples.ts';
import { TwinStore } from '#runtime/twin/store.ts';
import type { Reported } from '@limpet/dmi/manifest';
import { Chance } from './chance.ts';
import { FACTS } from './plant.ts';

const LIVES = Math.ceil(Number(process.env['LIMPET_LIVES'] ?? 1_200) / 120);
const FIRST = Number(process.env['LIMPET_SEED'] ?? 0);
const STEPS = 300;
const NAMES = ['x', 'y', 'z'];
const A = 'default/a';
const NODE = 'gateway-1';
/** Overflows after some 100 samples: 1,000 pages are the WAL's, 1 MiB is kept free. */
const MAX_BYTES = 1_000 * 4_096 + 2 ** 20 + 48 * 1024;
const START = Date.UTC(2026, 0, 1);

class Life {
  readonly given: { readonly name: string; readonly value: string; readonly at: number }[] = [];
  readonly #chance: Chance;
  readonly #clock = new TestClock(START);
  readonly #log = testLog();
  readonly #twins = TwinStore.open({ path: ':memory:', clock: this.#clock, log: this.#log });
  readonly #folder: string;
  #files = 0;
  #edgeFile = '';
  #cloudFile = '';
  #edgeCopy: string | undefined;
  #cloudCopy: string | undefined;
  #low = false;
  #samples: Samples;
  #cloud: CloudStore | undefined;
  #stream: PastStream | undefined;
  /** Sent, and not yet heard by the cloud. */
  #sent: string | undefined;

  /** Of a hundred, up to where each happens. */
  readonly #happenings: readonly (readonly [below: number, happen: () => unknown])[] = [
    [55, () => this.#report(this.#chance.below(12) === 0 ? 'bad' : 'good')],
    [60, () => this.#silent()],
    [62, () => (this.#low = !this.#low)],
    [63, () => this.#samples.shed()],
    [66, () => this.#restartEdge(this.#chance.below(2) === 0 ? 'killed' : 'stopped')],
    [67, () => this.#restartEdge('rolled back')],
    [69, () => (this.#edgeCopy = this.#copy(this.#edgeFile, 'ring'))],
    [71, () => (this.#stream = undefined)],
    [73, () => this.#restartCloud('killed')],
    [74, () => this.#restartCloud('restored')],
    [75, async () => (this.#cloudCopy = await this.#copyCloud())],
    [100, () => this.#talk()],
  ];

  constructor(t: TestContext, seed: number) {
    this.#chance = new Chance(seed);
    this.#folder = folder(t);
    const properties = NAMES.map((name) => ({
      name,
      type: 'string' as const,
      history: true as const,
    }));
    this.#twins.mergeWanted([row(model('m', properties), 2), row(device('a', 'm'), 4)], 4);
    this.#edgeFile = this.#file('ring');
    this.#samples = this.#open();
  }

  async step(): Promise<void> {
    const chance = this.#chance;
    this.#clock.advance(chance.below(3) === 0 ? chance.below(9_000) : chance.below(200));
    const act = chance.below(100);
    const [, happen] = this.#happenings.find(([below]) => act < below) ?? [];
    await happen?.();
  }

  /** All is well again, every property says something, and everything is told. */
  async end(): Promise<void> {
    this.#low = false;
    this.#clock.advance(20_000);
    for (const name of NAMES) this.#say(name, 'good');
    this.#clock.advance(20_000);
    for (let quiet = 0; quiet < 3; quiet++) {
      const before = this.#sent;
      await this.#talk();
      if (this.#sent !== undefined || before !== undefined) quiet = 0;
    }
  }

  async close(): Promise<void> {
    this.#samples.close();
    this.#twins.close();
    await this.#cloud?.close();
  }

  async check(name: string): Promise<ReadonlySet<string>> {
    const source = await pastSource(await this.#openCloud(), A, name);
    assert.ok(source, `${name}: nothing in the cloud`);
    const time = { from: 0, to: START * 2 };
    const { samples } = await source.page(time, { limit: 100_000 });
    const gaps = await source.gaps(time);
    const told = samples.map(
      ({ at, value, quality }) => `${at} ${quality} ${JSON.stringify(value)}`,
    );
    assert.equal(new Set(told).size, told.length, `${name}: a sample twice`);
    const kept = new Set(samples.map(({ value }) => value));
    for (const { value, at } of this.given.filter((each) => each.name === name)) {
      if (kept.has(value)) continue;
      const gap = gaps.some(({ from, to = Infinity }) => from <= at && at <= to);
      assert.ok(gap, `${name}: ${value.slice(0, 9)} at ${at - START} is unaccounted for`);
    }
    // What the edge still has is there as it is.
    const own = this.#samples.history(A, name, { since: 0, limit: 100_000 });
    for (const { at, value, quality } of own?.samples ?? []) {
      assert.ok(
        told.includes(`${at} ${quality} ${JSON.stringify(value)}`),
        `${name}: ${at - START} is missing`,
      );
    }
    return new Set(gaps.map(({ cause }) => cause));
  }

  #report(quality: Reported['quality']): void {
    this.#say(this.#chance.of(NAMES), quality);
  }

  #say(name: string, quality: Reported['quality']): void {
    const at = this.#clock.now();
    const value = `${this.given.length} ${'v'.repeat(this.#chance.below(300))}`;
    this.given.push({ name, value, at });
    this.#twins.condition(A, { state: 'online', lastSeen: at });
    this.#twins.report(A, new Map([[name, { value, at, quality }]]));
  }

  #silent(): void {
    for (const name of NAMES) {
      const reported = this.#twins.twin(A)?.properties.get(name)?.reported;
      if (reported) this.#twins.report(A, new Map([[name, { ...reported, quality: 'stale' }]]));
    }
  }

  /** The dead one's last words go into a file that nobody reads any more. */
  #restartEdge(how: 'killed' | 'stopped' | 'rolled back'): void {
    this.#stream = undefined;
    if (how === 'stopped') this.#samples.close();
    const from = (how === 'rolled back' && this.#edgeCopy) || this.#edgeFile;
    this.#edgeFile = this.#copy(from, 'ring');
    if (how !== 'stopped') this.#samples.close();
    this.#silent();
    this.#clock.advance(this.#chance.below(5_000));
    this.#samples = this.#open();
  }

  async #restartCloud(how: 'killed' | 'restored'): Promise<void> {
    this.#stream = undefined;
    await this.#cloud?.close();
    this.#cloud = undefined;
    if (how === 'restored' && this.#cloudCopy)
      this.#cloudFile = this.#copy(this.#cloudCopy, 'cloud');
  }

  /** The next message, or its answer; either may be the last of its conversation. */
  async #talk(): Promise<void> {
    if (this.#stream === undefined) {
      const cloud = await this.#openCloud();
      const cursor = await cloud.commit.run(async ({ past }) => past?.cursor(NODE));
      this.#stream = this.#streamFrom(cursor);
    }
    const text = this.#sent;
    if (text === undefined) {
      this.#stream.written();
      this.#stream.next();
      return;
    }
    this.#sent = undefined;
    const frame = readFromEdge(text);
    if (!frame.ok || frame.spoiled > 0 || frame.message.type !== 'past')
      throw new Error('the door refused');
    const { n, run, series } = frame.message;
    await (
      await this.#openCloud()
    ).commit.run(async ({ past }) => past?.take(NODE, { n, run, series }));
    assert.ok(this.#stream.acknowledged(n));
  }

  #streamFrom(cursor: PastCursor | undefined): PastStream {
    this.#sent = undefined;
    const send = (message: FromEdge): void => void (this.#sent = JSON.stringify(message));
    const pageAfter = (after: PastCursor | undefined): ReturnType<Samples['pageAfter']> => {
      return this.#samples.pageAfter(after, 1 + this.#chance.below(3_000));
    };
    return new PastStream(
      { past: { pageAfter }, monotonic: () => this.#clock.monotonic(), send },
      cursor,
    );
  }

  async #openCloud(): Promise<CloudStore> {
    if (this.#cloud) return this.#cloud;
    this.#cloudFile ||= this.#file('cloud');
    const history = { ageMs: 1e12, bytes: 1e12 };
    const cloud = await CloudStore.open({
      path: this.#cloudFile,
      clock: this.#clock,
      log: this.#log,
      history,
    });
    await cloud.commit.run(async (tx) => {
      if (!(await tx.objects.has('Device', A))) await tx.wanted.put(A, device('a', 'm'));
      await joined(tx, {
        type: 'hello',
        protocol: 1,
        node: NODE,
        epoch: 'e',
        rev: 0,
        facts: FACTS,
      });
    });
    this.#cloud = cloud;
    return cloud;
  }

  async #copyCloud(): Promise<string> {
    await this.#restartCloud('killed');
    this.#cloudFile ||= this.#file('cloud');
    return this.#copy(this.#cloudFile, 'cloud');
  }

  #file(name: string): string {
    return join(this.#folder, `${name}-${this.#files++}.db`);
  }

  #copy(from: string, name: string): string {
    const to = this.#file(name);
    for (const suffix of ['', '-wal']) {
      if (existsSync(from + suffix)) copyFileSync(from + suffix, to + suffix);
    }
    return to;
  }

  #open(): Samples {
    return new Samples({
      path: this.#edgeFile,
      store: this.#twins,
      maxBytes: MAX_BYTES,
      maxAgeMs: 86_400_000,
      low: () => this.#low,
      metered: unmetered,
      clock: this.#clock,
      log: this.#log,
      maxWaiting: 4_000,
    });
  }
}

test(`in ${LIVES} lives everything that was reported is in the cloud, once, or in a gap there`, async (t) => {
  const causes = new Set<string>();
  for (let seed = FIRST; seed < FIRST + LIVES; seed++) {
    const life = new Life(t, seed);
    try {
      for (let step = 0; step < STEPS; step++) await life.step();
      await life.end();
      for (const name of NAMES) for (const cause of await life.check(name)) causes.add(cause);
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
    } finally {
      await life.close();
    }
  }
  if (LIVES >= 20)
    assert.deepEqual([...causes].toSorted(), ['away', 'disk', 'down', 'dropped', 'shed']);
});
