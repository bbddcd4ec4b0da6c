import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StateRow } from '#protocol';
import { StoreFailed } from '../store/errors.ts';
import type { Outcome } from '../store/group-commit.ts';
import type { PageTaken } from './apply-report.ts';
import { Reports } from './reports.ts';
import { clock, deviceOn, Edge, property, rig, status, store, turn } from './session.fixture.ts';

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
