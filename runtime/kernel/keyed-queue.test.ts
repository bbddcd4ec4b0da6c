import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KeyedQueue } from './keyed-queue.ts';

interface Gate {
  readonly key: string;
  readonly value: number;
  readonly open: () => void;
}

function gated(signal = new AbortController().signal) {
  const runs: Gate[] = [];
  const queue = new KeyedQueue<number>({
    signal,
    failed: (key, error) => assert.fail(`${key}: ${String(error)}`),
    run: (key, value) =>
      new Promise((resolve) => {
        runs.push({ key, value, open: resolve });
      }),
  });
  return { queue, runs };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('a key queued many times in one go runs once, with the latest value', async () => {
  const { queue, runs } = gated();
  for (let i = 0; i < 1_000; i++) queue.put('a', i);
  await turn();
  assert.deepEqual(
    runs.map(({ value }) => value),
    [999],
  );
});

test('while a key runs, later values wait as one, and no two runs of it overlap', async () => {
  const { queue, runs } = gated();
  queue.put('a', 1);
  await turn();
  queue.put('a', 2);
  queue.put('a', 3);
  await turn();
  assert.equal(runs.length, 1);
  assert.equal(queue.size, 1);
  runs[0]?.open();
  await turn();
  assert.deepEqual(
    runs.map(({ value }) => value),
    [1, 3],
  );
  runs[1]?.open();
  await queue.idle();
  assert.equal(queue.size, 0);
});

test('one slow key does not hold up another', async () => {
  const { queue, runs } = gated();
  queue.put('slow', 1);
  queue.put('quick', 2);
  await turn();
  assert.deepEqual(
    runs.map(({ key }) => key),
    ['slow', 'quick'],
  );
});

test('a run that fails is told and the key runs again when queued again', async () => {
  const failures: string[] = [];
  let ran = 0;
  const queue = new KeyedQueue<number>({
    signal: new AbortController().signal,
    failed: (key, error) => failures.push(`${key}: ${(error as Error).message}`),
    run: () => (++ran === 1 ? Promise.reject(new Error('refused')) : Promise.resolve()),
  });
  queue.put('a', 1);
  await queue.idle();
  queue.put('a', 2);
  await queue.idle();
  assert.deepEqual(failures, ['a: refused']);
  assert.equal(ran, 2);
});

test('after an abort nothing that waited runs, and nothing new is taken', async () => {
  const abort = new AbortController();
  const { queue, runs } = gated(abort.signal);
  queue.put('a', 1);
  await turn();
  queue.put('a', 2);
  abort.abort();
  runs[0]?.open();
  queue.put('b', 3);
  await queue.idle();
  assert.equal(runs.length, 1);
});
