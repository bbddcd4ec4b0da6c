import { type Mapper, Unreachable } from '@limpet/dmi';
import { fakeClock } from '@limpet/dmi/testing';
import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { type TestContext, test } from 'node:test';
import bench from './fixtures/bench.mapper.ts';
import { type Ends, served } from './fixtures/in-memory.ts';

type Remote = Ends & { readonly remote: Mapper<unknown, unknown> };

function open(t: TestContext, mapper: object, clock = fakeClock()): Remote {
  const ends = served(mapper as never, clock);
  t.after(() => ends.link.end(new Unreachable('MAPPER_DOWN', 'the end')));
  return ends;
}

const check = async ({ remote }: Remote, key: string) =>
  remote.visitor['~standard'].validate({ key });

test('models of many properties that come all at once are not too much for a process', async (t) => {
  const ends = open(t, bench);
  const all = Array.from({ length: 20_000 }, (_, n) => check(ends, `${n} ${'x'.repeat(300)}`));
  const results = await Promise.all(all);
  assert.ok(results.every(({ issues }) => issues === undefined));
});

test('a check that is never answered ends in time, and keeps no other waiting', async (t) => {
  const clock = fakeClock();
  const validate = (value: { key: string }) =>
    value.key === 'never' ? new Promise(() => undefined) : { value };
  const visitor = { '~standard': { version: 1, vendor: 'test', validate } };
  const ends = open(t, { ...bench, visitor }, clock);
  const never = assert.rejects(check(ends, 'never'), {
    name: 'Unreachable',
    code: 'CALL_TIMEOUT',
    message: /no answer to a check of manifests within 20 s/,
  });
  await turn();
  await turn();
  assert.deepEqual(await check(ends, 'other'), { value: { key: 'other' } });
  await clock.advance(20_000);
  await never;
  for (let n = 0; n < 20 && ends.link.calls.pending > 0; n++) await turn();
  assert.equal(ends.link.calls.pending, 0);
});
