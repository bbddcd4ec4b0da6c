import type { Mapper } from '@limpet/dmi';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { processOutput } from '../output.ts';
import { look } from './look.ts';

test('a look that is over leaves no timer behind that would keep the command', async () => {
  async function* discover() {
    yield { name: 'one', about: 'one', settings: {} };
  }
  const mapper = { protocol: 'plant', discover } as unknown as Mapper<unknown, unknown>;
  const timers = (): number =>
    process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
  const before = timers();
  const names: unknown[] = [];
  const failure = await look({
    mapper,
    search: { settings: {} },
    count: () => names.length,
    timeoutMs: 60_000,
    output: processOutput(true),
    take: (found) => Promise.resolve(names.push(found) < 5),
    config: undefined,
  });
  assert.deepEqual([failure, names.length, timers()], [undefined, 1, before]);
});
