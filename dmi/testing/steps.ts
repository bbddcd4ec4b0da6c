/** DMI-41x: the connection is lost at each step of a device's life. */
import { Garbled, Refused, Unreachable } from '../errors.ts';
import type { Connection } from '../mapper.ts';
import { Broken, NotApplicable } from './broken.ts';
import { close, nothingLeft, openAndRead } from './connecting.ts';
import { lost, type Outcome, value } from './outcome.ts';
import { type DmiPromise, onRig } from './promise.ts';
import { baseline, expect } from './reading.ts';
import type { Rig } from './rig.ts';
import { harmedRead } from './talking.ts';
import { good, same, show } from './values.ts';
import { writable } from './writing.ts';

export const steps: readonly DmiPromise[] = [
  onRig('DMI-411', 'a wire that is lost as soon as it is open is a lost device', async (rig) => {
    rig.bytes();
    await rig.hurt({ kind: 'cut', after: 0 });
    const outcome = await openAndRead(rig);
    noticed(outcome, 'opening a device that breaks off');
    await nothingLeft(rig, 'a device that broke off');
  }),
  onRig(
    'DMI-412',
    'a wire that is lost while the device is opened is a lost device',
    async (rig) => {
      rig.bytes();
      await close(rig, await rig.connect());
      // Whoever opens several wires is cut on the one that says most.
      const length = Math.max(0, ...rig.wires.map(({ answered }) => answered));
      if (length === 0) throw new NotApplicable('connect does not wait for the device');
      for (const after of places(length)) {
        await rig.hurt({ kind: 'cut', after });
        const outcome = await openAndRead(rig);
        noticed(
          outcome,
          `a device that breaks off after ${after} of ${length} bytes of its greeting`,
        );
        await nothingLeft(rig, 'a device that broke off');
      }
    },
  ),
  onRig('DMI-413', 'a wire that is lost before the answer begins is a lost device', async (rig) => {
    await lostAfter(rig, () => [0]);
  }),
  onRig(
    'DMI-414',
    'a wire that is lost within an answer is a lost device, never a value',
    async (rig) => {
      await lostAfter(rig, (length) => places(length).filter((after) => after > 0));
    },
  ),
  onRig(
    'DMI-415',
    'a wire that is lost between two answers is noticed by the next call',
    async (rig) => {
      const connection = await rig.connect();
      const known = await baseline(rig, connection);
      await rig.cut();
      await rig.until(() => false, QUIET_MS);
      const outcome = await rig.tryRead(connection, rig.subject.items, 'fast');
      // Who dials for each call anew may do so now.
      if (outcome.kind === 'value') expect(known, rig.subject.items, outcome.value);
      else noticed(outcome, 'the next read');
      await close(rig, connection);
      await nothingLeft(rig, 'close after a cut');
    },
  ),
  onRig(
    'DMI-416',
    'a write whose wire is lost is lost, and what it did is what is read',
    async (rig) => {
      const [item] = writable(rig);
      for (const wanted of item.writes ?? []) {
        await rig.hurt({ kind: 'none' });
        const connection = await rig.connect();
        await rig.hurt({ kind: 'cut', after: 0 });
        const outcome = await rig.tryWrite(connection, item, wanted, { pace: 'fast' });
        noticed(outcome, 'a write whose wire is cut');
        await close(rig, connection);
        await rig.hurt({ kind: 'none' });
        const fresh = await rig.connect();
        const [reading] = await rig.read(fresh, [item]);
        const [found, holds] = [good(reading, 'the item'), rig.device.get(item.property.name)];
        if (!same(found, holds)) {
          throw new Broken(`the device holds ${show(holds)} after it; it read ${show(found)}`);
        }
        await close(rig, fresh);
      }
    },
  ),
  onRig('DMI-417', 'a wire that is lost while subscribing is told, once', async (rig) => {
    const connection = await rig.connect();
    const subscribe = connection.subscribe?.bind(connection);
    if (subscribe === undefined) throw new NotApplicable('the mapper does not subscribe');
    const wishes = rig.subject.items.map(({ visitor }) => ({
      visitor: rig.visitor(visitor),
      everyMs: 1,
    }));
    const losses: Error[] = [];
    const sink = { reading: () => undefined, lost: (error: Error) => void losses.push(error) };
    await rig.hurt({ kind: 'cut', after: 0 });
    const life = new AbortController();
    const outcome = await rig.call(() => subscribe(wishes, sink, life.signal), 'fast');
    if (outcome.kind === 'error' && outcome.error instanceof Refused) {
      throw new NotApplicable('the device serves no subscription');
    }
    if (outcome.kind === 'value') {
      await rig.until(() => losses.length > 0);
      const right = losses[0] instanceof Unreachable || losses[0] instanceof Garbled;
      if (!right || losses.length > 1)
        throw new Broken(`it was told as lost ${losses.length} times`);
    } else noticed(outcome, 'a subscribe whose wire is cut');
    await close(rig, connection);
    await nothingLeft(rig, 'close after a lost subscription');
  }),
  onRig('DMI-418', 'a wire that is lost during close does no harm', async (rig) => {
    const connection = await rig.connect();
    await baseline(rig, connection);
    const closing = rig.call(() => connection.close(), 'fast');
    await rig.cut();
    value(await closing, 'close');
    await nothingLeft(rig, 'close during a cut');
  }),
];

/** Long enough to hear that the wire is gone. */
const QUIET_MS = 20;

/** Before, after the first byte, halfway, and one byte before the end of so many. */
function places(length: number): number[] {
  return [...new Set([0, 1, length >> 1, length - 1])].filter((after) => after < length);
}

async function lostAfter(rig: Rig, places: (length: number) => readonly number[]): Promise<void> {
  const [item] = rig.subject.items;
  const first = await rig.connect();
  await baseline(rig, first);
  const before = rig.bytes();
  await rig.read(first, [item]);
  const length = rig.bytes() - before;
  await close(rig, first);
  for (const after of places(length)) {
    await rig.hurt({ kind: 'none' });
    const connection: Connection<unknown> = await rig.connect();
    const known = await baseline(rig, connection);
    await rig.hurt({ kind: 'cut', after });
    const outcome = await harmedRead(rig, connection, known, item);
    noticed(outcome, `a read that is cut after ${after} of ${length} bytes`);
    await close(rig, connection);
  }
}

/** Lost by the wire itself: a call that had to be aborted did not notice. */
function noticed(outcome: Outcome<unknown>, what: string): void {
  if (outcome.aborted) throw new Broken(`${what} did not notice that the wire was gone`);
  lost(outcome, what, 'garbled-too');
}
