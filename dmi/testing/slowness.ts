/** DMI-42x: answers that come late, or only by half. */
import type { Connection } from '../mapper.ts';
import { turned, turnsOf } from './agreeing.ts';
import { Broken, NotApplicable } from './broken.ts';
import { close } from './connecting.ts';
import type { Harm } from './harm.ts';
import { lost, type Outcome } from './outcome.ts';
import { type DmiPromise, onRig } from './promise.ts';
import { baseline, expect } from './reading.ts';
import type { Rig } from './rig.ts';
import type { SubjectItem } from './subject.ts';
import { harmedRead } from './talking.ts';
import { good, refusal, same, show } from './values.ts';
import type { Value } from '../value.ts';
import type { Reading } from '../mapper.ts';

export const slowness: readonly DmiPromise[] = [
  onRig('DMI-421', 'an answer that comes late, but in time, is taken', async (rig) => {
    const [item] = rig.subject.items;
    const timeoutMs = await timeout(rig);
    const told: string[] = [];
    // A mapper that asks again before it gives up waits for a part of that time only.
    for (const share of [0.9, 0.45, 0.2]) {
      await rig.hurt({ kind: 'none' });
      const connection = await rig.connect();
      const known = await baseline(rig, connection);
      await rig.late(share * timeoutMs);
      const outcome = await rig.tryRead(connection, [item], 'fine');
      if (outcome.kind === 'value') {
        expect(known, [item], outcome.value);
        return close(rig, connection);
      }
      told.push(`${Math.round(share * timeoutMs)} ms`);
      await close(rig, connection);
    }
    throw new Broken(
      `silence is given up after ${Math.round(timeoutMs)} ms, but answers after ${told.join(', ')} were not waited for`,
    );
  }),
  onRig('DMI-422', 'an answer that comes too late is never taken for another one', async (rig) => {
    const timeoutMs = await timeout(rig);
    for (const item of changing(rig).slice(0, TRIED)) {
      await rig.hurt({ kind: 'none' });
      const connection = await rig.connect();
      await baseline(rig, connection);
      await rig.late(1.1 * timeoutMs);
      await rig.tryRead(connection, [item], 'fine');
      const holds = change(rig, item);
      await rig.hurt({ kind: 'none' });
      for (let read = 0; read < 3; read++) {
        current(item, holds, await rig.tryRead(connection, [item], 'quick'));
      }
      await close(rig, connection);
    }
  }),
  onRig('DMI-423', 'half an answer is lost, and never completed by the next one', async (rig) => {
    for (const item of changing(rig).slice(0, TRIED)) {
      await rig.hurt({ kind: 'none' });
      const connection = await rig.connect();
      const known = await baseline(rig, connection);
      const before = rig.bytes();
      await rig.read(connection, [item]);
      const half = (rig.bytes() - before) >> 1;
      await rig.hurt({ kind: 'silence', after: half });
      const outcome = await harmedRead(rig, connection, known, item);
      lost(outcome, `a read that gets ${half} bytes of its answer`, 'garbled-too');
      const holds = change(rig, item);
      await rig.hurt({ kind: 'none' });
      for (let read = 0; read < 2; read++) {
        current(item, holds, await rig.tryRead(connection, [item], 'quick'));
      }
      await close(rig, connection);
    }
  }),
];

/** With so many items it is tried. */
const TRIED = 3;

/** The items whose value the run can change at the device. */
export function changing(rig: Rig): readonly SubjectItem[] {
  const items = rig.subject.items.filter((item) => turnsOf(item).length > 0);
  if (items.length === 0) throw new NotApplicable('the subject names no other values: turns');
  return items;
}

/** Gives the item another value at the device. */
export function change(rig: Rig, item: SubjectItem): Value {
  const before = rig.device.get(item.property.name);
  const other = turnsOf(item).find((turn) => !same(turn, before)) ?? item.reads;
  return turned(rig, item, other);
}

/** Insists on what the device holds now, or on an error. */
export function current(
  item: SubjectItem,
  holds: Value,
  outcome: Outcome<readonly Reading[]>,
): void {
  if (outcome.kind !== 'value') return lost(outcome, 'the read after it', 'garbled-too');
  const [reading] = outcome.value;
  if (reading?.ok === false) return void refusal(reading);
  const found = good(reading, `"${item.property.name}"`);
  if (same(found, holds)) return;
  throw new Broken(
    `"${item.property.name}" holds ${show(holds)}; the read after it gave ${show(found)}`,
  );
}

/** After how long, by its own clock, the mapper gives up waiting for an answer. */
async function timeout(rig: Rig): Promise<number> {
  rig.bytes();
  const [item] = rig.subject.items;
  const connection: Connection<unknown> = await rig.connect();
  await baseline(rig, connection);
  const silence: Harm = { kind: 'silence', after: 0 };
  await rig.hurt(silence);
  const outcome = await rig.tryRead(connection, [item], 'fine');
  await close(rig, connection);
  if (!outcome.aborted) return outcome.tookMs;
  throw new NotApplicable('the mapper gives up no call by itself within the time of this run');
}
