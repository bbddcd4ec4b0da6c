/** DMI-43x: a device that says more than it is asked. */
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import type { Reading } from '../mapper.ts';
import { Broken, NotApplicable } from './broken.ts';
import { close } from './connecting.ts';
import { bytesHeld } from './memory.ts';
import { lost } from './outcome.ts';
import { type DmiPromise, onRig } from './promise.ts';
import { Random } from './random.ts';
import { baseline, expect } from './reading.ts';
import { change, changing, current } from './slowness.ts';
import { same, show } from './values.ts';

const CHUNK_BYTES = 64 * 1024;
const CHUNKS = 64;
/** What a mapper may keep of 4 MiB that it did not ask for. */
const KEPT_BYTES = 1024 * 1024;
/** On a slow machine some of it is still under way. */
const LOOKS = 10;
const LOOK_MS = 100;
const REPEATS = 200;
const CHANGES = 1000;
/** Items with which it is tried. */
const TRIED = 3;

export const flooding: readonly DmiPromise[] = [
  onRig(
    'DMI-431',
    'a flood of bytes that nobody asked for is not kept, nor taken for values',
    async (rig) => {
      rig.bytes();
      const connection = await rig.connect();
      const known = await baseline(rig, connection);
      // No line feed in it: whoever waits for the end of a line waits without end.
      const chunk = Buffer.alloc(
        CHUNK_BYTES,
        new Random(1).bytes(4096).map((byte) => byte | 0x80),
      );
      const before = await bytesHeld();
      for (const wire of rig.wires) if (!wire.released) await wire.flood(chunk, CHUNKS);
      const outcome = await rig.tryRead(connection, rig.subject.items, 'fast');
      const kept = await keptSince(before);
      if (kept > KEPT_BYTES) {
        throw new Broken(
          `${Math.round(kept / 1024)} KiB of ${(CHUNK_BYTES * CHUNKS) / 1024} were kept`,
        );
      }
      if (outcome.kind === 'value') expect(known, rig.subject.items, outcome.value);
      else lost(outcome, 'a read in a flood', 'garbled-too');
      await close(rig, connection);
    },
  ),
  onRig('DMI-432', 'an answer that is repeated is never taken for another one', async (rig) => {
    for (const item of changing(rig).slice(0, TRIED)) {
      await rig.hurt({ kind: 'none' });
      const connection = await rig.connect();
      await baseline(rig, connection);
      await rig.hurt({ kind: 'repeat', times: REPEATS });
      const outcome = await rig.tryRead(connection, [item], 'fine');
      current(item, rig.device.get(item.property.name), outcome);
      const holds = change(rig, item);
      await rig.hurt({ kind: 'none' });
      for (let read = 0; read < 2; read++) {
        current(item, holds, await rig.tryRead(connection, [item], 'fine'));
      }
      await close(rig, connection);
    }
  }),
  onRig('DMI-433', 'a flood of changes is not kept, and ends with the last', async (rig) => {
    const connection = await rig.connect();
    const subscribe = connection.subscribe?.bind(connection);
    if (subscribe === undefined) throw new NotApplicable('the mapper does not subscribe');
    const items = changing(rig);
    const wishes = items.map(({ visitor }) => ({ visitor: rig.visitor(visitor), everyMs: 1 }));
    const last = new Map<number, Reading>();
    const sink = {
      reading: (index: number, reading: Reading) => void last.set(index, reading),
      lost: () => undefined,
    };
    const life = new AbortController();
    const outcome = await rig.call(() => subscribe(wishes, sink, life.signal), 'healthy');
    if (outcome.kind !== 'value') throw new NotApplicable('the device serves no subscription');
    const polled = new Set(outcome.value);
    const before = await bytesHeld();
    for (let turn = 0; turn < CHANGES; turn++) {
      const item = items[turn % items.length];
      if (item !== undefined) change(rig, item);
      // Whoever serves and hears it gets a turn now and then, as over a real wire.
      if (turn % 10 === 0) await setImmediate();
    }
    for (const [index, item] of items.entries()) {
      if (polled.has(index)) continue;
      const holds = rig.device.get(item.property.name);
      const right = (): boolean => {
        const reading = last.get(index);
        return reading?.ok === true && same(reading.value, holds);
      };
      if (await rig.until(right)) continue;
      throw new Broken(`of ${CHANGES} changes the last one, ${show(holds)}, was not told`);
    }
    const kept = (await bytesHeld()) - before;
    if (kept > KEPT_BYTES) throw new Broken(`${Math.round(kept / 1024)} KiB were kept of it`);
    life.abort();
    await close(rig, connection);
  }),
];

/** What is still held when all has arrived. */
async function keptSince(before: number): Promise<number> {
  for (let look = 1; ; look++) {
    const kept = (await bytesHeld()) - before;
    if (kept <= KEPT_BYTES || look === LOOKS) return kept;
    await sleep(LOOK_MS);
  }
}
