import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import type { Document } from '#protocol/api';
import { CloudBackend } from '../backend.ts';
import { CloudStore } from '../store/store.ts';
import { BOILER, BOILER_1, clockAt, placeOf, silent, writesTo } from '../testing.ts';
import { Quick } from './quick.ts';

const BEGAN = Date.UTC(2026, 10, 22, 12);

async function opened(t: TestContext, monotonic: () => number) {
  const folder = mkdtempSync(path.join(tmpdir(), 'limpet-quick-'));
  const clock = clockAt(BEGAN);
  const store = await CloudStore.open({
    path: placeOf(path.join(folder, 'cloud.db')),
    clock,
    log: silent,
  });
  t.after(async () => {
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const writes = writesTo(new CloudBackend(store));
  const at = { namespace: 'default' } as const;
  await writes.create(
    { kind: 'DeviceModel', ...at, name: 'boiler' },
    BOILER as unknown as Document,
  );
  await writes.create({ kind: 'Device', ...at, name: 'boiler-1' }, BOILER_1 as unknown as Document);
  const times = { now: () => clock.now(), monotonic };
  return new Quick((work) => store.read(({ sql }) => work(sql)), times);
}

test('what names its devices is answered here, everything else is for others', async (t) => {
  const quick = await opened(t, () => 0);
  const rows = async (query: string): Promise<unknown> => {
    const said = await quick.ask({ query });
    return said?.kind === 'answered' && 'rows' in said.answered.answer
      ? said.answered.answer.rows
      : said;
  };
  const found = [['default/boiler-1']];
  assert.deepEqual(await rows("SELECT device FROM devices WHERE name = 'boiler-1'"), found);
  assert.deepEqual(
    await rows(
      "SELECT device FROM devices WHERE device IN ('default/boiler-1', 'default/none') AND model = 'boiler'",
    ),
    found,
  );
  assert.deepEqual(await rows("SELECT device FROM devices WHERE device = 'default/none'"), []);
  for (const query of [
    'SELECT device FROM devices',
    "SELECT device FROM devices WHERE model = 'boiler'",
    "SELECT device FROM devices WHERE NOT device = 'default/boiler-1'",
    "SELECT device FROM devices WHERE device = 'default/boiler-1' OR temperature > 5",
    "SELECT device FROM devices WHERE node = 'gateway-1'",
    "EXPLAIN SELECT device FROM devices WHERE device = 'default/boiler-1'",
    `SELECT device FROM devices WHERE name = 'boiler-1' AND ${Array(60).fill("name <> 'x'").join(' AND ')}`,
  ]) {
    assert.equal(await rows(query), undefined, query);
  }
});

test('what is no query is refused here, as anywhere', async (t) => {
  const quick = await opened(t, () => 0);
  const said = await quick.ask({ query: "SELECT devise FROM devices WHERE name = 'x'" });
  assert.equal(said?.kind, 'refused');
  assert.equal(said.fault.reason, 'QUERY_NAME');
});

test('a tenth of the time is theirs, and they are answered elsewhere when it is used up', async (t) => {
  let time = 0;
  const quick = await opened(t, () => (time += 30));
  const query = "SELECT device FROM devices WHERE name = 'boiler-1'";
  let here = 0;
  while ((await quick.ask({ query })) !== undefined) assert.ok((here += 1) < 10);
  assert.ok(here > 0);
  time += 60_000;
  assert.notEqual(await quick.ask({ query }), undefined);
});
