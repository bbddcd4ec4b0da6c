import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { type WantedRow } from '@limpet/dmi/manifest';
import { desired, device, folder, gone, good, model, row, TestClock, testLog } from './fixtures.ts';
import { type Change, TwinStore } from './store.ts';

const B1 = 'default/boiler-1';

function open(t: TestContext, tombstones = 1_000) {
  const path = join(folder(t), 'twin.db');
  const log = testLog();
  const clock = new TestClock();
  const store = TwinStore.open({ path, clock, log, limits: { tombstones } });
  t.after(() => store.close());
  const reopen = (): TwinStore => {
    store.close();
    const again = TwinStore.open({ path, clock, log });
    t.after(() => again.close());
    return again;
  };
  return { store, log, reopen };
}

const BOILER = row(model('boiler', ['temperature', 'setpoint']), 2);
const BOILER_1 = row(device('boiler-1', 'boiler'), 4);

test('rows in any order, repeated and in any batches give the same wanted state', (t) => {
  const rows: WantedRow[] = [
    BOILER,
    BOILER_1,
    row(model('boiler', ['temperature', 'setpoint', 'pump']), 8),
    desired('boiler-1.setpoint', 50, 6),
    desired('boiler-1.setpoint', 60, 10),
    desired('boiler-1.pump', true, 12),
    row(
      {
        ...device('boiler-1', 'boiler'),
        metadata: { name: 'boiler-1', namespace: 'default', labels: { hall: 'north' } },
      },
      14,
    ),
  ];
  const shown = (store: TwinStore) => ({
    device: store.device(B1),
    model: store.modelOf(B1),
    desired: [...(store.twin(B1)?.properties ?? [])]
      .map(([name, twin]) => [name, twin.desired?.value] as const)
      .toSorted(([a], [b]) => (a < b ? -1 : 1)),
  });
  const { store } = open(t);
  store.mergeWanted(rows, 14);
  const expected = shown(store);
  assert.deepEqual(expected.desired, [
    ['pump', true],
    ['setpoint', 60],
  ]);
  let seed = 7;
  const random = (below: number) => (seed = (seed * 48_271) % 2_147_483_647) % below;
  for (let life = 0; life < 20; life++) {
    const { store: other, reopen } = open(t);
    // The cloud sends a device's orders along with the device: both always come again with it.
    const shuffled = [...rows, ...rows.slice(0, random(7))].toSorted(() => random(3) - 1);
    while (shuffled.length > 0) other.mergeWanted(shuffled.splice(0, 1 + random(4)), 0);
    other.mergeWanted(
      rows.toSorted(() => random(3) - 1),
      14,
    );
    assert.deepEqual(shown(other), expected);
    const seq = other.seq();
    other.mergeWanted(rows, 14);
    assert.equal(other.seq(), seq, 'what is known is no news');
    assert.deepEqual(shown(reopen()), expected, 'on disk too');
  }
});

test('an order for a device of another node is ignored and counted', (t) => {
  const { store, log } = open(t);
  store.mergeWanted([desired('boiler-1.setpoint', 50, 6)], 6);
  assert.equal(store.twin(B1), undefined);
  assert.equal(store.counters.refusedRows, 1);
  assert.equal(log.lines.at(-1)?.level, 'warn');
  assert.equal(store.rev(), 6);
});

test('a removed device takes its twins along, in memory and on disk, and leaves a tombstone', (t) => {
  const { store, reopen } = open(t);
  store.mergeWanted([BOILER, BOILER_1, desired('boiler-1.setpoint', 50, 6)], 6);
  store.report(B1, new Map([['temperature', good(1, 1)]]));
  const seen: Change[] = [];
  store.onChange((change) => seen.push(change));
  store.mergeWanted([gone('Device', 'boiler-1', 8)], 8);
  assert.deepEqual(seen, [{ kind: 'resource', type: 'Device', id: B1, doc: null }]);
  assert.equal(store.twin(B1), undefined);
  assert.deepEqual(store.devices(), []);
  store.report(B1, new Map([['temperature', good(2, 2)]]));
  store.mergeWanted([BOILER_1], 8);
  assert.equal(store.device(B1), undefined, 'an older row does not bring it back');
  const rows = store.rowsAfter(0, { rows: 10, bytes: 1e6 });
  assert.deepEqual(
    rows.map((each) => [each.kind, each.kind === 'resource' && each.doc === null]),
    [
      ['resource', false],
      ['resource', true],
    ],
  );
  const again = reopen();
  assert.equal(again.twin(B1), undefined);
  again.mergeWanted([{ ...BOILER_1, rev: 10 }], 10);
  assert.deepEqual([...(again.twin(B1)?.properties ?? [])], [], 'it starts afresh');
  again.close();
  assert.deepEqual([...(reopen().twin(B1)?.properties ?? [])], [], 'on disk too');
});

test('only the newest tombstones are kept', (t) => {
  const { store } = open(t, 3);
  for (let i = 1; i <= 10; i++) store.mergeWanted([gone('Device', `d${i}`, i * 2)], i * 2);
  store.mergeWanted([gone('Device', 'late', 3)], 21);
  const ids = store
    .rowsAfter(0, { rows: 99, bytes: 1e6 })
    .map((r) => r.kind === 'resource' && r.rev);
  assert.deepEqual(ids, [16, 18, 20]);
  assert.equal(store.counters.tombstonesDropped, 8);
});

test('a changed model keeps twins whose property stayed, drops those that went', (t) => {
  const { store, reopen } = open(t);
  store.mergeWanted(
    [
      row(model('boiler', ['same', { name: 'typed', type: 'int' }, 'lost']), 2),
      BOILER_1,
      desired('boiler-1.typed', 5, 6),
    ],
    6,
  );
  for (const name of ['same', 'typed', 'lost']) store.report(B1, new Map([[name, good(1, 1)]]));
  store.mergeWanted([row(model('boiler', ['same', 'typed', 'fresh']), 8)], 8);
  const check = (twin: ReturnType<TwinStore['twin']>) => {
    assert.deepEqual([...(twin?.properties.keys() ?? [])].toSorted(), ['same', 'typed']);
    assert.equal(twin?.properties.get('same')?.reported?.value, 1);
    assert.equal(twin?.properties.get('typed')?.reported, undefined);
    assert.equal(twin?.properties.get('typed')?.desired?.value, 5);
  };
  check(store.twin(B1));
  check(reopen().twin(B1));
});

test('an order that arrives before the model that knows its property waits for it', (t) => {
  const { store } = open(t);
  store.mergeWanted([BOILER, BOILER_1], 4);
  store.mergeWanted([desired('boiler-1.pump', true, 8)], 8);
  store.mergeWanted([row(model('boiler', ['pump']), 10)], 10);
  assert.equal(store.twin(B1)?.properties.get('pump')?.desired?.value, true);
});

test('a row that cannot be is left out by name; the rest is stored and the cursor moves', (t) => {
  const { store, log } = open(t);
  const broken = [
    null,
    { kind: 'resource' },
    { ...BOILER, id: 'no-namespace' },
    { ...BOILER, id: 'default/other' },
    { ...BOILER, rev: 1.5 },
    { ...BOILER, rev: Number.MAX_SAFE_INTEGER },
    { ...BOILER, doc: { ...BOILER.doc, spec: { protocol: 'modbus', properties: [null] } } },
    { ...BOILER_1, doc: { ...BOILER_1.doc, spec: {} } },
    { ...BOILER_1, type: 'Node' },
    { ...desired('boiler-1.setpoint', 1, 6), property: 3 },
    { ...desired('boiler-1.setpoint', 1, 6), value: undefined },
    { ...desired('boiler-1.setpoint', 1, 6), ttl: 'soon' },
  ] as unknown as WantedRow[];
  store.mergeWanted([...broken, BOILER, BOILER_1], 20);
  assert.deepEqual(store.devices(), [B1]);
  assert.equal(store.rev(), 20);
  assert.equal(store.counters.refusedRows, broken.length);
  const warnings = log.lines.filter(({ message }) => message === 'wanted row refused');
  assert.equal(warnings.length, broken.length);
  for (const { fields } of warnings) assert.equal(typeof fields['reason'], 'string');
});
