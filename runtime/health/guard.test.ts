/** With real children that leak: what is promised here is the kernel's to keep. */
import { fakeClock, recordingLog } from '@limpet/dmi/testing';
import type { BudgetRow, Reason } from '@limpet/dmi/manifest';
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { kernelFiles, standing } from './cgroup-files.ts';
import type { Cgroups } from './cgroups.ts';
import { ProcessGuard } from './guard.ts';
import { theseCgroups } from './machine.ts';
import { weigh, WITHIN } from './over.ts';
import { detailOf, MemoryProbe, pageSizeIn, takenOf } from './process-memory.ts';

const MI = 2 ** 20;

/** Holds so many MiB beyond Node's own, at `perTick` each 20 ms. */
function child(t: TestContext, holdMi: number, perTick = holdMi): ChildProcess {
  const script = `const held = []; const timer = setInterval(() => {
    if (held.length * ${perTick} >= ${holdMi}) return clearInterval(timer), setInterval(() => {}, 1e6), console.log('full');
    held.push(Buffer.alloc(${perTick} * 1048576, 1));
  }, 20); console.log('up');`;
  const started = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'ignore'] });
  t.after(() => started.kill('SIGKILL'));
  return started;
}

function rowOf(guard: ProcessGuard): Required<BudgetRow> {
  const [row] = guard.rows();
  assert.ok(row !== undefined);
  return row as Required<BudgetRow>;
}

/** Its message; its code is the one promised. */
function told(reason: Reason | undefined): string {
  assert.equal(reason?.code, 'MAPPER_MEMORY');
  return reason.message;
}

const pidOf = (started: ChildProcess): number => started.pid ?? 0;

async function said({ stdout }: ChildProcess, word: string): Promise<void> {
  let text = '';
  for await (const chunk of stdout ?? []) if ((text += String(chunk)).includes(word)) return;
  throw new Error(`it ended without "${word}", having said: ${text}`);
}

test('a child that leaks is told of within three looks, once, with its figures and the way out', async (t) => {
  const log = recordingLog();
  const guard = new ProcessGuard({ clock: fakeClock(), log });
  const leaking = child(t, 60, 4);
  const reasons: Reason[] = [];
  const release = guard.admit({
    name: 'leaky',
    pid: pidOf(leaking),
    budgetBytes: 30 * MI,
    over: (reason) => reasons.push(reason),
  });
  await said(leaking, 'full');
  for (let look = 0; look < 10; look++) guard.look();
  assert.equal(reasons.length, 1);
  assert.match(
    told(reasons[0]),
    /stopped at (6|7|8)\d\.\d MiB .*a quarter beyond its budget of 30Mi: .*mappers\.PROTOCOL\.memory/,
  );
  const row = rowOf(guard);
  assert.equal(row.over, 1);
  assert.ok(row.peak > 60 * MI && row.rss > row.pss);
  leaking.kill('SIGKILL');
  await once(leaking, 'exit');
  assert.equal(release(), undefined, 'the kernel did not end it for memory');
  assert.equal(rowOf(guard).now, 0);
  assert.equal(rowOf(guard).over, 1, 'what was counted stays');
  assert.equal(log.lines.filter(({ level }) => level === 'error').length, 1);
});

test('a child within its budget is left alone, and one that ended is no trouble', async (t) => {
  const guard = new ProcessGuard({ clock: fakeClock(), log: recordingLog() });
  const modest = child(t, 4);
  const over = () => assert.fail('it is within its budget');
  const release = guard.admit({ name: 'modest', pid: pidOf(modest), budgetBytes: 40 * MI, over });
  await said(modest, 'full');
  for (let look = 0; look < 5; look++) guard.look();
  assert.ok((guard.taken('modest')?.now ?? 0) > 8 * MI);
  modest.kill('SIGKILL');
  await once(modest, 'exit');
  guard.look();
  release();
  const gone = guard.admit({ name: 'modest', pid: 2 ** 22 + 1, budgetBytes: MI, over });
  guard.look();
  gone();
});

const v1 = standing(
  readFileSync('/proc/self/cgroup', 'utf8'),
  readFileSync('/proc/self/mountinfo', 'utf8'),
);
/** The folder that `theseCgroups` made. */
function ownCgroup(): string {
  const above = v1?.folder ?? '';
  const name = readdirSync(above).find((each) => each.startsWith(`limpet-${process.pid}-`));
  return path.join(above, name ?? '');
}

const why =
  v1?.version !== 1
    ? 'no cgroup v1 here'
    : process.getuid?.() !== 0
      ? 'only root may make cgroups here'
      : false;

test(
  'v1: the kernel ends a leaking child between two looks, and it is named as out of memory',
  { skip: why },
  async (t) => {
    const log = recordingLog();
    const cgroups = theseCgroups(log) as Cgroups;
    const guard = new ProcessGuard({ clock: fakeClock(), log, cgroups });
    t.after(() => guard.close());
    const own = ownCgroup();
    const leaking = child(t, 400, 4);
    const exited = once(leaking, 'exit');
    const release = guard.admit({
      name: 'leaky',
      pid: pidOf(leaking),
      budgetBytes: 24 * MI,
      over: () => assert.fail('nobody looked'),
    });
    assert.equal(
      kernelFiles.read(path.join(own, 'leaky-1/memory.limit_in_bytes')).trim(),
      String(32 * MI),
    );
    const [code, signal] = await exited;
    assert.deepEqual([code, signal], [null, 'SIGKILL']);
    const reason = release();
    assert.match(told(reason), /the kernel ended it at 32Mi \(budget 24Mi plus 8Mi/);
    assert.equal(rowOf(guard).over, 1);
    for (let wait = 0; existsSync(path.join(own, 'leaky-1')) && wait < 50; wait++) {
      await sleep(20);
      guard.look();
    }
    guard.close();
    assert.equal(existsSync(own), false, 'nothing is left of it');
  },
);

test(
  'v1: a child stays within budget plus allowance while it works, and is charged for what it takes',
  { skip: why },
  async (t) => {
    const cgroups = theseCgroups(recordingLog()) as Cgroups;
    const guard = new ProcessGuard({ clock: fakeClock(), log: recordingLog(), cgroups });
    t.after(() => guard.close());
    const modest = child(t, 8);
    const release = guard.admit({
      name: 'modest',
      pid: pidOf(modest),
      budgetBytes: 24 * MI,
      over: () => assert.fail('it is within'),
    });
    await said(modest, 'full');
    guard.look();
    const row = rowOf(guard);
    assert.ok(row.charged > 8 * MI && row.charged < 32 * MI, String(row.charged));
    modest.kill('SIGKILL');
    await once(modest, 'exit');
    assert.equal(release(), undefined);
  },
);

test('over budget is three looks in a row, or a quarter beyond once; it is told once until it is within again', () => {
  const events = (samples: readonly number[]) => {
    let excess = WITHIN;
    return samples.map((now) => {
      const { after, event } = weigh(excess, now, 100);
      excess = after;
      return event ? 1 : 0;
    });
  };
  assert.deepEqual(events([101, 101, 99, 101, 101, 100]), [0, 0, 0, 0, 0, 0]);
  assert.deepEqual(events([101, 101, 101, 101, 101]), [0, 0, 1, 0, 0]);
  assert.deepEqual(events([90, 126, 126, 90, 126]), [0, 1, 0, 0, 1]);
  assert.deepEqual(events([125, 125, 124]), [0, 0, 1]);
});

test('a look costs less than a ten-thousandth of its second, and keeps nothing', () => {
  const probe = new MemoryProbe('self');
  for (let look = 0; look < 1_000; look++) probe.look();
  const began = process.hrtime.bigint();
  for (let look = 0; look < 1_000; look++) probe.look();
  const microseconds = Number(process.hrtime.bigint() - began) / 1e6;
  probe.close();
  assert.ok(microseconds < 100, `${microseconds.toFixed(1)} µs a look`);
  assert.equal(probe.look(), undefined);
});

test("the kernel's files are read as they are written, with pages of any size", () => {
  assert.deepEqual(takenOf('256367 12629 10015 6802 0 21231 0\n', 16_384), {
    private: 2_614 * 16_384,
    rss: 12_629 * 16_384,
  });
  assert.equal(takenOf('0 0 0 0 0 0 0\n', 4_096), undefined);
  const rollup =
    '55 - [rollup]\nRss:               50516 kB\nPss:               46979 kB\nPss_Anon: 1 kB\nAnonymous:         10456 kB\n';
  assert.deepEqual(detailOf(rollup), {
    rss: 50_516 * 1_024,
    pss: 46_979 * 1_024,
    private: 10_456 * 1_024,
  });
  assert.equal(detailOf('Rss: 1 kB\n'), undefined);
  const wide = Buffer.alloc(48);
  for (const [at, value] of [3, 4_096, 6, 16_384].entries())
    wide.writeBigUInt64LE(BigInt(value), at * 8);
  assert.equal(pageSizeIn(wide, 8), 16_384);
  const narrow = Buffer.alloc(16);
  for (const [at, value] of [6, 4_096].entries()) narrow.writeUInt32LE(value, at * 4);
  assert.equal(pageSizeIn(narrow, 4), 4_096);
});
