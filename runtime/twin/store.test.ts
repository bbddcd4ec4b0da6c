import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { desired, device, folder, gone, good, model, row, TestClock, testLog } from './fixtures.ts';
import { type Change, TwinStore, type TwinStoreOptions } from './store.ts';

const BOILER = 'default/boiler-1';

function opener(t: TestContext, options: Partial<TwinStoreOptions> = {}) {
  const path = join(folder(t), 'state', 'twin.db');
  const clock = new TestClock();
  const log = testLog();
  const open = (): TwinStore => {
    const store = TwinStore.open({ path, clock, log, ...options });
    t.after(() => store.close());
    return store;
  };
  return { path, clock, log, open };
}

const ROWS = [
  row(model('boiler', ['temperature', 'setpoint']), 10),
  row(device('boiler-1', 'boiler'), 12),
];

function opened(t: TestContext, options: Partial<TwinStoreOptions> = {}) {
  const setting = opener(t, options);
  const store = setting.open();
  store.mergeWanted(ROWS, 12);
  return { ...setting, store };
}

test('a restart keeps everything, as not read since', (t) => {
  const { store, open, clock } = opened(t);
  store.report(BOILER, new Map([['temperature', good(55.3, 1_000)]]));
  store.condition(BOILER, { state: 'online', lastSeen: 1_500 });
  const rev = store.order(BOILER, 'setpoint', 60);
  store.judge(BOILER, 'setpoint', rev, { verdict: 'applied', confirmed: 9, readBack: 60.1 });
  store.close();

  const again = open();
  assert.deepEqual(again.opened, { kind: 'existing' });
  assert.notEqual(again.epoch, store.epoch);
  assert.equal(again.rev(), 12);
  assert.deepEqual(again.devices(), [BOILER]);
  assert.deepEqual(again.modelOf(BOILER), model('boiler', ['temperature', 'setpoint']));
  const twin = again.twin(BOILER);
  assert.deepEqual(twin?.condition, { state: 'connecting', lastSeen: 1_500 });
  const reported = twin?.properties.get('temperature')?.reported;
  assert.equal(reported?.value, 55.3);
  assert.equal(reported?.at, 1_000);
  assert.equal(reported?.quality, 'stale');
  assert.equal(reported?.reason?.code, 'NOT_READ_SINCE_START');
  assert.deepEqual(twin?.properties.get('setpoint')?.desired, {
    value: 60,
    rev,
    verdict: 'applied',
    stages: { accepted: clock.now(), stored: clock.now(), confirmed: 9 },
  });
  assert.equal(again.readBack(BOILER, 'setpoint'), 60.1);
});

test('a change is told after memory has it, once, and not when nothing changed', (t) => {
  const { store } = opened(t);
  const seen: Change[] = [];
  const stop = store.onChange((change) => {
    seen.push(change);
    if (change.kind === 'property') {
      assert.equal(store.twin(change.device)?.properties.get(change.property), change.twin);
    }
  });
  store.report(BOILER, new Map([['temperature', good(1, 1)]]));
  store.report(BOILER, new Map([['temperature', good(1, 1)]]));
  store.condition(BOILER, { state: 'online' });
  store.condition(BOILER, { state: 'online' });
  stop();
  store.report(BOILER, new Map([['temperature', good(2, 2)]]));
  assert.deepEqual(
    seen.map(({ kind }) => kind),
    ['property', 'device'],
  );
});

test('a listener that fails is logged and the others still hear', (t) => {
  const { store, log } = opened(t);
  let heard = 0;
  store.onChange(() => {
    throw new Error('bug');
  });
  store.onChange(() => heard++);
  store.report(BOILER, new Map([['temperature', good(1, 1)]]));
  assert.equal(heard, 1);
  assert.equal(log.lines.filter(({ level }) => level === 'error').length, 1);
});

test('rows for the cloud are one per key, in seq order, however often a key changed', (t) => {
  const { store } = opened(t);
  store.acknowledged(store.seq());
  for (let i = 0; i < 1_000; i++) {
    store.report(BOILER, new Map([['temperature', good(i, i)]]));
    store.report(BOILER, new Map([['setpoint', good(-i, i)]]));
  }
  const rows = store.rowsAfter(0, { rows: 100, bytes: 1e6 });
  assert.deepEqual(
    rows.map((each) => [each.kind, each.seq, each.kind === 'property' && each.reported?.value]),
    [
      ['property', store.seq() - 1, 999],
      ['property', store.seq(), -999],
    ],
  );
});

test('a key that changes again moves behind those that changed since', (t) => {
  const { store } = opened(t);
  store.acknowledged(store.seq());
  for (const [at, name] of ['a', 'b', 'a'].entries()) {
    store.report(BOILER, new Map([[name, good(at, at)]]));
  }
  const rows = store.rowsAfter(0, { rows: 9, bytes: 1e6 });
  assert.deepEqual(
    rows.map((each) => each.kind === 'property' && each.property),
    ['b', 'a'],
  );
  assert.deepEqual(store.rowsAfter(rows[0]?.seq ?? 0, { rows: 9, bytes: 1e6 }), rows.slice(1));
});

test('a new order leaves nothing of the one before: no deadline, no read-back', (t) => {
  const { store, open } = opened(t);
  const rev = store.order(BOILER, 'setpoint', 5, { expiresMs: 1_000 });
  store.judge(BOILER, 'setpoint', rev, { verdict: 'applied', readBack: 5.1 });
  store.flush();
  store.order(BOILER, 'setpoint', 6);
  const check = (of: TwinStore): void => {
    assert.equal(of.deadline(BOILER, 'setpoint'), undefined);
    assert.equal(of.readBack(BOILER, 'setpoint'), undefined);
    assert.equal(of.twin(BOILER)?.properties.get('setpoint')?.desired?.expires, undefined);
  };
  check(store);
  store.close();
  check(open());
});

test('pages end at rows and at bytes, and a row that is too large alone still travels', (t) => {
  const { store } = opened(t);
  store.acknowledged(store.seq());
  store.report(
    BOILER,
    new Map([
      ['a', good('x'.repeat(5_000), 1)],
      ['b', good('y'.repeat(400), 1)],
      ['c', good('z'.repeat(400), 1)],
    ]),
  );
  const names = (seq: number, limit: { rows: number; bytes: number }) =>
    store.rowsAfter(seq, limit).map((each) => (each.kind === 'property' ? each.property : ''));
  assert.deepEqual(names(0, { rows: 10, bytes: 1_000 }), ['a']);
  const first = store.seq() - 2;
  assert.deepEqual(names(first, { rows: 10, bytes: 700 }), ['b']);
  assert.deepEqual(names(first, { rows: 10, bytes: 1e6 }), ['b', 'c']);
  assert.deepEqual(names(0, { rows: 2, bytes: 1e6 }), ['a', 'b']);
  assert.deepEqual(names(store.seq(), { rows: 2, bytes: 1e6 }), []);
});

test('what the cloud acknowledged is not sent again, unless a new session asks for it', (t) => {
  const { store } = opened(t);
  const all = store.rowsAfter(0, { rows: 100, bytes: 1e6 });
  assert.deepEqual(
    all.map(({ kind }) => kind),
    ['resource', 'resource', 'device'],
  );
  const half = all[0]?.seq ?? 0;
  store.acknowledged(half);
  assert.deepEqual(store.rowsAfter(0, { rows: 100, bytes: 1e6 }), all.slice(1));
  store.acknowledged(store.seq());
  assert.deepEqual(store.rowsAfter(0, { rows: 100, bytes: 1e6 }), []);
  store.resumeFrom(half);
  assert.deepEqual(store.rowsAfter(0, { rows: 100, bytes: 1e6 }), all.slice(1));
  store.resumeFrom(0);
  assert.deepEqual(store.rowsAfter(0, { rows: 100, bytes: 1e6 }), all);
});

test('a value from disk travels as carried until the device confirms it', (t) => {
  const { store, open } = opened(t);
  store.report(BOILER, new Map([['temperature', good(5, 1)]]));
  store.close();
  const again = open();
  const carried = () =>
    again
      .rowsAfter(0, { rows: 100, bytes: 1e6 })
      .filter((each) => each.kind === 'property')
      .map((each) => each.carried);
  assert.deepEqual(carried(), [true]);
  const offline = { code: 'DEVICE_OFFLINE', message: 'silent' };
  again.report(
    BOILER,
    new Map([['temperature', { value: 5, at: 1, quality: 'stale', reason: offline }]]),
  );
  assert.deepEqual(carried(), [true]);
  again.report(BOILER, new Map([['temperature', good(5, 2)]]));
  assert.deepEqual(carried(), [undefined]);
});

test('an order runs out by the time since it came, not by the cloud’s clock', (t) => {
  const { store, clock, open } = opened(t);
  const far = clock.now() + 9e9;
  store.mergeWanted([desired('boiler-1.setpoint', 5, 20, { ttl: 30_000, expires: far })], 20);
  const deadline = clock.now() + 30_000;
  assert.equal(store.deadline(BOILER, 'setpoint'), deadline);
  assert.equal(store.twin(BOILER)?.properties.get('setpoint')?.desired?.expires, far);
  clock.advance(10_000);
  clock.wall -= 3_600_000;
  const left = (store.deadline(BOILER, 'setpoint') ?? 0) - clock.now();
  assert.equal(left, 20_000, 'a clock set back gives an order no more time');
  clock.wall += 3_600_000;
  store.close();
  assert.equal(open().deadline(BOILER, 'setpoint'), deadline);
});

test('after a restart with a clock before the order, an order that runs out is taken as run out', (t) => {
  const { store, clock, open } = opened(t);
  store.order(BOILER, 'setpoint', 5, { expiresMs: 30_000 });
  store.order(BOILER, 'temperature', 6);
  store.close();
  clock.wall = Date.UTC(1970, 0, 1);
  const twins = open().twin(BOILER)?.properties;
  assert.equal(twins?.get('setpoint')?.desired?.verdict, 'expired');
  assert.equal(twins?.get('setpoint')?.desired?.reason?.code, 'CLOCK_WENT_BACK');
  assert.equal(twins?.get('temperature')?.desired?.verdict, 'pending');
});

test('revs go on rising when the clock goes back, also after a restart', (t) => {
  const { store, clock, open } = opened(t);
  const first = store.order(BOILER, 'setpoint', 5);
  clock.wall = 0;
  const second = store.order(BOILER, 'setpoint', 6);
  assert.ok(second > first);
  store.mergeWanted([gone('DeviceModel', 'other', second + 1_001)], 13);
  store.close();
  const third = open().order(BOILER, 'setpoint', 7);
  assert.ok(third > second + 1_001);
  assert.deepEqual([first % 2, second % 2, third % 2], [1, 1, 1]);
});

test('ordering what is already so issues no new rev', (t) => {
  const { store } = opened(t);
  const rev = store.order(BOILER, 'setpoint', 55.04);
  assert.equal(store.order(BOILER, 'setpoint', 55.04), rev, 'under way');
  store.judge(BOILER, 'setpoint', rev, { verdict: 'applied', readBack: 55 });
  assert.notEqual(store.twin(BOILER)?.properties.get('setpoint')?.desired?.verdict, 'pending');
  store.report(BOILER, new Map([['setpoint', good(55, 1)]]));
  assert.equal(store.order(BOILER, 'setpoint', 55.04), rev, 'the device rounds it');
  store.report(BOILER, new Map([['setpoint', good(20, 2)]]));
  assert.ok(store.order(BOILER, 'setpoint', 55.04) > rev, 'the device was changed by hand');
});

test('an order for a device that is not here is refused', (t) => {
  const { store } = opened(t);
  assert.throws(() => store.order('default/other', 'x', 1), { code: 'UNKNOWN_DEVICE' });
});

test('a device or a property beyond the limits is refused by name, and the others run', (t) => {
  const limits = { deviceProperties: 3, nodeProperties: 5, tombstones: 2 };
  const { store, open } = opened(t, { limits });
  const seen: Change[] = [];
  store.onChange((change) => seen.push(change));
  store.mergeWanted(
    [
      row(model('large', ['a', 'b', 'c', 'd']), 20),
      row(device('large-1', 'large'), 22),
      row(device('boiler-2', 'boiler'), 24),
      row(device('boiler-3', 'boiler'), 26),
    ],
    26,
  );
  assert.deepEqual(store.devices(), [BOILER, 'default/boiler-2']);
  const codes = (from: TwinStore) => [...from.refused()].map(([id, { code }]) => [id, code]);
  const expected = [
    ['default/large-1', 'DEVICE_TOO_LARGE'],
    ['default/boiler-3', 'NODE_FULL'],
  ];
  assert.deepEqual(codes(store), expected);
  assert.equal(store.twin('default/boiler-3')?.condition.state, 'misconfigured');
  assert.ok(seen.some((c) => c.kind === 'resource' && c.id.endsWith('boiler-3') && c.doc === null));
  assert.throws(() => store.order('default/boiler-3', 'setpoint', 1), /NODE|5 properties/);

  store.mergeWanted([gone('Device', 'boiler-1', 30)], 30);
  assert.deepEqual(store.devices(), ['default/boiler-2', 'default/boiler-3']);
  store.close();
  assert.deepEqual(codes(open()), expected.slice(0, 1));
});
