import { Unreachable } from '@limpet/dmi';
import { fakeClock, silentLog } from '@limpet/dmi/testing';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { disobedience, Obedience } from './obedience.ts';
import { watchedMapper } from './watched-mapper.ts';

const what = (): string => 'read of default/one';

test('a call that goes on after it was given up is noticed after 100 ms, and hangs after a second', async () => {
  const clock = fakeClock();
  let noticed = 0;
  const obedience = new Obedience(clock, () => (noticed += 1));
  const [end, call] = [new AbortController(), Promise.withResolvers<void>()];
  obedience.watch(call.promise, end.signal, what);
  await clock.advance(60_000);
  assert.deepEqual([obedience.tardy.count, obedience.unended], [0, 0], 'nobody gave it up');
  end.abort();
  await clock.advance(99);
  await turn();
  assert.equal(obedience.tardy.count, 0, 'it may tidy up');
  await clock.advance(1);
  await turn();
  assert.deepEqual(obedience.tardy, { count: 1, last: 'read of default/one' });
  assert.deepEqual([noticed, obedience.unended], [1, 0]);
  await clock.advance(900);
  assert.equal(obedience.unended, 1);
  call.reject(new Error('at last'));
  await clock.advance(0);
  assert.deepEqual([obedience.tardy.count, obedience.unended], [1, 0]);
});

test('a call that ends when it is given up is never noticed', async () => {
  const clock = fakeClock();
  const obedience = new Obedience(clock);
  const [end, call] = [new AbortController(), Promise.withResolvers<void>()];
  end.abort();
  obedience.watch(call.promise, end.signal, what);
  call.resolve();
  await clock.advance(10_000);
  await turn();
  assert.deepEqual([obedience.tardy.count, obedience.unended, clock.pending], [0, 0, 0]);
});

test('what came in while this process itself was kept waiting is not the fault of the mapper', async () => {
  const due: (() => void)[] = [];
  const after = (_ms: number, task: () => void) => (due.push(task), () => undefined);
  const obedience = new Obedience({ ...fakeClock(), after });
  const [end, call] = [new AbortController(), Promise.withResolvers<void>()];
  obedience.watch(call.promise, end.signal, what);
  end.abort();
  due[0]?.();
  call.reject(new Error('given up'));
  await turn();
  assert.equal(obedience.tardy.count, 0);
});

test('what is noticed names the call and how often', () => {
  assert.equal(disobedience({ count: 0, last: '' }), undefined);
  const told = disobedience({ count: 3, last: what() });
  assert.equal(told?.code, 'MAPPER_DEAF');
  assert.match(told?.message ?? '', /3 times .* more than 100 ms .* last: read of default\/one/);
});

test('an inline mapper is watched in all that takes a signal, and is otherwise itself', async () => {
  const clock = fakeClock();
  const obedience = new Obedience(clock);
  const schema = {
    '~standard': { version: 1 as const, vendor: 't', validate: () => ({ value: 1 }) },
  };
  let hang = false;
  const answer = <T>(value: T): Promise<T> =>
    hang ? new Promise(() => undefined) : Promise.resolve(value);
  const mapper = watchedMapper(
    {
      protocol: 'tiny',
      settings: schema,
      visitor: schema,
      port: () => 'tcp://a',
      connect: () =>
        answer({
          read: () => answer([{ ok: true, value: 1 } as const]),
          write: () => answer(2),
          writeMany: () => answer([{ ok: true, value: 4 } as const]),
          call: () => answer([3]),
          close: () => Promise.resolve(),
        }),
    },
    obedience,
  );
  assert.deepEqual(
    [mapper.port?.({}), 'serves' in mapper, 'fits' in mapper],
    ['tcp://a', false, false],
  );
  const dial = () => Promise.reject(new Unreachable('X', 'no'));
  const context = { device: 'default/one', clock, log: silentLog(), dial };
  const { signal } = new AbortController();
  const connection = await mapper.connect({}, context, signal);
  assert.ok(!('subscribe' in connection));
  assert.deepEqual(await connection.read([1], signal), [{ ok: true, value: 1 }]);
  assert.deepEqual(
    [await connection.write(1, 2, signal), await connection.call?.(1, [], signal)],
    [2, [3]],
  );
  assert.deepEqual(await connection.writeMany?.([{ visitor: 1, value: 4 }], signal), [
    { ok: true, value: 4 },
  ]);
  hang = true;
  const end = new AbortController();
  void connection.read([1], end.signal);
  void connection.write(1, 2, end.signal);
  void connection.writeMany?.([{ visitor: 1, value: 4 }], end.signal);
  void connection.call?.(1, [], end.signal);
  void mapper.connect({}, context, end.signal);
  end.abort();
  await clock.advance(100);
  await turn();
  assert.deepEqual(obedience.tardy, { count: 5, last: 'connect of default/one' });
  await connection.close();
});

test('a mapper that gives no connection is told so, as without a watch', async () => {
  const clock = fakeClock();
  const schema = {
    '~standard': { version: 1 as const, vendor: 't', validate: () => ({ value: 1 }) },
  };
  const bad = {
    protocol: 'b',
    settings: schema,
    visitor: schema,
    connect: async () => ({}) as never,
  };
  const mapper = watchedMapper(bad, new Obedience(clock));
  const dial = () => Promise.reject(new Unreachable('X', 'no'));
  const context = { device: 'd/1', clock, log: silentLog(), dial };
  await assert.rejects(mapper.connect({}, context, new AbortController().signal), /lacks read/);
});
