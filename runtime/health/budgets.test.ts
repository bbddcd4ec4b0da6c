import type { Reason } from '@limpet/dmi/manifest';
import { fakeClock, recordingLog } from '@limpet/dmi/testing';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type BudgetedHost, Budgets } from './budgets.ts';
import { garbage } from './collect.ts';
import type { Sharer } from './share.ts';

const MI = 2 ** 20;

/** Mappers that run until they are shed. */
class Mappers implements BudgetedHost {
  readonly shedFor = new Map<string, Reason>();
  list: (Sharer & { importance: number })[] = [
    { protocol: 'modbus', hosting: 'process' as const, importance: 80, budgetBytes: 2 * MI },
    { protocol: 'inner', hosting: 'inline' as const, importance: 0, budgetBytes: 2 * MI },
    { protocol: 'toy', hosting: 'process' as const, importance: 1, budgetBytes: 2 * MI },
  ];

  status() {
    return this.list.map((each) => ({
      ...each,
      state: this.shedFor.has(each.protocol) ? 'shed' : 'ready',
    }));
  }
  shed(protocol: string, reason: Reason): void {
    this.shedFor.set(protocol, reason);
  }
  resume(protocol: string): void {
    this.shedFor.delete(protocol);
  }
}

function budgets(coreMi: number, ceilingMi = 4_096) {
  const [clock, log] = [fakeClock(), recordingLog()];
  const wish = { core: coreMi * MI, ceiling: ceilingMi * MI };
  const made = new Budgets({
    wish,
    machine: { total: 2 ** 33 },
    cgroups: 'none in this test',
    clock,
    log,
  });
  return { made, clock, log };
}

test('a core beyond its budget gives up caches, samples and then the least important mapper, each told', async (t) => {
  const { made, clock, log } = budgets(16);
  const host = new Mappers();
  const given: string[] = [];
  made.agree(host.status());
  made.sheds('caches', { name: 'caches', shed: () => given.push('caches') });
  made.sheds('samples', { name: 'samples', shed: () => given.push('samples') });
  made.start(host);
  t.after(() => made.stop());
  // This process has far more than 16 MiB: it is over from the first look.
  await clock.advance(30_000);
  assert.deepEqual(given, ['caches', 'samples']);
  assert.deepEqual([...host.shedFor.keys()], ['toy']);
  assert.equal(host.shedFor.get('toy')?.code, 'NODE_MEMORY');
  const { shed, rows, enforced } = made.facts();
  assert.deepEqual(
    shed.map(({ step, times }) => [step, times]),
    [
      ['caches', 1],
      ['samples', 1],
      ['mapper', 1],
    ],
  );
  const [core, modbus] = rows;
  assert.equal(core?.over, 1);
  assert.ok((core?.now ?? 0) > 16 * MI && (core?.rss ?? 0) > (core?.now ?? 0));
  assert.deepEqual(modbus, {
    kind: 'memory',
    what: 'mapper modbus',
    budget: 2 * MI,
    now: 0,
    peak: 0,
    over: 0,
  });
  assert.deepEqual(enforced, { by: 'watchdog', note: 'none in this test' });
  const told = log.lines
    .map(({ message }) => message)
    .filter((message) => message.startsWith('memory is short'));
  assert.deepEqual(told, [
    'memory is short: caches given up',
    'memory is short: samples given up',
    'memory is short: mapper stopped',
  ]);
});

test('a core within its budget gives nothing up', async (t) => {
  const { made, clock } = budgets(2_048);
  const host = new Mappers();
  made.agree(host.status());
  made.start(host);
  t.after(() => made.stop());
  await clock.advance(60_000);
  assert.equal(host.shedFor.size, 0);
  assert.ok(made.facts().shed.every(({ times }) => times === 0));
});

test('budgets that do not fit are refused as a configuration fault', () => {
  const { made } = budgets(64, 66);
  assert.throws(() => made.agree(new Mappers().status()), {
    name: 'Misconfigured',
    code: 'MEMORY_OVERBOOKED',
    message: /mapper toy/,
  });
});

test('a mapper that is installed while the node runs and does not fit is kept from running until it does', async (t) => {
  const { made, clock } = budgets(2_048, 2_053);
  const host = new Mappers();
  made.agree(host.status());
  let news = 0;
  made.onMapperState(() => (news += 1));
  made.start(host);
  t.after(() => made.stop());
  await clock.advance(1_500);
  host.list = [
    ...host.list,
    { protocol: 'late', hosting: 'process', importance: 50, budgetBytes: 2 * MI },
  ];
  await clock.advance(1_500);
  assert.equal(host.shedFor.get('late')?.code, 'MEMORY_OVERBOOKED');
  assert.ok(news >= 2);
  host.list = host.list.filter(({ protocol }) => protocol !== 'toy');
  await clock.advance(1_500);
  assert.equal(host.shedFor.has('late'), false);
});

test('garbage goes back to the system when it is asked for', () => {
  let held: unknown[] = Array.from({ length: 200_000 }, (_, index) => ({
    index,
    text: `x${index}`,
  }));
  assert.equal(held.length, 200_000);
  held = [];
  assert.ok(garbage().shed() > 4 * MI);
});
