import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { type SlotHolder, Slots, toYield } from './slots.ts';

/** Somebody who gives its slot back when asked and idle. */
class Somebody implements SlotHolder {
  readonly name: string;
  readonly #slots: Slots;
  state: SlotHolder['state'] = 'busy';
  has = false;
  asked = 0;

  constructor(name: string, slots: Slots) {
    this.name = name;
    this.#slots = slots;
  }

  async take(signal = new AbortController().signal): Promise<void> {
    await this.#slots.acquire(this, signal);
    this.has = true;
    this.state = 'busy';
  }

  become(state: SlotHolder['state']): void {
    this.state = state;
    this.#slots.press();
  }

  yield(): void {
    this.asked++;
    if (this.state !== 'busy') this.give();
  }

  give(): void {
    this.has = false;
    this.#slots.release(this);
  }
}

test('who is idle makes room, and one that is pinned only where all are', () => {
  const of = (name: string, state: SlotHolder['state']): SlotHolder => ({
    name,
    state,
    yield: () => undefined,
  });
  const table: [SlotHolder['state'][], number | undefined][] = [
    [['busy', 'idle', 'idle'], 1],
    [['pinned', 'idle'], 1],
    [['pinned', 'busy'], undefined],
    [['busy', 'busy'], undefined],
    [['pinned', 'pinned'], 0],
    [[], undefined],
  ];
  for (const [states, wanted] of table) {
    const holders = states.map((state, index) => of(String(index), state));
    assert.equal(
      toYield(holders),
      wanted === undefined ? undefined : holders[wanted],
      states.join(),
    );
  }
});

test('slots are granted in the order asked, and never more than there are', async () => {
  const slots = new Slots(16);
  slots.limit(2);
  const all = ['a', 'b', 'c', 'd'].map((name) => new Somebody(name, slots));
  const order: string[] = [];
  for (const each of all) void each.take().then(() => order.push(each.name));
  await setImmediate();
  assert.deepEqual(order, ['a', 'b']);
  all[1]?.become('idle');
  await setImmediate();
  assert.deepEqual(order, ['a', 'b', 'c']);
  assert.deepEqual(slots.names, ['a', 'c']);
  all[0]?.give();
  await setImmediate();
  assert.deepEqual(order, ['a', 'b', 'c', 'd']);
  assert.equal(slots.waiting, 0);
});

test('who gives up waiting takes no slot, and leaves the queue in order', async () => {
  const slots = new Slots(1);
  const [a, b, c] = ['a', 'b', 'c'].map((name) => new Somebody(name, slots)) as [
    Somebody,
    Somebody,
    Somebody,
  ];
  await a.take();
  const abort = new AbortController();
  const waiting = b.take(abort.signal);
  void c.take();
  abort.abort(new Error('given up'));
  await assert.rejects(waiting, /given up/);
  a.give();
  await setImmediate();
  assert.deepEqual([b.has, c.has], [false, true]);
});

test('notifications keep a slot while one is left for those that take turns, and lose it before anybody starves', async () => {
  const slots = new Slots(2);
  const [a, b, c] = ['a', 'b', 'c'].map((name) => new Somebody(name, slots)) as [
    Somebody,
    Somebody,
    Somebody,
  ];
  assert.equal(slots.mayPin(2), true, 'as many slots as devices');
  await a.take();
  assert.equal(slots.mayPin(3), true, 'one of two');
  a.become('pinned');
  await b.take();
  assert.equal(slots.mayPin(3), false, 'the last one takes turns');
  // Both were pinned when there were two devices; now there are three.
  b.become('pinned');
  await c.take();
  assert.deepEqual([a.has, b.has, c.has, a.asked], [false, true, true, 1]);
});

test('forty devices that are polled in turn over three slots all get theirs, none waiting for more than its turn', async () => {
  const slots = new Slots(3);
  const devices = Array.from({ length: 40 }, (_, i) => new Somebody(String(i), slots));
  const served = new Map<Somebody, number>();
  for (let round = 0; round < 5; round++) {
    const polls = devices.map(async (device) => {
      if (!device.has) await device.take();
      await setImmediate();
      served.set(device, (served.get(device) ?? 0) + 1);
      device.become('idle');
    });
    await Promise.all(polls);
    assert.ok(slots.names.length <= 3);
  }
  assert.deepEqual(new Set(served.values()), new Set([5]));
});
