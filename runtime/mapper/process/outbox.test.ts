import { Unreachable } from '@limpet/dmi';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Outbox } from './outbox.ts';

const good = (value: number | string) => ({ ok: true as const, value });

test('the latest reading of each property arrives, and every other one is counted', () => {
  const step = fc.oneof(
    fc.record({ sub: fc.integer({ min: 1, max: 3 }), index: fc.nat(700), value: fc.integer() }),
    fc.constant('take' as const),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 3_000 }), (steps) => {
      const outbox = new Outbox();
      for (const sub of [1, 2, 3]) outbox.open(sub, 701);
      const [put, got] = [new Map<string, unknown>(), new Map<string, unknown>()];
      let [puts, takes] = [0, 0];
      const take = (): void => {
        for (const [sub, index, reading] of outbox.take()?.r ?? []) {
          got.set(`${sub} ${index}`, reading);
          takes += 1;
        }
      };
      for (const each of steps) {
        if (each === 'take') take();
        else {
          assert.ok(outbox.put(each.sub, each.index, good(each.value)));
          put.set(`${each.sub} ${each.index}`, each.value);
          puts += 1;
        }
      }
      while (!outbox.empty) take();
      assert.deepEqual(got, put);
      assert.equal(outbox.superseded, puts - takes);
    }),
  );
});

test('a batch holds 500 readings or about 64 KiB, and subscriptions take turns', () => {
  const outbox = new Outbox();
  outbox.open(1, 2_000);
  outbox.open(2, 10);
  for (let index = 0; index < 2_000; index++) outbox.put(1, index, good(index));
  outbox.put(2, 3, good('x'));
  assert.equal(outbox.take()?.r.length, 500);
  assert.deepEqual(outbox.take()?.r[0], [2, 3, 'x']);
  const large = new Outbox();
  large.open(1, 100);
  for (let index = 0; index < 100; index++) large.put(1, index, good('x'.repeat(10_000)));
  assert.equal(large.take()?.r.length, 7);
});

test('a busy property does not keep the others waiting', () => {
  const outbox = new Outbox();
  outbox.open(1, 600);
  for (let index = 0; index < 600; index++) outbox.put(1, index, good(0));
  outbox.put(1, 0, good(1));
  const first = outbox.take()?.r ?? [];
  assert.deepEqual(first[0], [1, 0, 1]);
  outbox.put(1, 0, good(2));
  assert.equal(outbox.take()?.r[0]?.[1], 500);
});

test('a loss comes after the readings, and ends the subscription', () => {
  const outbox = new Outbox();
  outbox.open(4, 2);
  outbox.put(4, 1, good(1));
  outbox.lose(4, new Unreachable('GONE', 'unplugged'));
  outbox.lose(4, new Unreachable('GONE', 'again'));
  assert.equal(outbox.put(4, 1, good(2)), false);
  assert.deepEqual(outbox.take(), {
    r: [[4, 1, 1]],
    l: [[4, ['Unreachable', 'GONE', 'unplugged']]],
    s: 0,
  });
  assert.equal(outbox.take(), undefined);
});

test('what no wish asked for is not kept', () => {
  const outbox = new Outbox();
  outbox.open(1, 2);
  for (const index of [-1, 2, 0.5, Number.NaN, '0' as unknown as number]) {
    assert.equal(outbox.put(1, index, good(1)), false);
  }
  assert.equal(outbox.put(9, 0, good(1)), false);
  outbox.put(1, 0, good(1));
  outbox.close(1);
  assert.equal(outbox.take(), undefined);
});
