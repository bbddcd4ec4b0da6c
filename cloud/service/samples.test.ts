/** The past of a property as the cloud answers it. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join as path } from 'node:path';
import { after, test, type TestContext } from 'node:test';
import type { Json } from '@limpet/dmi';
import type { Quality } from '@limpet/dmi/manifest';
import { CloudBackend } from './backend.ts';
import type { Retention } from './history/slices.ts';
import { applyReports } from './hub/apply-report.ts';
import { join, leave } from './hub/presence.ts';
import { CloudStore } from './store/store.ts';
import { BOILER, BOILER_1, clockAt, FACTS, placeOf, silent } from './testing.ts';

const folder = mkdtempSync(path(tmpdir(), 'limpet-samples-'));
after(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;

const START = Date.UTC(2026, 0, 1);
const TARGET = { kind: 'Device', namespace: 'default', name: 'boiler-1' } as const;

async function cloud(t: TestContext, history: Retention | undefined = { ageMs: 1e9, bytes: 1e9 }) {
  const clock = clockAt(START);
  const file = placeOf(path(folder, `cloud-${files++}.db`));
  const store = await CloudStore.open({ path: file, clock, log: silent, history });
  t.after(() => store.close());
  const node = BOILER_1.spec.node;
  const { desired: _, ...spec } = BOILER_1.spec;
  const come = () => {
    return store.commit.run((tx) =>
      join(tx, { type: 'hello', protocol: 1, node, epoch: 'e', rev: 0, facts: FACTS }),
    );
  };
  await store.commit.run(async ({ wanted }) => {
    await wanted.put('default/boiler', BOILER);
    await wanted.put('default/boiler-1', { ...BOILER_1, spec });
  });
  await come();
  let seq = 0;
  /** After so many seconds the node says so; `late`: seconds after it was so. */
  const say = async (
    value: Json,
    seconds: number,
    late = 0,
    quality: Quality = 'good',
  ): Promise<void> => {
    clock.advance(seconds * 1_000);
    seq++;
    const reported = { value, at: clock.now() - late * 1_000, quality };
    const row = {
      kind: 'property',
      seq,
      device: 'default/boiler-1',
      property: 'temperature',
      reported,
    } as const;
    await store.commit.run((tx) => applyReports(tx, [{ node, rows: [row], to: seq, strays: 0 }]));
  };
  const backend = new CloudBackend(store);
  const go = () => store.commit.run((tx) => leave(tx, node));
  return { clock, store, backend, say, come, go };
}

test('what reached the cloud is told in pages, oldest first', async (t) => {
  const { backend, say } = await cloud(t);
  for (let each = 0; each < 25; each++) await say(each, 1);
  const values: Json[] = [];
  for (let next: string | undefined; ;) {
    const query = { sinceMs: 20_000, limit: 7, ...(next && { after: next }) };
    const page = await backend.samples(TARGET, 'temperature', query);
    values.push(...page.samples.map(({ value }) => value));
    if (page.next === undefined) break;
    next = page.next;
  }
  assert.deepEqual(
    values,
    Array.from({ length: 21 }, (_, index) => index + 4),
  );
  const { samples } = await backend.samples(TARGET, 'temperature', {
    from: START,
    to: START + 2_000,
    limit: 9,
  });
  assert.deepEqual(samples, [
    { at: '2026-01-01T00:00:01.000Z', value: 0, quality: 'good' },
    { at: '2026-01-01T00:00:02.000Z', value: 1, quality: 'good' },
  ]);
});

test('in buckets of time, as many as are asked for at once', async (t) => {
  const { backend, say } = await cloud(t);
  for (const value of [10, 20, 30, 40]) await say(value, 30);
  const first = await backend.samples(TARGET, 'temperature', {
    from: START,
    limit: 1,
    bucketMs: 60_000,
  });
  assert.deepEqual(first.buckets, [
    {
      from: '2026-01-01T00:00:00.000Z',
      count: 1,
      heldMs: 30_000,
      min: 10,
      max: 10,
      mean: 10,
      last: 10,
    },
  ]);
  const after = first.next ?? assert.fail('there is more');
  const second = await backend.samples(TARGET, 'temperature', {
    from: START,
    limit: 9,
    bucketMs: 60_000,
    after,
  });
  assert.deepEqual(
    [second.buckets, second.next, second.samples],
    [
      [
        {
          from: '2026-01-01T00:01:00.000Z',
          count: 2,
          heldMs: 60_000,
          min: 20,
          max: 30,
          mean: 25,
          last: 30,
        },
      ],
      undefined,
      [],
    ],
  );
});

test('while the node is away there is a gap, and afterwards up to the last change, if there was one', async (t) => {
  const { backend, say, come, go, clock } = await cloud(t);
  const gaps = async () => {
    const page = await backend.samples(TARGET, 'temperature', { from: START, limit: 100 });
    return page.gaps.map(({ cause, from, to }) => [cause, seconds(from), to && seconds(to)]);
  };
  await say(1, 10);
  await go();
  clock.advance(20_000);
  assert.deepEqual(await gaps(), [['unseen', 10, undefined]]);
  await come();
  await say(2, 1, 5);
  assert.deepEqual(await gaps(), [['unseen', 10, 26]]);
  await go();
  clock.advance(20_000);
  await come();
  await say(3, 100);
  assert.deepEqual(await gaps(), [['unseen', 10, 26]], 'nothing changed meanwhile');
});

test('in buckets a time without a good value is told as a gap, until the next one whenever that was', async (t) => {
  const { backend, say } = await cloud(t);
  await say(1, 10);
  await say(1, 10, 0, 'stale');
  const gaps = async (to: number) => {
    const query = { from: START, to: START + to * 1_000, limit: 100, bucketMs: 5_000 };
    const page = await backend.samples(TARGET, 'temperature', query);
    return page.gaps.map((gap) => [gap.cause, seconds(gap.from), gap.to && seconds(gap.to)]);
  };
  assert.deepEqual(await gaps(25), [['stale', 20, undefined]]);
  await say(2, 30);
  assert.deepEqual(await gaps(25), [['stale', 20, 50]]);
  assert.deepEqual(await gaps(60), [['stale', 20, 50]]);
});

test('what has no past is told, with what to do', async (t) => {
  const { backend } = await cloud(t);
  const query = { sinceMs: 1_000, limit: 1 };
  await assert.rejects(
    backend.samples(TARGET, 'temprature', query),
    /no property "temprature".*temperature/,
  );
  await assert.rejects(
    backend.samples(TARGET, 'pump', query),
    /nothing was ever reported of "pump"/,
  );
  await assert.rejects(backend.samples({ ...TARGET, name: 'x' }, 'pump', query), /not found/);
});

test('history that is switched off is dropped, and begins anew with what is so when it is on again', async () => {
  const clock = clockAt(START);
  const file = placeOf(path(folder, 'switched.db'));
  const open = (history?: Retention) =>
    CloudStore.open({ path: file, clock, log: silent, history });
  const node = BOILER_1.spec.node;
  const { desired: _, ...spec } = BOILER_1.spec;
  const kept = { ageMs: 1e9, bytes: 1e9 };
  const reported = (value: Json) => ({ value, at: clock.now(), quality: 'good' as const });
  const query = { from: START, limit: 9 };
  let store = await open(kept);
  await store.commit.run(async (tx) => {
    await tx.wanted.put('default/boiler', BOILER);
    await tx.wanted.put('default/boiler-1', { ...BOILER_1, spec });
    await join(tx, { type: 'hello', protocol: 1, node, epoch: 'e', rev: 0, facts: FACTS });
  });
  for (const value of [1, 2]) {
    clock.advance(1_000);
    const row = {
      kind: 'property',
      seq: value,
      device: 'default/boiler-1',
      property: 'temperature',
    } as const;
    const rows = [{ ...row, reported: reported(value) }];
    await store.commit.run((tx) => applyReports(tx, [{ node, rows, to: value, strays: 0 }]));
  }
  await store.close();
  store = await open();
  await assert.rejects(
    new CloudBackend(store).samples(TARGET, 'temperature', query),
    /keeps no history/,
  );
  await store.close();
  store = await open(kept);
  const { samples } = await new CloudBackend(store).samples(TARGET, 'temperature', query);
  assert.deepEqual(
    samples.map(({ at, value }) => [seconds(at), value]),
    [[2, 2]],
  );
  await store.close();
});

function seconds(time: string): number {
  return (Date.parse(time) - START) / 1_000;
}
