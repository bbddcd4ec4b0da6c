/** DMI-2xx: what was asked is answered, in the order asked, and one refusal does not spoil the rest. */
import type { Connection, Reading } from '../mapper.ts';
import type { Value } from '../value.ts';
import { Broken, NotApplicable } from './broken.ts';
import { noListeners } from './connecting.ts';
import { type DmiPromise, onRig } from './promise.ts';
import { value } from './outcome.ts';
import type { Rig } from './rig.ts';
import type { SubjectItem } from './subject.ts';
import { good, isOfType, refusal, same, show } from './values.ts';

export const reading: readonly DmiPromise[] = [
  onRig('DMI-201', 'each property reads what the device holds, in its type', async (rig) => {
    const connection = await rig.connect();
    for (const [item, found] of await baseline(rig, connection)) {
      const { name, type } = item.property;
      if (!isOfType(found, type)) throw new Broken(`"${name}" is no ${type}: ${show(found)}`);
      if (item.reads === undefined || same(item.reads, found)) continue;
      throw new Broken(`"${name}" must read ${show(item.reads)}; it read ${show(found)}`);
    }
  }),
  onRig('DMI-202', 'a batch is answered one by one in the order asked', async (rig) => {
    const connection = await rig.connect();
    const known = await baseline(rig, connection);
    const { items } = rig.subject;
    // Backwards, and each twice: whoever sorts or merges what was asked must put it back.
    const asked = [...items.toReversed(), ...items];
    expect(known, asked, await rig.read(connection, asked));
  }),
  onRig('DMI-203', 'asking for nothing is answered with nothing', async (rig) => {
    const readings = await rig.read(await rig.connect(), []);
    if (readings.length > 0) throw new Broken(`it was answered with ${readings.length} readings`);
  }),
  onRig('DMI-204', 'one refused property does not spoil the batch', async (rig) => {
    const { items, refused } = rig.subject;
    if (refused === undefined) throw new NotApplicable('the subject names nothing to refuse');
    const connection = await rig.connect();
    const known = await baseline(rig, connection);
    for (const asked of [
      [{ visitor: refused }, ...items],
      [...items, { visitor: refused }],
    ]) {
      const readings = await rig.read(connection, asked);
      const at = asked.findIndex((item) => item.visitor === refused);
      const answer = readings[at];
      if (answer === undefined || answer.ok)
        throw new Broken('the refused property was not refused');
      refusal(answer);
      expect(known, items, readings.toSpliced(at, 1));
    }
  }),
  onRig('DMI-205', 'an answer that arrives byte by byte is still one answer', async (rig) => {
    const connection = await rig.connect();
    const known = await baseline(rig, connection);
    await rig.hurt({ kind: 'pieces' });
    expect(known, rig.subject.items, await rig.read(connection, rig.subject.items));
  }),
  onRig('DMI-206', 'a call leaves no listener on its signal', async (rig) => {
    const connection = await rig.connect();
    const outcome = await rig.tryRead(connection, rig.subject.items, 'healthy');
    value(outcome, 'read');
    noListeners(outcome, 'read');
  }),
];

/** What each item holds now, each read alone. */
export async function baseline(
  rig: Rig,
  connection: Connection<unknown>,
): Promise<Map<SubjectItem, Value>> {
  const known = new Map<SubjectItem, Value>();
  for (const item of rig.subject.items) {
    const [answer] = await rig.read(connection, [item]);
    known.set(item, good(answer, `"${item.property.name}"`));
  }
  return known;
}

/** Insists on one good reading per item, in order, each with the value known. */
export function expect(
  known: ReadonlyMap<SubjectItem, Value>,
  asked: readonly SubjectItem[],
  readings: readonly Reading[],
): void {
  if (readings.length !== asked.length) {
    throw new Broken(`${asked.length} visitors were asked, ${readings.length} answered`);
  }
  for (const [index, item] of asked.entries()) {
    const name = `"${item.property.name}" (item ${index})`;
    const found = good(readings[index], name);
    const right = known.get(item) ?? null;
    if (!same(found, right)) {
      throw new Broken(`${name} must read ${show(right)}; it read ${show(found)}`);
    }
  }
}
