/**
 * Promise: a mapper that leaks, floods or fills the disk is held to its own budget, is named, and costs the core
 * nothing: no memory beyond its budget, and no sample of another device.
 */
import assert from 'node:assert/strict';
import { statfsSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { Yard } from '../mappers/yard.ts';
import { pause, until } from '../rig/until.ts';

let yard: Yard;
let pid: number;

before(async () => {
  yard = await Yard.open();
  pid = yard.pid;
});
after(async () => {
  await yard.close();
});

for (const [what, offence] of [
  ['its heap', 'leak-heap'],
  ['buffers outside of its heap', 'leak-buffers'],
] as const) {
  test(`a mapper that leaks ${what} is stopped at its budget and started again`, async (t) => {
    const { budget, peak = 0 } = await yard.suffers(t, {
      offence,
      order: 'go',
      terms: { memory: '20Mi' },
      code: 'MAPPER_MEMORY',
      outcome: 'is started again',
    });
    assert.equal(budget, 20 * 2 ** 20);
    assert.ok(peak < 2 * budget, `${peak} bytes were taken before it was stopped`);
    assert.equal(yard.pid, pid);
  });
}

test('a mapper that tells 200,000 readings a second is slowed down, counted, and hurts nobody', async (t) => {
  const { state, superseded = 0 } = await yard.suffers(t, {
    offence: 'flood-readings',
    code: 'MAPPER_FLOODS',
    outcome: 'runs on',
  });
  assert.equal(state, 'ready');
  assert.ok(superseded > 50_000, `${superseded} replaced readings are told`);
});

test('a mapper that answers with ever larger texts loses these, with the reason, and nothing else', async (t) => {
  yard.install('huge-readings');
  await yard.serves();
  yard.mark();
  await yard.order('go');
  await until(() => (yard.reported('said')['quality'] === 'bad' ? undefined : 'still good'));
  await pause(3_000);
  assert.match(JSON.stringify(yard.reported('said')['reason']), /bytes/);
  assert.equal(yard.state()['state'], 'online');
  await yard.unharmed(t);
});

test('a mapper that prints without end fills neither memory nor the log', async (t) => {
  const before = yard.rig.edge?.output.length ?? 0;
  await yard.suffers(t, {
    offence: 'endless-print',
    order: 'go',
    code: 'MAPPER_NOISY',
    outcome: 'runs on',
  });
  const printed = (yard.rig.edge?.output.length ?? 0) - before;
  assert.ok(printed < 100_000, `${printed} characters went to the log`);
});

test('a mapper that fills its folder is stopped at its ceiling', async (t) => {
  const free = statfsSync(yard.rig.edgeData).bavail;
  const terms = { disk: '8Mi' };
  await yard.suffers(t, {
    offence: 'fill-scratch',
    order: 'go',
    terms,
    code: 'MAPPER_DISK',
    outcome: 'is stopped',
  });
  const { bavail, bsize } = statfsSync(yard.rig.edgeData);
  assert.ok((free - bavail) * bsize < 256 * 2 ** 20, 'the disk is full');
  yard.install('none');
  await yard.serves();
  assert.equal(yard.pid, pid);
});
