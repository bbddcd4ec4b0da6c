import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StateRow } from '#protocol';
import type { Document } from '#protocol/api';
import { BOILER } from '../testing.ts';
import { StoreFailed } from '../store/errors.ts';
import type { Outcome } from '../store/group-commit.ts';
import type { PageTaken } from './apply-report.ts';
import { Reports } from './reports.ts';
import {
  api,
  clock,
  deviceOn,
  Edge,
  modelTarget,
  property,
  rig,
  status,
  store,
  T0,
  turn,
  wantedDevice,
  writes,
} from './session.fixture.ts';

const told = (outcome: Outcome<PageTaken> | undefined): string =>
  outcome === undefined ? 'nothing' : outcome.ok ? 'taken' : String(outcome.error);

/** Pages of one node each, reported in one turn. */
async function report(
  ...pages: readonly { node: string; rows: readonly StateRow[]; live?: boolean }[]
): Promise<readonly string[]> {
  const reports = new Reports(store);
  const heard: (Outcome<PageTaken> | undefined)[] = pages.map(() => undefined);
  for (const [index, { node, rows, live = true }] of pages.entries()) {
    reports.add({
      page: { node, rows, to: 1, strays: 10 },
      live: () => live,
      settled: (outcome) => (heard[index] = outcome),
    });
  }
  for (let left = 0; left < 4; left++) await turn();
  return heard.map((outcome) => told(outcome));
}

test('pages of many nodes are written in one transaction, each with its own outcome', async () => {
  await rig();
  await new Edge().hello('gateway-1');
  await new Edge().hello('gateway-2');
  const before = store.version();
  const outcomes = await report(
    { node: 'gateway-1', rows: [property(1, 51)] },
    { node: 'gateway-2', rows: [property(1, 99)] },
    { node: 'gateway-1', rows: [property(2, 52)], live: false },
  );
  assert.deepEqual(outcomes, ['taken', 'taken', 'nothing']);
  assert.ok(store.version() > before);
  assert.equal((await status())?.twin['setpoint']?.reported?.value, 51);
});

test('a page that cannot be written does not keep those of others from the disk', async () => {
  await rig();
  await new Edge().hello('gateway-1');
  // What no check lets through: a document without the parts that all have.
  const broken = { ...deviceOn('gateway-2'), metadata: undefined } as never;
  const rev = clock.now() * 2000 + 1;
  const spoiler = { kind: 'resource', type: 'Device', id: 'default/x', rev, doc: broken, seq: 1 };
  const outcomes = await report(
    { node: 'gateway-2', rows: [spoiler as StateRow] },
    { node: 'gateway-1', rows: [property(1, 53)] },
  );
  assert.match(outcomes[0] ?? '', /TypeError/);
  assert.equal(outcomes[1], 'taken');
  assert.equal((await status())?.twin['setpoint']?.reported?.value, 53);
});

test('what the disk refuses is refused to every page', async () => {
  await rig();
  await store.commit.close();
  const outcomes = await report(
    { node: 'gateway-1', rows: [property(1, 50)] },
    { node: 'gateway-2', rows: [property(1, 50)] },
  );
  const closed = String(new StoreFailed('STORE_CLOSED', 'The cloud service is stopping.'));
  assert.deepEqual(outcomes, [closed, closed]);
});

const carried = (value: number) =>
  property(1, value, { carried: true, reported: { value, at: T0 - 1000, quality: 'stale' } });

test('what other work that failed has to do with a page is nothing: it is known as before', async () => {
  await rig();
  const edge = await new Edge().hello();
  edge.session.received({ type: 'report', to: 1, rows: [property(1, 51)] });
  const fails = async (): Promise<never> => assert.fail('no');
  await Promise.all([assert.rejects(store.commit.run(fails), /no/), turn()]);
  await (await new Edge().hello('gateway-1', 'e2')).report(1, carried(40));
  assert.equal((await status())?.twin['setpoint']?.reported?.value, 51);
});

test('what one page changes another of the same transaction finds', async () => {
  await rig();
  await (await new Edge().hello()).report(1, property(1, 51));
  const { properties } = BOILER.spec;
  const without = { ...BOILER, spec: { ...BOILER.spec, properties: properties.slice(0, 1) } };
  await api(writes.replace(modelTarget, without as unknown as Document));
  const rev = clock.now() * 2000 + 1;
  const all = { kind: 'resource', type: 'DeviceModel', id: 'default/boiler', rev, doc: BOILER };
  await report(
    { node: 'gateway-2', rows: [{ ...all, seq: 1 } as StateRow] },
    { node: 'gateway-1', rows: [carried(40)] },
  );
  assert.equal((await status())?.twin['setpoint']?.reported?.value, 51);
});

test('of a device that a page brings from another node counts what the page says of it', async () => {
  await rig();
  await (await new Edge().hello()).report(1, property(1, 51));
  const moved = wantedDevice(1, clock.now() * 2000 + 2, deviceOn('gateway-2'));
  await report({ node: 'gateway-2', rows: [moved, carried(40)] });
  assert.equal((await status())?.twin['setpoint']?.reported?.value, 40);
});
