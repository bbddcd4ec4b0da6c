/** DMI-601: whatever happens to the wire, no value is ever made up. */
import type { Connection, Reading } from '../mapper.ts';
import type { Value } from '../value.ts';
import { Broken } from './broken.ts';
import { close } from './connecting.ts';
import { type DmiPromise, onRig } from './promise.ts';
import { Random } from './random.ts';
import { baseline } from './reading.ts';
import { lost, type Rig } from './rig.ts';
import type { Subject, SubjectItem } from './subject.ts';
import { good, refusal, same, show } from './values.ts';
import type { Harm } from './harm.ts';

/** How long faults are tried whose number nobody gave. */
const REAL_MS = 3000;

export const randomFaults: readonly DmiPromise[] = [
  onRig(
    'DMI-601',
    'random faults never make a wrong value, nor an error that the runtime cannot name',
    async (rig) => {
      const { seed = 1, realTime = false } = rig.subject;
      const faults = rig.subject.faults ?? (realTime ? Infinity : 200);
      const start = performance.now();
      const first = await rig.connect();
      const known = await baseline(rig, first);
      await close(rig, first);
      for (let each = seed; each < seed + faults; each++) {
        if (faults === Infinity && performance.now() - start > REAL_MS) break;
        const random = new Random(each);
        await rig.hurt({ kind: 'none' });
        const connection = await rig.connect();
        const harm = randomHarm(random, rig.subject);
        await rig.hurt(harm);
        try {
          await tryOne(rig, connection, known, random);
        } catch (error) {
          if (!(error instanceof Broken)) throw error;
          throw new Broken(`seed ${each} (${harm.kind}): ${error.message}`, { cause: error });
        }
        await close(rig, connection);
        rig.dispose();
      }
    },
  ),
];

async function tryOne(
  rig: Rig,
  connection: Connection<unknown>,
  known: Map<SubjectItem, Value>,
  random: Random,
): Promise<void> {
  const items = rig.subject.items.filter((item) => item.writes !== undefined);
  const item = items[random.below(items.length)];
  if (item !== undefined && random.below(4) === 0) {
    return tryWrite(rig, { connection, item, known }, random);
  }
  const asked = random
    .shuffled(rig.subject.items)
    .slice(0, 1 + random.below(rig.subject.items.length));
  const outcome = await rig.tryRead(connection, asked, 'fast');
  if (outcome.kind !== 'value') return lost(outcome, 'a harmed read', 'garbled-too');
  if (outcome.value.length !== asked.length) throw new Broken('a harmed read lost readings');
  for (const [index, reading] of outcome.value.entries()) check(known, asked[index], reading);
}

async function tryWrite(
  rig: Rig,
  {
    connection,
    item,
    known,
  }: { connection: Connection<unknown>; item: SubjectItem; known: Map<SubjectItem, Value> },
  random: Random,
): Promise<void> {
  const wanted = item.writes?.[random.below(item.writes.length)] ?? null;
  const visitor = rig.visitor(item.visitor);
  const outcome = await rig.call((signal) => connection.write(visitor, wanted, signal), 'fast');
  if (outcome.kind !== 'value') lost(outcome, 'a harmed write', 'garbled-too');
  await rig.hurt({ kind: 'none' });
  const fresh = await rig.connect();
  const [reading] = await rig.read(fresh, [item]);
  await close(rig, fresh);
  const found = good(reading, 'after a harmed write');
  // Whether the order arrived is unknown when the answer did not; when write succeeded it is not.
  if (outcome.kind === 'value' && !same(outcome.value, found)) {
    throw new Broken(`write said ${show(outcome.value)}; the device holds ${show(found)}`);
  }
  known.set(item, found);
}

function check(
  known: ReadonlyMap<SubjectItem, Value>,
  item: SubjectItem | undefined,
  reading: Reading,
): void {
  if (item === undefined) return;
  if (!reading.ok) return void refusal(reading);
  const right = known.get(item) ?? null;
  if (same(reading.value, right)) return;
  throw new Broken(`"${item.property.name}" holds ${show(right)}; it read ${show(reading.value)}`);
}

function randomHarm(random: Random, subject: Subject): Harm {
  const after = random.below(24);
  const harms: [Harm, ...Harm[]] = [
    { kind: 'pieces' },
    { kind: 'cut', after },
    { kind: 'end', after },
    { kind: 'silence', after },
    { kind: 'noise-before', random },
    { kind: 'noise-instead', random },
  ];
  if (subject.checksummed === true) harms.push({ kind: 'flipped-bits', random });
  return random.pick(harms);
}
