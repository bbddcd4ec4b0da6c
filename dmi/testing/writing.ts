/** DMI-3xx: what was written is what is read. */
import { Misconfigured, Refused } from '../errors.ts';
import type { Connection, Order, Reading } from '../mapper.ts';
import type { Value } from '../value.ts';
import { Broken, NotApplicable } from './broken.ts';
import { type DmiPromise, onRig } from './promise.ts';
import { baseline, expect } from './reading.ts';
import { say, value } from './outcome.ts';
import type { Rig } from './rig.ts';
import type { SubjectItem } from './subject.ts';
import { good, same, show } from './values.ts';

export const writing: readonly DmiPromise[] = [
  onRig('DMI-301', 'a written value reads back as write said', async (rig) => {
    const items = writable(rig);
    const connection = await rig.connect();
    for (const item of items) {
      for (const wanted of item.writes ?? []) {
        const name = `"${item.property.name}"`;
        const visitor = rig.visitor(item.visitor);
        const said = value(
          await rig.call((signal) => connection.write(visitor, wanted, signal), 'healthy'),
          `write of ${show(wanted)} to ${name}`,
        );
        const [reading] = await rig.read(connection, [item]);
        const found = good(reading, name);
        if (same(said, found)) continue;
        throw new Broken(`write to ${name} said ${show(said)}; it reads ${show(found)}`);
      }
    }
  }),
  onRig('DMI-302', 'a write touches nothing else', async (rig) => {
    const [item] = writable(rig);
    const connection = await rig.connect();
    const known = await baseline(rig, connection);
    const visitor = rig.visitor(item.visitor);
    for (const wanted of item.writes ?? []) {
      const outcome = await rig.call(
        (signal) => connection.write(visitor, wanted, signal),
        'healthy',
      );
      known.set(item, value(outcome, 'write'));
      expect(known, rig.subject.items, await rig.read(connection, rig.subject.items));
    }
  }),
  onRig(
    'DMI-303',
    'a value that cannot be put on the wire is Misconfigured or Refused',
    async (rig) => {
      const item = writable(rig).find(({ property }) => property.type !== 'json');
      if (item === undefined) throw new NotApplicable('everything writable takes any JSON');
      const connection = await rig.connect();
      const known = await baseline(rig, connection);
      const visitor = rig.visitor(item.visitor);
      const odd = { 'not a': item.property.type };
      const outcome = await rig.call((signal) => connection.write(visitor, odd, signal), 'fast');
      const { kind } = outcome;
      if (kind !== 'error' || !isRefusal(outcome.error)) {
        throw new Broken(`writing an object to a ${item.property.type} ${say(outcome)}`);
      }
      expect(known, rig.subject.items, await rig.read(connection, rig.subject.items));
    },
  ),
  onRig('DMI-304', 'of several orders as many are written as are answered', async (rig) => {
    const items = writable(rig);
    const connection = await rig.connect();
    if (connection.writeMany === undefined) throw new NotApplicable('it writes one by one');
    const known = await baseline(rig, connection);
    const orders = items.map(({ visitor, writes = [] }) => {
      return { visitor: rig.visitor(visitor), value: writes[0] as Value };
    });
    for (let done = 0; done < orders.length;) {
      const rest = orders.slice(done);
      const outcome = await rig.call((signal) => writeMany(connection, rest, signal), 'healthy');
      const answers = value(outcome, `writeMany of ${rest.length} orders`);
      if (answers.length === 0 || answers.length > rest.length) {
        throw new Broken(`writeMany of ${rest.length} orders gave ${answers.length} answers`);
      }
      for (const answer of answers) {
        const item = items[done] as SubjectItem;
        known.set(item, good(answer, `the order of "${item.property.name}"`));
        done += 1;
      }
      expect(known, rig.subject.items, await rig.read(connection, rig.subject.items));
    }
  }),
  onRig(
    'DMI-305',
    'a write that the device refuses is Refused, and the connection stays',
    async (rig) => {
      const { items, refusedWrite } = rig.subject;
      if (refusedWrite === undefined) {
        throw new NotApplicable('the subject names no order to refuse: refusedWrite');
      }
      const connection = await rig.connect();
      const known = await baseline(rig, connection);
      // Twice: a refusal must not spoil the next order either.
      for (let time = 0; time < 2; time++) {
        const outcome = await rig.tryWrite(connection, refusedWrite, refusedWrite.value);
        if (outcome.kind !== 'error' || !(outcome.error instanceof Refused)) {
          throw new Broken(`a refused write must reject with Refused; it ${say(outcome)}`);
        }
        expect(known, items, await rig.read(connection, items));
      }
    },
  ),
];

async function writeMany(
  connection: Connection<unknown>,
  orders: readonly Order<unknown>[],
  signal: AbortSignal,
): Promise<readonly Reading[]> {
  return (await connection.writeMany?.(orders, signal)) ?? [];
}

/** The items that can be written, of which there is at least one. */
export function writable(rig: Rig): readonly [SubjectItem, ...SubjectItem[]] {
  const [first, ...more] = rig.subject.items.filter((item) => item.writes !== undefined);
  if (first === undefined) throw new NotApplicable('the subject has nothing to write');
  return [first, ...more];
}

function isRefusal(error: unknown): boolean {
  return error instanceof Misconfigured || error instanceof Refused;
}
