import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SharedReads } from './shared-reads.ts';

test('what many ask of one state is read once, and anew after each commit', async () => {
  let commit = (): void => undefined;
  let state = 0;
  let reads = 0;
  const shared = new SharedReads<number>((listener) => (commit = listener));
  const ask = (key: string): Promise<number> =>
    shared.read(key, async () => {
      reads += 1;
      return state;
    });
  assert.deepEqual(
    await Promise.all(Array.from({ length: 1000 }, () => ask('a'))),
    Array(1000).fill(0),
  );
  assert.equal(reads, 1);
  state = 1;
  commit();
  assert.deepEqual([await ask('a'), await ask('b'), await ask('a')], [1, 1, 1]);
  assert.equal(reads, 3);
});

test('a read that failed is not kept, nor are keys without end', async () => {
  const shared = new SharedReads<string>(() => undefined);
  await assert.rejects(shared.read('a', () => Promise.reject(new Error('away'))));
  assert.equal(await shared.read('a', async () => 'back'), 'back');
  let reads = 0;
  for (let i = 0; i < 100; i++) {
    await shared.read(`key ${i}`, async () => {
      reads += 1;
      return '';
    });
  }
  assert.equal(reads, 100);
  await shared.read('key 0', async () => {
    reads += 1;
    return '';
  });
  assert.equal(reads, 101);
});
