import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, beforeEach, afterEach, test } from 'node:test';
import type { ApiError, StandingEvent, StandingReader } from '#protocol/api';
import { applyReports } from '../hub/apply-report.ts';
import type { StandingLimits } from './limits.ts';
import type { Break } from './world.fixture.ts';
import { World } from './world.fixture.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'limpet-standings-'));
after(() => rmSync(folder, { recursive: true, force: true }));
let seed = 0;
let world: World | undefined;

async function worldWith(limits: Partial<StandingLimits> = {}, broken: Break = {}): Promise<World> {
  world = new World((seed += 1), folder, { limits: { page: 256, ...limits }, broken });
  await world.start();
  return world;
}

beforeEach(() => (world = undefined));
afterEach(() => world?.close());

let seq = 1_000;

/** What the device's node says of its temperature. */
async function report({ store, clock }: World, device: string, value: number): Promise<void> {
  const id = `default/${device}`;
  const known = await store.read(({ objects }) => objects.get('Device', id));
  const node = known?.doc.kind === 'Device' ? known.doc.spec.node : assert.fail();
  const reported = { value, at: clock.now(), quality: 'good' } as const;
  const row = {
    kind: 'property',
    seq: (seq += 1),
    device: id,
    property: 'temperature',
    reported,
  } as const;
  await store.commit.run((tx) => applyReports(tx, [{ node, rows: [row], to: seq, strays: 10 }]));
}

/** Events until a bookmark. */
async function untilBookmark(
  here: World,
  reader: StandingReader,
): Promise<readonly StandingEvent[]> {
  const events: StandingEvent[] = [];
  for (let left = 0; left < 100; left++) {
    let next: readonly StandingEvent[] | undefined;
    let told = false;
    void reader.next().then((some) => {
      next = some;
      told = true;
    });
    for (let ms = 0; ms < 20_000 && !told; ms += 10) await here.advance(10);
    if (!told || next === undefined) return events;
    events.push(...next);
    if (next.some(({ type }) => type === 'bookmark' || type === 'error')) return events;
  }
  return events;
}

const shapes = (events: readonly StandingEvent[]): readonly string[] =>
  events.map((event) =>
    'key' in event ? `${event.type} ${JSON.stringify(event.key)}` : event.type,
  );

const QUERY =
  "SELECT device, temperature FROM devices WHERE device IN ('default/d1', 'default/d2')";

test('what changed a thousand times while the reader was slow is one update', async () => {
  const here = await worldWith();
  const reader = await here.standings.stand({ query: QUERY });
  await untilBookmark(here, reader);
  for (let value = 0; value < 1000; value++) await report(here, 'd1', value);
  const events = await untilBookmark(here, reader);
  assert.deepEqual(shapes(events), ['update ["default/d1"]', 'bookmark']);
  const [update] = events;
  assert.deepEqual(update?.type === 'update' && update.row, ['default/d1', 999]);
  assert.ok(here.standings.counts().looks < 10);
  reader.close();
});

test('of plain rows only what a commit touched is looked at', async () => {
  const asked: string[] = [];
  const here = await worldWith(
    {},
    {
      reads: (real) => ({
        ...real,
        look: (work) =>
          real.look((sql) =>
            work({
              ...sql,
              dialect: sql.dialect,
              all: (text, ...values) => {
                asked.push(...values.filter((value) => String(value).startsWith('["')).map(String));
                return sql.all(text, ...values);
              },
            }),
          ),
        scan: (work) => real.scan(work),
        catalog: () => real.catalog(),
      }),
    },
  );
  const reader = await here.standings.stand({ query: QUERY });
  await untilBookmark(here, reader);
  const { scans } = here.standings.counts();
  asked.length = 0;
  await report(here, 'd2', 5);
  await untilBookmark(here, reader);
  assert.deepEqual(asked, ['["default/d2"]']);
  assert.equal(here.standings.counts().scans, scans);
  reader.close();
});

const refusals: readonly (readonly [string, Partial<StandingLimits>, string, RegExp])[] = [
  ['rows of one query', { rows: 3 }, 'SELECT device FROM devices', /STANDING_ROWS/],
  [
    'rows of one query that is ordered',
    { rows: 3 },
    'SELECT device FROM devices ORDER BY device',
    /STANDING_ROWS/,
  ],
  ['bytes', { bytes: 10 }, 'SELECT device FROM devices ORDER BY device', /STANDING_BYTES/],
  ['rows of all together', { allRows: 3 }, 'SELECT device FROM devices', /STANDING_HELD/],
];
for (const [what, limits, query, code] of refusals) {
  test(`a ceiling on ${what} is told as the last event`, async () => {
    const here = await worldWith(limits);
    const reader = await here.standings.stand({ query });
    const last = (await untilBookmark(here, reader)).at(-1);
    assert.match(JSON.stringify(last?.type === 'error' && last.status.details), code);
    assert.equal(await reader.next(), undefined);
    reader.close();
    const { open, remembered, rows } = here.standings.counts();
    assert.deepEqual({ open, remembered, rows }, { open: 0, remembered: 0, rows: 0 });
  });
}

test('one reader more than there may be is refused, and has room once another has gone', async () => {
  const here = await worldWith({ open: 1 });
  const first = await here.standings.stand({ query: QUERY });
  await assert.rejects(here.standings.stand({ query: QUERY }), (error: ApiError) => {
    return error.reason === 'TooManyRequests' && error.details.retryAfterSeconds !== undefined;
  });
  first.close();
  const second = await here.standings.stand({ query: QUERY });
  second.close();
  assert.equal(here.standings.counts().refused, 1);
});

test('readers that went are remembered for a while, and no more of them than there may be', async () => {
  const here = await worldWith({ remembered: 2, rememberMs: 60_000 });
  for (let left = 0; left < 3; left++) {
    const reader = await here.standings.stand({ query: QUERY });
    await untilBookmark(here, reader);
    reader.close();
  }
  assert.equal(here.standings.counts().remembered, 2);
  assert.equal(here.standings.counts().rows, 4);
  await here.advance(60_001);
  const reader = await here.standings.stand({ query: QUERY });
  assert.equal(here.standings.counts().remembered, 0);
  reader.close();
});

test('a reader that comes back before its end was noticed takes over, and the other is told', async () => {
  const here = await worldWith();
  const first = await here.standings.stand({ query: QUERY });
  const events = await untilBookmark(here, first);
  const last = events.at(-1);
  const cursor = last?.type === 'bookmark' ? last.cursor : assert.fail();
  const waiting = first.next();
  const second = await here.standings.stand({ query: QUERY, cursor });
  const [goodbye] = (await waiting) ?? [];
  assert.match(JSON.stringify(goodbye), /STANDING_TAKEN/);
  first.close();
  assert.deepEqual(shapes(await untilBookmark(here, second)), ['bookmark']);
  second.close();
});

test('a cursor of another query is refused', async () => {
  const here = await worldWith();
  const reader = await here.standings.stand({ query: QUERY });
  const last = (await untilBookmark(here, reader)).at(-1);
  reader.close();
  const cursor = last?.type === 'bookmark' ? last.cursor : assert.fail();
  const other = 'SELECT device FROM devices';
  await assert.rejects(here.standings.stand({ query: other, cursor }), /of another query/);
});

test('an idle reader hears from time to time that all is well', async () => {
  const here = await worldWith({ bookmarkMs: 15_000 });
  const reader = await here.standings.stand({ query: QUERY });
  await untilBookmark(here, reader);
  assert.deepEqual(shapes(await untilBookmark(here, reader)), ['bookmark']);
  reader.close();
});
