import { type Away, type Mapper, type MapperContext, Unreachable } from '@limpet/dmi';
import { silentLog } from '@limpet/dmi/testing';
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { systemClock } from '../../kernel/clock.ts';
import bench from './fixtures/bench.mapper.ts';
import { served } from './fixtures/in-memory.ts';

interface Asked {
  readonly away: Away<unknown>;
  readonly device: string;
  readonly signal: AbortSignal;
  readonly resolve: () => void;
}

const context: MapperContext = {
  device: 'd/1',
  clock: systemClock,
  log: silentLog(),
  dial: () => assert.fail(),
};

function remote(t: TestContext) {
  const asked: Asked[] = [];
  const back: Mapper<unknown, unknown>['back'] = (away, { device }, signal) =>
    new Promise((resolve) => {
      asked.push({ away, device, signal, resolve });
    });
  const ends = served({ ...bench, back } as never);
  t.after(() => ends.link.end(new Unreachable('MAPPER_DOWN', 'the end')));
  const wait = (code: string, signal: AbortSignal): Promise<void> =>
    ends.remote.back?.({ settings: { name: 'one' }, code }, context, signal) ?? assert.fail();
  return { asked, wait };
}

async function until(done: () => boolean): Promise<void> {
  while (!done()) await systemClock.sleep(1);
}

test('a mapper in a process hears that a device is back, and why it was away', async (t) => {
  const { asked, wait } = remote(t);
  const heard = wait('BENCH_AWAY', new AbortController().signal);
  await until(() => asked.length > 0);
  const [{ away, device, resolve } = assert.fail()] = asked;
  assert.deepEqual([device, away.code], ['d/1', 'BENCH_AWAY']);
  resolve();
  await heard;
});

test('what waits in the process ends with the signal, and too many do not wait at all', async (t) => {
  const { asked, wait } = remote(t);
  const end = new AbortController();
  const waiting = Array.from({ length: 1_000 }, () => wait('BENCH_AWAY', end.signal));
  const over = Promise.allSettled(waiting);
  await assert.rejects(wait('BENCH_AWAY', end.signal), { code: 'MAPPER_BUSY' });
  await until(() => asked.length === 1_000);
  end.abort(new Error('removed'));
  await over;
  await until(() => asked.every(({ signal }) => signal.aborted));
  const again = wait('BENCH_AWAY', new AbortController().signal);
  await until(() => asked.length > 1_000);
  asked.at(-1)?.resolve();
  await again;
});
