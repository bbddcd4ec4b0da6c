/**
 * Promise: a mapper whose process ends, by itself, by a bug or by nonsense on its pipes, is named, is started again,
 * and takes neither the node nor a sample of another device with it.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ASK_MS, Yard } from '../mappers/yard.ts';
import { until } from '../rig/until.ts';

let yard: Yard;
let pid: number;

before(async () => {
  yard = await Yard.open({ looper: 'crash-loop' });
  pid = yard.pid;
});
after(async () => {
  await yard.close();
});

for (const [does, offence, order, code, says] of [
  ['exits as if all were well', 'exit', '0', 'MAPPER_EXITED', /exit code 0.*giving up/],
  ['throws in a timer', 'throw-later', 'go', 'MAPPER_EXITED', /a bug in a timer/],
  ['leaves a rejection', 'reject-later', 'go', 'MAPPER_EXITED', /a bug nobody awaits/],
  ['aborts', 'signal-self', 'abort', 'MAPPER_CRASHED', /SIGABRT/],
  ['crashes in native code', 'crash-natively', 'go', 'MAPPER_CRASHED', /SIGTRAP/],
  ['breaks its memory', 'signal-self', 'SIGSEGV', 'MAPPER_CRASHED', /SIGSEGV/],
  ['writes nonsense on the management plane', 'garbage', '3', 'MAPPER_PROTOCOL', /protocol/],
  ['writes nonsense on the data plane', 'garbage', '4', 'MAPPER_PROTOCOL', /protocol/],
  ['closes its pipes and runs on', 'close-pipes', 'go', 'MAPPER_EXITED', /exit code 0/],
] as const) {
  test(`a mapper that ${does} is named and started again, and nobody else is hurt`, async (t) => {
    const { restarts: before = 0 } = await yard.facts();
    const { reason } = await yard.suffers(t, { offence, order, code, outcome: 'is started again' });
    assert.match(reason?.message ?? '', says);
    assert.equal((await yard.facts()).restarts, before + 1, 'one order is one offence');
    assert.equal(yard.pid, pid);
  });
}

test('a mapper that crashes each time ends in a crash loop, and shows the last it printed', async (t) => {
  yard.mark();
  await until(
    async () => {
      const { state } = await yard.facts('looper');
      return state === 'crash-loop' ? undefined : `${state}`;
    },
    40_000,
    ASK_MS,
  );
  const { reason, lines = [] } = await yard.shown('looper');
  assert.equal(reason?.code, 'MAPPER_EXITED');
  assert.match(lines.join('\n'), /out of coffee/);
  assert.ok(yard.logged('out of coffee', 'looper').length > 0);
  assert.match(JSON.stringify(yard.state('looper')), /keeps ending.*out of coffee/);
  yard.install('none', {}, 'looper');
  await until(() => (yard.state('looper')['state'] === 'online' ? undefined : 'not mended'));
  assert.equal((await yard.facts('looper')).state, 'ready');
  await yard.unharmed(t);
});
