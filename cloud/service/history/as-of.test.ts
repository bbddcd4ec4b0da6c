/**
 * The fleet as of a time, compared with what the store said then: seeded random lives of nodes, devices, orders and reports,
 * with a snapshot after each step.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { Json } from '@limpet/dmi';
import type { Device } from '@limpet/dmi/manifest';
import type { StateRow } from '#protocol';
import { applyReports } from '../hub/apply-report.ts';
import { join as joined, leave } from '../hub/presence.ts';
import type { Sql } from '../store/sql.ts';
import { CloudStore, type Writing } from '../store/store.ts';
import { BOILER, BOILER_1, clockAt, FACTS, silent, placeOf } from '../testing.ts';
import { asOf, pastSpan } from './as-of.ts';

const folder = mkdtempSync(join(tmpdir(), 'limpet-as-of-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const LIVES = 4;
const STEPS = 120;
const NODES = ['n1', 'n2'];
const PROPERTIES = ['a', 'b', 'c'];
const VALUES: readonly Json[] = [
  0,
  1.5,
  -2,
  0.1 + 0.2,
  1e21,
  true,
  'text',
  'a "b" é',
  '',
  { b: 1, a: [null] },
  null,
  '12345678901234567890',
];

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

/** Everything that can be asked about, by whatever tables stand behind these names. */
const QUESTIONS = {
  objects:
    'SELECT n, kind, id, namespace, name, uid, node, model, rev, pos, born, generation, created FROM objects ORDER BY n',
  docs: 'SELECT n, doc FROM docs ORDER BY n',
  labels: 'SELECT n, key, value FROM labels ORDER BY n, key',
  conditions:
    'SELECT c.n, c.state, c.reason FROM conditions c JOIN objects o ON o.n = c.n ORDER BY c.n',
  desired: 'SELECT * FROM desired ORDER BY device, property',
  nodes: 'SELECT name, state FROM nodes ORDER BY name',
  mirrors: `SELECT m.dev, m.prop, m.value, m.num, m.text, m.type, m.quality, m.at, m.rev, m.verdict, m.verdict_reason, m.stored, m.sent,
    m.confirmed FROM mirrors m JOIN objects o ON o.n = m.dev ORDER BY m.dev, m.prop`,
} as const;

type Snapshot = Record<keyof typeof QUESTIONS, readonly unknown[]>;

async function snapshot(sql: Sql, past = '', ...values: readonly number[]): Promise<Snapshot> {
  const found: [string, unknown][] = [];
  for (const [name, text] of Object.entries(QUESTIONS)) {
    const rows = await sql.all<Record<string, unknown>>(`${past} ${text}`, ...values);
    found.push([name, rows.map((row) => plain(row))]);
  }
  return Object.fromEntries(found) as Snapshot;
}

/** Equal values are equal, however their JSON is written. */
function plain({ value, ...row }: Record<string, unknown>): unknown {
  return typeof value === 'string' && 'prop' in row
    ? { ...row, value: JSON.parse(value) }
    : { ...row, value };
}

async function step(
  store: CloudStore,
  at: { seq: number; now: number },
  below: (n: number) => number,
): Promise<void> {
  const device = `d${below(4)}`;
  const id = `default/${device}`;
  const act = below(100);
  await store.commit.run(async (tx) => {
    if (act < 45) return report(tx, id, at, below);
    if (act < 55) return declare(tx, device, below);
    if (act < 62) return order(tx, id, below);
    if (act < 68) return verdict(tx, id, at, below);
    if (act < 72) return remove(tx, id);
    if (act < 80) return come(tx, NODES[below(2)] ?? 'n1');
    if (act < 84) return leave(tx, NODES[below(2)] ?? 'n1');
    if (act < 90) return condition(tx, id, at, below);
    return act < 93 ? remodel(tx, below) : undefined;
  });
}

async function remove(tx: Writing, id: string): Promise<void> {
  const held = await tx.objects.get('Device', id);
  if (held) await tx.wanted.remove(held);
}

async function remodel(tx: Writing, below: (n: number) => number): Promise<void> {
  const metadata = { ...BOILER.metadata, labels: { v: String(below(9)) } };
  // The past does not know what models dropped: this one keeps all that is reported.
  const more = PROPERTIES.map((name) => ({ name, type: 'json', visitor: {} }) as const);
  const spec = { ...BOILER.spec, properties: [...BOILER.spec.properties, ...more] };
  await tx.wanted.put('default/boiler', { ...BOILER, spec, metadata });
}

async function say(tx: Writing, id: string, row: object, at: { seq: number }): Promise<void> {
  const node = await tx.objects.nodeOf(id);
  if (node === undefined || (await tx.nodes.get(node)) === undefined) return;
  at.seq++;
  const rows = [{ seq: at.seq, device: id, ...row } as StateRow];
  await applyReports(tx, [{ node, rows, to: at.seq, strays: 10 }]);
}

async function report(
  tx: Writing,
  id: string,
  at: { seq: number; now: number },
  below: (n: number) => number,
): Promise<void> {
  const quality = (['good', 'good', 'good', 'stale', 'bad'] as const)[below(5)] ?? 'good';
  // Of a value that went stale or bad the store has the time when it was last good, history when it was heard.
  const reported = { value: VALUES[below(VALUES.length)] ?? null, at: at.now, quality };
  await say(tx, id, { kind: 'property', property: PROPERTIES[below(3)], reported }, at);
}

async function verdict(
  tx: Writing,
  id: string,
  at: { seq: number; now: number },
  below: (n: number) => number,
): Promise<void> {
  const property = PROPERTIES[below(3)] ?? 'a';
  const held = await tx.desired.get(id, property);
  if (held === undefined) return;
  const stages = { accepted: held.accepted, stored: at.now, sent: at.now };
  const desired = {
    value: held.value,
    rev: held.rev,
    verdict: (['applied', 'rejected', 'pending'] as const)[below(3)],
    stages,
  };
  await say(tx, id, { kind: 'property', property, desired }, at);
}

async function condition(
  tx: Writing,
  id: string,
  at: { seq: number; now: number },
  below: (n: number) => number,
): Promise<void> {
  const state = (['online', 'offline', 'online'] as const)[below(3)];
  await say(tx, id, { kind: 'device', state, lastSeen: at.now }, at);
}

async function declare(tx: Writing, name: string, below: (n: number) => number): Promise<void> {
  const id = `default/${name}`;
  const node = (await tx.objects.nodeOf(id)) ?? NODES[below(2)] ?? 'n1';
  const { desired: _, ...spec } = BOILER_1.spec;
  const labels = { hall: ['north', 'south'][below(2)] ?? '' };
  const doc: Device = {
    ...BOILER_1,
    metadata: { namespace: 'default', name, labels },
    spec: { ...spec, node },
  };
  await tx.wanted.put(id, doc);
}

async function order(tx: Writing, id: string, below: (n: number) => number): Promise<void> {
  const node = await tx.objects.nodeOf(id);
  if (node === undefined) return;
  const value = below(3) === 0 ? null : below(50);
  await tx.wanted.order({
    device: id,
    property: PROPERTIES[below(3)] ?? 'a',
    node,
    value,
    accepted: tx.now(),
  });
}

async function come(tx: Writing, node: string): Promise<void> {
  await joined(tx, { type: 'hello', protocol: 1, node, epoch: 'e1', rev: 0, facts: FACTS });
}

test(`in ${LIVES} lives the fleet as of any step is what the store said then`, async () => {
  for (let seed = 1; seed <= LIVES; seed++) {
    const below = chance(seed);
    const clock = clockAt(1_700_000_000_000);
    const history = { ageMs: 400 * STEPS, bytes: 1e9 };
    const path = join(folder, `cloud-${seed}.db`);
    const store = await CloudStore.open({ path: placeOf(path), clock, log: silent, history });
    const at = { seq: 0, now: clock.now() };
    const taken: { time: number; was: Snapshot }[] = [];
    for (let each = 0; each < STEPS; each++) {
      clock.advance(1 + below(2_000));
      at.now = clock.now();
      await step(store, at, below);
      taken.push({ time: clock.now(), was: await store.read(({ sql }) => snapshot(sql)) });
      clock.advance(1);
      await store.commit.run(async ({ past }) => {
        while (below(3) > 0 && (await past?.keep()));
      });
    }
    const span = await store.read(({ sql }) => pastSpan(sql));
    assert.ok(span && span.slices.length > 3, 'it went over several slices');
    const kept = taken.filter(({ time }) => time >= span.since);
    assert.ok(kept.length > STEPS / 10 && kept.length < STEPS, `${kept.length} kept`);
    for (const { time, was } of kept) {
      const then: Snapshot = await store.read(({ sql }) => {
        return snapshot(sql, asOf(sql.dialect, span, { time, place: '$1' }), time);
      });
      assert.deepEqual(then, was, `seed ${seed}, as of ${time}`);
    }
    await store.close();
  }
});
