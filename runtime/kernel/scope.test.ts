import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Scope } from './scope.ts';

test('what was opened last is closed first, one after the other, after the signal', async () => {
  const scope = new Scope();
  const order: string[] = [];
  scope.signal.addEventListener('abort', () => order.push('signal'));
  scope.add(() => void order.push('first'));
  scope.add(async () => {
    await Promise.resolve();
    order.push('second');
  });
  await scope.close();
  assert.deepEqual(order, ['signal', 'second', 'first']);
});

test('a closer that fails does not keep the others from running, and is told', async () => {
  const scope = new Scope();
  let ran = 0;
  scope.add(() => void ran++);
  scope.add(() => {
    throw new Error('stuck');
  });
  scope.add(() => Promise.reject(new Error('lost')));
  await assert.rejects(scope.close(), (error: AggregateError) => {
    assert.deepEqual(
      error.errors.map((each: Error) => each.message),
      ['lost', 'stuck'],
    );
    return true;
  });
  assert.equal(ran, 1);
});

test('closing twice closes once', async () => {
  const scope = new Scope();
  let ran = 0;
  scope.add(() => void ran++);
  await Promise.all([scope.close(), scope.close()]);
  await scope.close();
  assert.equal(ran, 1);
});

test('a closer that was taken back does not run', async () => {
  const scope = new Scope();
  scope.add(() => assert.fail('it was taken back'))();
  await scope.close();
});

test('what is opened while closing is still closed; later it is refused', async () => {
  const scope = new Scope();
  let late = false;
  scope.add(async () => {
    await Promise.resolve();
    scope.add(() => void (late = true));
  });
  await scope.close();
  assert.equal(late, true);
  assert.throws(() => scope.add(() => undefined), /closed/);
});

test('a child ends with its parent, for its reason, or earlier without it', async () => {
  const parent = new Scope();
  const early = parent.child();
  const late = parent.child();
  let closed = 0;
  early.add(() => void closed++);
  late.add(() => void closed++);
  await early.close();
  assert.equal(closed, 1);
  assert.equal(parent.signal.aborted, false);
  await parent.close('over');
  assert.equal(closed, 2);
  assert.equal(late.signal.reason, 'over');
});
