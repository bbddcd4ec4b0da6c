import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Json } from '@limpet/dmi';
import type { PastItem, SeriesPast } from '#protocol';
import type { MirrorChange } from './history.ts';
import { readGaps, readSamples, sampleBefore } from './read.ts';
import { type Bench, openBench } from './testing.ts';

const NOW = 1_000_000;
const SPAN = { dev: 1, prop: 1, from: 0, to: 9e15 };
const resolve = async (_device: string, property: string) =>
  property === 'x' ? { dev: 1, prop: 1 } : undefined;

const past = (items: readonly PastItem[], n = 0): SeriesPast => ({
  device: 'default/a',
  property: 'x',
  since: 0,
  n,
  items,
});

async function told(bench: Bench, ...items: readonly PastItem[]): Promise<void> {
  await bench.history.take('n1', { run: 'r', n: 1, series: [past(items)] }, resolve);
}

function change(value: Json, at: number, more: Partial<MirrorChange> = {}): MirrorChange {
  const reported = { value, at, quality: 'good' as const };
  return { dev: 1, prop: 1, before: undefined, recorded: false, seq: at, ...more, reported };
}

async function shown({ sql }: Bench) {
  const { samples } = await readSamples(sql, SPAN, { limit: 1_000 });
  const gaps = await readGaps(sql, SPAN);
  return [
    samples.map(({ at, value, quality }) =>
      quality === 'good' ? [at, value] : [at, value, quality],
    ),
    gaps.map(({ cause, since, until }) => [cause, since, until ?? null]),
  ];
}

test('what an edge recorded is kept exactly, of whatever kind, however often it is told', async () => {
  const bench = await openBench(NOW);
  const items: PastItem[] = [
    [10, 1, 1.5],
    [20, 2, { b: 1, a: [null] }],
    [20, 3, true, 'bad'],
    { gap: 'away', from: 25, to: 30 },
    [30, 5, null, 'bad'],
    [40, 6, 'text'],
    [50, 7, 0.1 + 0.2],
  ];
  for (let times = 0; times < 3; times++) await told(bench, ...items);
  assert.deepEqual(await shown(bench), [
    [
      [10, 1.5],
      [20, { a: [null], b: 1 }],
      [20, true, 'bad'],
      [30, null, 'bad'],
      [40, 'text'],
      [50, 0.1 + 0.2],
    ],
    [['away', 25, 30]],
  ]);
  assert.deepEqual(await bench.history.cursor('n1'), { run: 'r', n: 1 });
});

test('a gap that goes on is the same when it ends later', async () => {
  const bench = await openBench(NOW);
  await told(bench, [10, 1, 1], { gap: 'away', from: 20, to: null });
  assert.deepEqual((await shown(bench))[1], [['away', 20, null]]);
  await told(bench, { gap: 'away', from: 20, to: 90 }, [90, 3, 2]);
  await told(bench, { gap: 'away', from: 20, to: 90 }, [90, 3, 2]);
  assert.deepEqual((await shown(bench))[1], [['away', 20, 90]]);
});

test('what a ring dropped is a gap only where the cloud does not know it', async () => {
  const bench = await openBench(NOW);
  await told(bench, [10, 1, 1], [20, 2, 2]);
  await told(bench, { gap: 'dropped', from: 5, to: 20 });
  assert.deepEqual((await shown(bench))[1], [], 'all of it came before');
  await told(bench, { gap: 'dropped', from: 5, to: 60 }, [70, 9, 7]);
  assert.deepEqual((await shown(bench))[1], [['dropped', 20, 60]]);
  await told(bench, { gap: 'dropped', from: 5, to: 60 }, [70, 9, 7]);
  await told(bench, { gap: 'dropped', from: 5, to: 95 }, [99, 12, 7]);
  assert.deepEqual((await shown(bench))[1], [
    ['dropped', 20, 60],
    ['dropped', 70, 95],
  ]);
});

test('what an edge forgot with its file or its power, and the cloud still knows, is no gap', async () => {
  const bench = await openBench(NOW);
  await told(bench, [10, 1, 1], [20, 2, 2], [30, 3, 3]);
  await told(bench, { gap: 'down', from: 15, to: 50 }, [50, 3, 4]);
  await told(bench, { gap: 'down', from: 15, to: 50 }, [50, 3, 4]);
  assert.deepEqual((await shown(bench))[1], [['down', 30, 50]]);
});

test('of what no edge records each change of the mirror is a sample, once', async () => {
  const bench = await openBench(NOW);
  const first = change(1, 500);
  await bench.history.mirrored([first]);
  await bench.history.mirrored([{ ...first, before: first.reported }]);
  const stale = { ...first.reported, quality: 'stale' as const };
  await bench.history.mirrored([{ ...first, seq: 9, before: first.reported, reported: stale }]);
  assert.deepEqual((await shown(bench))[0], [
    [500, 1],
    [NOW, 1, 'stale'],
  ]);
});

test('a property that gains history is taken from the mirror until the edge tells of it, then from the edge', async () => {
  const bench = await openBench(NOW);
  await bench.history.mirrored([change(1, 500), change(2, 600)]);
  await bench.history.mirrored([change(3, 700, { recorded: true })]);
  await told(bench, { gap: 'off', from: 100, to: 650 }, [650, 1, 2.5], [700, 2, 3]);
  await bench.history.mirrored([change(4, 800, { recorded: true })]);
  await told(bench, [800, 3, 4]);
  assert.deepEqual(await shown(bench), [
    [
      [500, 1],
      [600, 2],
      [650, 2.5],
      [700, 3],
      [800, 4],
    ],
    [],
  ]);
});

test('a property that loses history is taken from the mirror again, and what the edge tells late has its place', async () => {
  const bench = await openBench(NOW);
  await told(bench, [100, 1, 1]);
  await bench.history.mirrored([change(5, 500), change(6, 600)]);
  await told(bench, [200, 2, 2], [300, 3, 3]);
  await bench.history.mirrored([change(7, 700)]);
  assert.deepEqual((await shown(bench))[0], [
    [100, 1],
    [200, 2],
    [300, 3],
    [500, 5],
    [600, 6],
    [700, 7],
  ]);
});

test('what a node may not speak of is counted and left out', async () => {
  const { history } = await openBench(NOW);
  const other = { ...past([[1, 1, 1]]), property: 'y' };
  const taken = await history.take('n1', { run: 'r', n: 4, series: [other] }, resolve);
  assert.deepEqual(taken, { unknown: 1, late: 0 });
  assert.equal((await history.cursor('n1'))?.n, 4);
});

test('beyond its bytes or its age the oldest goes in slices, and the state at any kept time stays known', async () => {
  const bench = await openBench(NOW);
  const { history, clock, sql } = bench;
  const retention = { ageMs: 16_000_000, bytes: 1e9 };
  // One that changes all the time, one that was said once, one that comes late.
  await history.mirrored([change(42, NOW, { dev: 2 })]);
  const all: number[] = [];
  for (let step = 0; step < 300; step++) {
    clock.now += 100_000;
    all.push(clock.now);
    await history.mirrored([change(step, clock.now)]);
    while (await history.keep(retention));
  }
  const { horizon = 0 } = history.slices;
  assert.ok(horizon > clock.now - 18_000_000 && horizon < clock.now - 15_000_000);
  assert.ok(history.slices.all.length <= 18);
  const { samples } = await readSamples(sql, SPAN, { limit: 1_000 });
  assert.deepEqual(
    samples.map(({ at }) => at),
    all.filter((at) => at >= horizon),
  );
  for (const time of [horizon, horizon + 4_000_000, clock.now]) {
    assert.equal((await sampleBefore(sql, { dev: 2, prop: 1 }, time))?.value, 42);
  }
  // Late: into its own slice, and from there it is what the next ones begin with.
  const at = horizon + 2_500_000;
  await history.slices.add([{ dev: 3, prop: 1, at, n: 5, kind: 0, num: 7, text: null }]);
  assert.equal((await sampleBefore(sql, { dev: 3, prop: 1 }, clock.now))?.value, 7);
  assert.equal(await sampleBefore(sql, { dev: 3, prop: 1 }, at), undefined);
  const late = [{ dev: 3, prop: 1, at: horizon - 1, n: 5, kind: 0, num: 7, text: null }];
  assert.equal(await history.slices.add(late), 0);
});

test('a ceiling of bytes is held, and pages go over all slices', async () => {
  const bench = await openBench(NOW);
  const { history, clock, sql } = bench;
  for (let step = 0; step < 200; step++) {
    clock.now += 1_000;
    const batch = Array.from({ length: 50 }, (_, each) => change(each, clock.now - 50 + each));
    await history.mirrored(batch);
    while (await history.keep({ ageMs: 1e12, bytes: 100_000 }));
    assert.ok(history.slices.bytes < 110_000, `${history.slices.bytes} bytes`);
  }
  const whole = (await readSamples(sql, SPAN, { limit: 1e6 })).samples;
  assert.ok(whole.length > 2_000);
  const bits = [];
  for (let after: { at: number; n: number } | undefined; ;) {
    const page = await readSamples(sql, SPAN, { after, limit: 97 });
    bits.push(...page.samples);
    if (page.last === undefined) break;
    after = page.last;
  }
  assert.deepEqual(bits, whole);
});
