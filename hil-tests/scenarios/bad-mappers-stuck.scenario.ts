/**
 * Promise: a mapper that spins, blocks, never answers, never gets ready or does not want to end is ended from outside,
 * is named, and keeps nobody waiting; when the edge ends, whichever way, nothing of it stays.
 */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { ASK_MS, Yard } from '../mappers/yard.ts';
import { pause, until } from '../rig/until.ts';

let yard: Yard;
let pid: number;

before(async () => {
  yard = await Yard.open({ sleeper: 'never-ready', mute: 'never-answer' });
  pid = yard.pid;
});
after(async () => {
  await yard.close();
});

for (const [does, offence] of [
  ['spins', 'spin'],
  ['blocks its event loop for 8 s at a time', 'block'],
] as const) {
  test(`a mapper that ${does} is killed and started again`, async (t) => {
    await yard.suffers(t, {
      offence,
      order: 'go',
      code: 'MAPPER_UNRESPONSIVE',
      outcome: 'is started again',
    });
    assert.equal(yard.pid, pid);
  });
}

test('a mapper that never answers a read takes its own device away, and is named', async (t) => {
  yard.mark();
  await until(
    async () => {
      const [{ reason }, { state, reason: why }] = [await yard.facts('mute'), yard.state('mute')];
      if (state === 'offline' && reason?.code === 'MAPPER_SILENT') return undefined;
      return JSON.stringify([state, why, reason]);
    },
    20_000,
    ASK_MS,
  );
  assert.match(JSON.stringify(yard.state('mute')), /CALL_TIMEOUT/);
  assert.equal((await yard.shown('mute')).reason?.code, 'MAPPER_SILENT');
  assert.equal(yard.logged('MAPPER_SILENT', 'mute').length, 1);
  await yard.unharmed(t);
});

test('a mapper that does not want to end is ended by its successor', async (t) => {
  yard.install('ignore-stop');
  await yard.serves();
  // Those before it leave in their own time.
  await until(() => (yard.processes('offender').length > 1 ? 'two of it run' : undefined));
  const [old] = yard.processes('offender');
  yard.mark();
  yard.install('none');
  await yard.serves();
  await until(() => (existsSync(`/proc/${old}`) ? 'it still runs' : undefined), 6_000);
  const last = yard.logged('MAPPER_UNRESPONSIVE').at(-1) ?? '';
  assert.match(last, /did not end within 2 s/);
  await yard.unharmed(t);
});

test('a mapper that never gets ready is given up after a while, and tried again', async () => {
  await until(
    async () => {
      const { reason } = await yard.facts('sleeper');
      return reason?.code === 'MAPPER_DOWN' ? undefined : JSON.stringify(reason);
    },
    30_000,
    ASK_MS,
  );
  const { reason, state } = await yard.shown('sleeper');
  assert.match(reason?.message ?? '', /not ready within 20 s/);
  assert.match(state ?? '', /restarting|starting/);
  assert.equal((await yard.facts()).state, 'ready');
});

test('an edge that stops leaves nothing behind, whatever its mappers do', async () => {
  yard.install('ignore-stop');
  await yard.serves();
  assert.ok(yard.processes().length >= 2);
  const started = performance.now();
  await yard.rig.edge?.stop();
  assert.equal(yard.rig.edge?.exitCode, 0, yard.rig.edge?.lastLines);
  assert.ok(performance.now() - started < 6_000);
  assert.deepEqual(yard.processes(), []);
  assert.deepEqual(cgroups([pid]), []);
});

test('an edge that is killed takes its mappers along, and the next one cleans up', async () => {
  const killed: number[] = [];
  for (const [offence, order] of [
    ['none', undefined],
    ['spin', 'go'],
    ['ignore-stop', undefined],
  ] as const) {
    yard.install(offence);
    await yard.rig.startEdge();
    await yard.serves();
    if (order !== undefined) await yard.order(order);
    await pause(300);
    assert.ok(yard.processes().length >= 2);
    killed.push(yard.pid);
    await yard.rig.edge?.kill();
    await until(() => yard.processes().join() || undefined, 5_000);
  }
  await yard.rig.startEdge();
  killed.push(yard.pid);
  await yard.rig.edge?.stop();
  assert.deepEqual(cgroups(killed), []);
});

/** What these edges left of cgroups, wherever this machine has them. */
function cgroups(pids: readonly number[]): readonly string[] {
  const own = /^\d+:(?:[^:]*\bmemory\b[^:]*|):(.*)$/m.exec(
    readFileSync('/proc/self/cgroup', 'utf8'),
  );
  const roots = ['/sys/fs/cgroup/memory', '/sys/fs/cgroup'].map((root) =>
    path.join(root, own?.[1] ?? ''),
  );
  const folders = roots.filter((root) => existsSync(root)).flatMap((root) => readdirSync(root));
  return folders.filter((name) => pids.some((each) => name.startsWith(`limpet-${each}-`)));
}
