/** DMI-8xx: the mapper and the simulated device, each checked against the other, so that neither is trusted alone. */
import { Broken, NotApplicable } from './broken.ts';
import { close } from './connecting.ts';
import { type DmiPromise, onRig } from './promise.ts';
import { value } from './outcome.ts';
import type { Rig } from './rig.ts';
import type { SubjectItem } from './subject.ts';
import { good, same, show } from './values.ts';
import type { Value } from '../value.ts';
import { writable } from './writing.ts';

export const agreeing: readonly DmiPromise[] = [
  onRig('DMI-801', 'what the device comes to hold is what the mapper reads', async (rig) => {
    const items = rig.subject.items.filter((item) => turnsOf(item).length > 0);
    if (items.length === 0) throw new NotApplicable('the subject names no other values: turns');
    const connection = await rig.connect();
    for (const item of items) {
      for (const turn of turnsOf(item)) {
        const holds = turned(rig, item, turn);
        const [reading] = await rig.read(connection, [item]);
        const found = good(reading, `"${item.property.name}"`);
        if (!same(found, holds)) throw disagree(item, 'reads', { holds, found });
      }
    }
  }),
  onRig('DMI-802', 'what the mapper writes is what the device holds', async (rig) => {
    const items = writable(rig);
    const connection = await rig.connect();
    for (const item of items) {
      for (const wanted of item.writes ?? []) {
        const { name } = item.property;
        // Whoever answers what was set last, and not what was written since, is found out.
        rig.device.set(name, item.reads);
        const visitor = rig.visitor(item.visitor);
        const found = value(
          await rig.call((signal) => connection.write(visitor, wanted, signal), 'healthy'),
          `write of ${show(wanted)} to "${name}"`,
        );
        const holds = rig.device.get(name);
        if (!same(found, holds)) throw disagree(item, `wrote ${show(wanted)} as`, { holds, found });
      }
    }
  }),
  onRig('DMI-803', 'a write changes nothing else at the device', async (rig) => {
    const items = writable(rig);
    const connection = await rig.connect();
    for (const item of items) {
      const others = rig.subject.items.filter((each) => each !== item);
      const before = others.map(({ property }) => rig.device.get(property.name));
      const [wanted = null] = item.writes ?? [];
      const visitor = rig.visitor(item.visitor);
      value(
        await rig.call((signal) => connection.write(visitor, wanted, signal), 'healthy'),
        `write to "${item.property.name}"`,
      );
      for (const [index, { property }] of others.entries()) {
        const [was = null, is] = [before[index], rig.device.get(property.name)];
        if (same(was, is)) continue;
        throw new Broken(
          `a write to "${item.property.name}" turned "${property.name}" from ${show(was)} into ${show(is)}`,
        );
      }
    }
  }),
  onRig('DMI-804', 'what was written is there when the device is opened anew', async (rig) => {
    const [item] = writable(rig);
    const first = await rig.connect();
    const visitor = rig.visitor(item.visitor);
    const wanted = item.writes?.at(-1) ?? null;
    const said = value(
      await rig.call((signal) => first.write(visitor, wanted, signal), 'healthy'),
      'write',
    );
    await close(rig, first);
    const second = await rig.connect();
    const [reading] = await rig.read(second, [item]);
    const found = good(reading, `"${item.property.name}"`);
    if (same(said, found)) return;
    throw new Broken(`${show(said)} was written; on the next connection it reads ${show(found)}`);
  }),
];

/** Changes the item at the device; what it holds then. */
export function turned(rig: Rig, item: SubjectItem, turn: Value): Value {
  const { name } = item.property;
  const before = rig.device.get(name);
  rig.device.set(name, turn);
  const holds = rig.device.get(name);
  // What is to be written may be rounded; what the subject says of the device itself is exact.
  const right = item.turns === undefined ? !same(holds, before) : same(holds, turn);
  if (right || same(before, turn)) return holds;
  throw new Broken(`the simulator was set to ${show(turn)} and holds ${show(holds)} as "${name}"`);
}

/** Other values that the device itself may come to hold. */
export function turnsOf({ turns, writes, reads }: SubjectItem): readonly Value[] {
  return turns ?? writes ?? (typeof reads === 'boolean' ? [!reads, reads] : []);
}

function disagree(
  { property: { name } }: SubjectItem,
  did: string,
  { holds, found }: { readonly holds: Value; readonly found: Value },
): Broken {
  return new Broken(
    `the simulator holds ${show(holds)} as "${name}", the mapper ${did} ${show(found)}: one of them is wrong`,
  );
}
