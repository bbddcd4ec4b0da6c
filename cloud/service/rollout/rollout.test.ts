import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, test } from 'node:test';
import { ApiError } from '#protocol/api';
import { Fleet, idOf, ROLLOUT } from './fleet.fixture.ts';

const folder = mkdtempSync(join(tmpdir(), 'limpet-rollout-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const QUERY = "UPDATE devices SET desired.setpoint = 50 WHERE model = 'boiler'";
let fleet: Fleet;
let files = 0;

beforeEach(async (t) => {
  files += 1;
  fleet = await Fleet.open(join(folder, `${files}.db`));
  (t as { after(task: () => Promise<void>): void }).after(() => fleet.close());
});

async function refusal(request: Promise<unknown>): Promise<ApiError> {
  const error: unknown = await request.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  assert.ok(error instanceof ApiError, String(error));
  return error;
}

const states = async () => (await fleet.outcomes()).map(({ state }) => state);

test('it goes from the canary through its batches to its end, each when the one before has ended', async () => {
  await fleet.populate(6);
  const created = await fleet.begin({ query: QUERY, canary: 1, batch: 2 });
  assert.equal(created.status?.phase, 'Planned');
  await fleet.run();
  const phase = async () => (await fleet.rollout()).status?.phase;
  assert.equal(await phase(), 'Canary');
  assert.deepEqual(await states(), ['sent', ...Array.from({ length: 5 }, () => 'pending')]);
  await fleet.judge(idOf(1), 'applied');
  await fleet.run();
  assert.equal(await phase(), 'Running');
  assert.deepEqual((await states()).filter((state) => state === 'sent').length, 2);
  await fleet.judge(idOf(2), 'applied');
  await fleet.run();
  assert.ok((await states()).includes('pending'), 'the batch has not ended');
  for (const at of [3, 4, 5, 6]) {
    await fleet.judge(idOf(at), 'applied');
    await fleet.run();
  }
  assert.equal(await phase(), 'Done');
  const { counts, reason, ended } = (await fleet.rollout()).status ?? assert.fail();
  assert.deepEqual([counts.applied, counts.total, reason], [6, 6, undefined]);
  assert.ok(ended);
  const [first] = await fleet.outcomes();
  assert.deepEqual(Object.keys(first?.stages?.['setpoint'] ?? {}), [
    'accepted',
    'stored',
    'sent',
    'confirmed',
  ]);
});

test('a canary that fails stops it; told to go on it does, and reverted it leaves what was', async () => {
  await fleet.populate(4);
  await fleet.set(idOf(1), 30);
  await fleet.set(idOf(3), 33);
  await fleet.begin({ query: QUERY, canary: 2, batch: 10 });
  await fleet.run();
  await fleet.judge(idOf(1), 'applied');
  await fleet.judge(idOf(2), 'rejected');
  await fleet.run();
  let { spec, status } = await fleet.rollout();
  assert.equal(status?.phase, 'Stopped');
  assert.equal(status?.reason?.code, 'ROLLOUT_CANARY_FAILED');
  assert.equal(spec.paused, true);
  await fleet.patch({ paused: false });
  await fleet.run();
  ({ status } = await fleet.rollout());
  assert.equal(status?.phase, 'Running');
  assert.equal(status?.forgiven, 1);
  await fleet.set(idOf(4), 77);
  await fleet.judge(idOf(3), 'applied');
  await fleet.run();
  ({ spec, status } = await fleet.rollout());
  assert.equal(status?.phase, 'Done');
  assert.equal(status?.reason?.code, 'ROLLOUT_INCOMPLETE');
  await fleet.patch({ revert: true });
  await fleet.run();
  ({ status } = await fleet.rollout());
  assert.equal(status?.phase, 'Reverted');
  const values = await Promise.all(
    [1, 2, 3, 4].map(async (at) => (await fleet.order(idOf(at)))?.value),
  );
  assert.deepEqual(values, [30, null, 33, 77]);
  const outcomes = await fleet.outcomes();
  assert.deepEqual(
    outcomes.map(({ state, code }) => [state, code]),
    [
      ['reverted', undefined],
      ['reverted', undefined],
      ['reverted', undefined],
      ['skipped', 'ROLLOUT_CHANGED'],
    ],
  );
  assert.deepEqual(outcomes[0]?.before, { setpoint: 30 });
});

test('a device of which something else is desired since the set was written down is left alone', async () => {
  await fleet.populate(3);
  await fleet.begin({ query: QUERY, canary: 1, batch: 10 });
  await fleet.run();
  await fleet.set(idOf(2), 70);
  await fleet.judge(idOf(1), 'applied');
  await fleet.run();
  assert.equal((await fleet.order(idOf(2)))?.value, 70);
  const [, second] = await fleet.outcomes();
  assert.equal(second?.state, 'skipped');
  assert.equal(second?.code, 'ROLLOUT_CHANGED');
});

test('who does not answer in time has failed, and its order is taken back where that is asked', async () => {
  await fleet.populate(2);
  await fleet.set(idOf(1), 40);
  await fleet.begin({ query: QUERY, timeout: '30s', withdraw: true });
  await fleet.run();
  assert.equal((await fleet.order(idOf(1)))?.value, 50);
  fleet.clock.advance(29_999);
  await fleet.run();
  assert.deepEqual(await states(), ['sent', 'pending']);
  fleet.clock.advance(1);
  await fleet.run();
  assert.deepEqual(await states(), ['expired', 'pending']);
  assert.equal((await fleet.order(idOf(1)))?.value, 40);
  assert.equal((await fleet.outcomes())[0]?.code, 'ROLLOUT_TIMEOUT');
  assert.equal((await fleet.rollout()).status?.phase, 'Stopped');
});

test('while the service was away no time ran for the devices', async () => {
  await fleet.populate(1);
  await fleet.begin({ query: QUERY, timeout: '30s' });
  await fleet.run();
  fleet.clock.advance(3_600_000);
  await fleet.restart();
  await fleet.run();
  assert.deepEqual(await states(), ['sent']);
  await fleet.judge(idOf(1), 'applied');
  await fleet.run();
  assert.equal((await fleet.rollout()).status?.phase, 'Done');
});

test('it is for devices of its own namespace that fit when it begins, and of those only', async () => {
  await fleet.populate(4);
  await fleet.begin({
    set: { setpoint: 50, pump: true },
    where: "labels.hall = 'north'",
    canary: 0,
  });
  await fleet.run();
  const devices = (await fleet.outcomes()).map(({ device }) => device);
  assert.deepEqual(devices, [idOf(2), idOf(4)]);
  assert.equal((await fleet.order(idOf(4), 'pump'))?.value, true);
  await fleet.judge(idOf(2), 'applied');
  await fleet.run();
  assert.deepEqual(await states(), ['sent', 'sent'], 'one of two properties is not all of it');
});

test('what its model refuses is not ordered', async () => {
  await fleet.populate(3);
  await fleet.begin({ query: QUERY.replace('50', '500'), canary: 0, maxFailures: 2 });
  await fleet.run();
  assert.deepEqual(await fleet.orders(), []);
  const [first] = await fleet.outcomes();
  assert.deepEqual([first?.state, first?.code], ['rejected', 'VALUE_ABOVE_MAXIMUM']);
});

test('a dry run says how many devices, some of them, and what would be in the way, and keeps nothing', async () => {
  await fleet.populate(3);
  const doc = {
    apiVersion: 'limpet.dev/v1',
    kind: 'Rollout',
    metadata: { name: 'warm', namespace: 'default' },
    spec: { query: QUERY.replace('50', '500') },
  };
  await fleet.store.commit.run((tx) => tx.nodes.drop('gateway-1'));
  const answer = await fleet.backend.write(ROLLOUT, () => doc, { dryRun: true });
  assert.equal(answer.kind, 'Rollout');
  const preview = answer.kind === 'Rollout' ? answer.status?.preview : undefined;
  assert.equal(preview?.devices, 3);
  assert.deepEqual(preview?.sample, [idOf(1), idOf(2), idOf(3)]);
  assert.deepEqual(
    preview?.troubles.map(({ code, count }) => [code, count]),
    [
      ['VALUE_ABOVE_MAXIMUM', 3],
      ['NODE_OFFLINE', 3],
    ],
  );
  assert.equal((await refusal(fleet.rollout())).reason, 'NotFound');
});

test('a query that is wrong is refused with the place of its fault', async () => {
  await fleet.populate(1);
  const error = await refusal(fleet.begin({ query: QUERY.replace('model', 'modle') }));
  assert.equal(error.reason, 'BadRequest');
  const [cause] = error.details.causes ?? [];
  assert.equal(cause?.field, 'spec.query');
  assert.equal(cause?.reason, 'QUERY_NAME');
  assert.equal(
    (await refusal(fleet.begin({ query: 'SELECT * FROM devices' }))).reason,
    'BadRequest',
  );
  for (const where of ['true) WITH batch = 7 --', 'modle = 1']) {
    const { details } = await refusal(fleet.begin({ set: { setpoint: 50 }, where }));
    const at = details.causes?.[0] as { field: string; offset?: number; column?: number };
    assert.equal(at.field, 'spec.where');
    assert.ok((at.offset ?? -1) >= 0 && (at.column ?? 0) >= 1, JSON.stringify(at));
  }
  const odd = await refusal(fleet.begin({ set: { setpiont: 5 }, where: 'true' }));
  assert.equal(odd.details.causes?.[0]?.field, 'spec.set');
});

test('what it is for is fixed once it exists; how fast, and whether it goes on, is not', async () => {
  await fleet.populate(2);
  await fleet.begin({ query: QUERY });
  const error = await refusal(fleet.patch({ query: QUERY.replace('50', '60') }));
  assert.equal(error.details.causes?.[0]?.field, 'spec.query');
  await fleet.patch({ batch: 3, maxFailures: 9, paused: true });
  await fleet.run();
  assert.equal((await fleet.rollout()).status?.phase, 'Paused');
  assert.deepEqual(await fleet.orders(), []);
  await fleet.patch({ revert: true });
  assert.equal((await refusal(fleet.patch({ revert: false }))).reason, 'Invalid');
});

test('deleted, it tells nobody any more, and what it has told stays', async () => {
  await fleet.populate(3);
  await fleet.begin({ query: QUERY });
  await fleet.run();
  await fleet.backend.remove(ROLLOUT, {});
  await fleet.judge(idOf(1), 'applied');
  assert.equal(await fleet.step(), 'gone');
  assert.deepEqual(
    (await fleet.orders()).map(({ device, value }) => [device, value]),
    [[idOf(1), 50]],
  );
});

test('of those that have not ended only so many may be', async () => {
  await fleet.populate(1);
  for (let at = 0; at < 16; at++) await fleet.begin({ query: QUERY, paused: true }, `r-${at}`);
  const error = await refusal(fleet.begin({ query: QUERY }, 'one-more'));
  assert.equal(error.reason, 'Forbidden');
  await fleet.backend.remove({ ...ROLLOUT, name: 'r-0' }, {});
  await fleet.begin({ query: QUERY }, 'one-more');
});

test('of those that have ended the latest are kept', async () => {
  await fleet.populate(1);
  const query = QUERY.replace('boiler', 'none');
  for (let at = 0; at <= 101; at++) {
    fleet.clock.advance(1);
    await fleet.begin({ query }, `r-${at}`);
    await fleet.run(`r-${at}`);
  }
  assert.equal((await fleet.rollout('r-101')).status?.reason?.code, 'ROLLOUT_EMPTY');
  const names = await Promise.all(
    [0, 1, 2].map((at) =>
      fleet.rollout(`r-${at}`).then(
        () => 'kept',
        () => 'gone',
      ),
    ),
  );
  assert.deepEqual(names, ['gone', 'gone', 'kept']);
});
