/** AS OF by way of the language: values, labels, orders and the states of nodes and devices as they were. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import type { StateRow } from '#protocol';
import { faultOf, QueryError } from '#protocol/query';
import { applyReports } from '../hub/apply-report.ts';
import { join as joined, leave } from '../hub/presence.ts';
import { CloudStore } from '../store/store.ts';
import { BOILER, BOILER_1, clockAt, FACTS, placeOf, silent } from '../testing.ts';
import { askerOf } from './ask.fixture.ts';
import { saidOf } from './query-process.ts';

const BEGAN = Date.UTC(2026, 10, 22, 12);
const NODE = 'gateway-1';
const ID = 'default/boiler-1';
const HOUR = 3_600_000;

async function opened(t: TestContext) {
  const folder = mkdtempSync(path.join(tmpdir(), 'limpet-query-as-of-'));
  const clock = clockAt(BEGAN);
  const history = { ageMs: 240 * HOUR, bytes: 1e9 };
  const place = placeOf(path.join(folder, 'cloud.db'));
  const store = await CloudStore.open({ path: place, clock, log: silent, history });
  t.after(async () => {
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const ask = askerOf(store, () => clock.now());
  return { store, clock, ask };
}

function boiler(hall: string) {
  const { desired: _, ...spec } = BOILER_1.spec;
  return { ...BOILER_1, metadata: { ...BOILER_1.metadata, labels: { hall } }, spec };
}

function temperature(seq: number, value: number, at: number): StateRow {
  const reported = { value, at, quality: 'good' } as const;
  return { seq, kind: 'property', device: ID, property: 'temperature', reported };
}

/** A day of a boiler: an hour between what happens. */
async function live({ store, clock }: Awaited<ReturnType<typeof opened>>): Promise<void> {
  await store.commit.run(async (tx) => {
    await joined(tx, { type: 'hello', protocol: 1, node: NODE, epoch: 'e1', rev: 0, facts: FACTS });
    await tx.wanted.put('default/boiler', BOILER);
    await tx.wanted.put(ID, boiler('north'));
    const online = {
      seq: 2,
      kind: 'device',
      device: ID,
      state: 'online',
      lastSeen: BEGAN,
    } as const;
    const rows = [temperature(1, 20, BEGAN), online];
    await applyReports(tx, [{ node: NODE, rows, to: 2, strays: 10 }]);
  });
  clock.advance(HOUR);
  await store.commit.run(async (tx) => {
    await tx.wanted.put(ID, boiler('south'));
    const order = { device: ID, property: 'setpoint', node: NODE, value: 60 };
    await tx.wanted.order({ ...order, accepted: tx.now() });
    const rows = [temperature(3, 80, clock.now())];
    await applyReports(tx, [{ node: NODE, rows, to: 3, strays: 10 }]);
  });
  clock.advance(HOUR);
  await store.commit.run((tx) => leave(tx, NODE));
  clock.advance(HOUR);
  await store.commit.run(async (tx) => {
    const held = await tx.objects.get('Device', ID);
    if (held) await tx.wanted.remove(held);
  });
  clock.advance(HOUR);
}

test('AS OF answers with values, labels, orders and states as they were at each time', async (t) => {
  const bench = await opened(t);
  await live(bench);
  const { ask } = bench;
  const asked = (time: string): string =>
    `SELECT temperature, quality(temperature), labels.hall, state, node.state, desired.setpoint, drift(setpoint) FROM devices AS OF ${time}`;
  assert.deepEqual(await ask(asked("'2026-11-22T12:30:00Z'")), [
    [20, 'good', 'north', 'online', 'online', null, false],
  ]);
  const second = [[80, 'good', 'south', 'online', 'online', 60, true]];
  assert.deepEqual(await ask(asked("'2026-11-22T13:00:00Z'")), second);
  assert.deepEqual(await ask(asked('now() - 2h30m')), second);
  assert.deepEqual(await ask(asked('now() - 1h30m')), [
    [80, 'stale', 'south', 'offline', 'offline', 60, true],
  ]);
  assert.deepEqual(await ask(asked('now()')), []);
  assert.deepEqual(await ask('SELECT device FROM devices'), []);
});

test('AS OF goes with conditions, groups and every source', async (t) => {
  const bench = await opened(t);
  await live(bench);
  const { ask } = bench;
  const then = "AS OF '2026-11-22T13:30:00Z'";
  assert.deepEqual(
    await ask(
      `SELECT model, count(*), max(temperature) FROM devices ${then} WHERE labels.hall = 'south' AND temperature > 50 GROUP BY model`,
    ),
    [['boiler', 1, 80]],
  );
  assert.deepEqual(await ask(`SELECT node, state FROM nodes ${then}`), [[NODE, 'online']]);
  assert.deepEqual(await ask(`SELECT name, properties FROM models ${then}`), [['boiler', 3]]);
  assert.deepEqual(await ask(`SELECT property, value, age(value) FROM properties ${then}`), [
    ['temperature', 80, HOUR / 2],
  ]);
  assert.deepEqual(await ask(`SELECT count(*) FROM properties ${then} WHERE value > 80`), [[0]]);
});

test('a time before all that is kept is refused, with its place and the first time that can be asked for', async (t) => {
  const bench = await opened(t);
  await live(bench);
  const query = "SELECT device FROM devices AS OF '2026-11-22T11:00:00Z'";
  const error = await bench.ask(query).catch((caught: unknown) => caught);
  assert.ok(error instanceof QueryError);
  const { reason, message, offset, length } = faultOf(error, query);
  assert.equal(reason, 'QUERY_VALUE');
  assert.equal(query.slice(offset, offset + length), "'2026-11-22T11:00:00Z'");
  assert.match(message, /2026-11-22T12:00:00\.000Z/);
});

test('numbers that add up to more than a number are refused as QUERY_RANGE', async (t) => {
  const { store, clock, ask } = await opened(t);
  await store.commit.run(async (tx) => {
    await joined(tx, { type: 'hello', protocol: 1, node: NODE, epoch: 'e1', rev: 0, facts: FACTS });
    await tx.wanted.put('default/boiler', BOILER);
    const second = { ...boiler('north'), metadata: { name: 'boiler-2', namespace: 'default' } };
    await tx.wanted.put(ID, boiler('north'));
    await tx.wanted.put('default/boiler-2', second);
    const other = { ...temperature(2, 1.7e308, clock.now()), device: 'default/boiler-2' };
    const rows = [temperature(1, 1.7e308, clock.now()), other as StateRow];
    await applyReports(tx, [{ node: NODE, rows, to: 2, strays: 10 }]);
  });
  const query = 'SELECT sum(temperature) FROM devices';
  const error: unknown = await ask(query).catch((caught: unknown) => caught);
  // PostgreSQL refuses it itself, see saidOf.
  const said = saidOf(error, { query });
  assert.equal(said.kind === 'refused' && said.fault.reason, 'QUERY_RANGE');
  assert.deepEqual(await ask('SELECT max(temperature) FROM devices'), [[1.7e308]]);
});
