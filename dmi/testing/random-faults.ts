/** DMI-601: whatever happens to the wire, no value is ever made up. */
import type { Connection, Reading } from '../mapper.ts';
import type { Value } from '../value.ts';
import { Broken, NotApplicable } from './broken.ts';
import { close } from './connecting.ts';
import { bytesHeld } from './memory.ts';
import { type DmiPromise, onRig } from './promise.ts';
import { Random } from './random.ts';
import { baseline } from './reading.ts';
import { lost, value } from './outcome.ts';
import type { Rig } from './rig.ts';
import type { SubjectItem } from './subject.ts';
import { good, refusal, same, show } from './values.ts';
import type { Harm } from './harm.ts';

/** How long faults are tried whose number nobody gave. */
const REAL_MS = 3000;
/** So many thirds are tried at most, where the first three leave something behind. */
const MOST_THIRDS = 6;
/** What a third of the faults may leave behind. */
const GROWTH_BYTES = 128 * 1024;
/** So many faults in memory tell a leak from what a server keeps of cut connections for a while. */
const MANY = 100;
/** The same for fewer, or over sockets. */
const REAL_GROWTH_BYTES = 1024 * 1024;

export const randomFaults: readonly DmiPromise[] = [
  onRig(
    'DMI-601',
    'random faults never make a wrong value, nor an error that the runtime cannot name',
    async (rig, trial) => {
      const { seed = 1, realTime = false } = rig.subject;
      const faults = rig.subject.faults ?? (realTime ? Infinity : 1000);
      const tells = rig.inMemory && faults >= MANY;
      trial.allowed = tells ? GROWTH_BYTES : REAL_GROWTH_BYTES;
      const first = await rig.connect();
      const known = await baseline(rig, first);
      await close(rig, first);
      const held: number[] = [];
      // A cold process compiles for a while, which ends; a leak goes on.
      for (let each = seed; held.length < 3 || grows(held, trial.allowed);) {
        each = await tryThird(rig, known, each);
        held.push(await bytesHeld());
        if (faults < 3 || held.length === MOST_THIRDS) break;
      }
      await rig.hurt({ kind: 'none' });
      trial.held = held;
      if (rig.clock.pending > 0) throw new Broken(`${rig.clock.pending} timers are left waiting`);
    },
  ),
  {
    id: 'DMI-602',
    title: 'the memory in use does not grow with the faults that happen',
    keep({ held, allowed }) {
      if (held.length < 3) {
        throw new NotApplicable('too few random faults were tried to tell');
      }
      if (!grows(held, allowed)) return;
      throw new Broken(
        `each third of the faults left ${Math.round(growth(held) / 1024)} KiB behind, after a full collection`,
      );
    },
  },
];

function grows(held: readonly number[], allowed: number): boolean {
  return growth(held) > allowed;
}

/** The least that was left behind by a third: what is filled once, such as a cache, grows in one; a leak in each. */
function growth(held: readonly number[]): number {
  return Math.min(...held.slice(1).map((bytes, index) => bytes - (held[index] ?? 0)));
}

/** A third of the faults, or all of them where they are too few, from this seed on; the seed after them. */
async function tryThird(rig: Rig, known: Map<SubjectItem, Value>, seed: number): Promise<number> {
  const { realTime = false, faults = realTime ? Infinity : 1000 } = rig.subject;
  const last = seed + (faults < 3 ? faults : Math.ceil(faults / 3));
  const end = performance.now() + REAL_MS / 3;
  let each = seed;
  for (; each < last && (faults !== Infinity || performance.now() < end); each++) {
    await trySeed(rig, each, known);
  }
  return each;
}

async function trySeed(rig: Rig, seed: number, known: Map<SubjectItem, Value>): Promise<void> {
  const random = new Random(seed);
  await rig.hurt({ kind: 'none' });
  const connection = await reconnect(rig);
  const harm = randomHarm(random, rig);
  await rig.hurt(harm);
  try {
    await tryOne(rig, connection, known, random);
  } catch (error) {
    if (!(error instanceof Broken)) throw error;
    throw new Broken(`seed ${seed} (${harm.kind}): ${error.message}`, { cause: error });
  }
  await close(rig, connection);
  rig.dispose();
}

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
  const outcome = await rig.tryWrite(connection, item, wanted, { pace: 'fast' });
  if (outcome.kind !== 'value') lost(outcome, 'a harmed write', 'garbled-too');
  await rig.hurt({ kind: 'none' });
  const fresh = await reconnect(rig);
  const [reading] = value(await rig.tryRead(fresh, [item], 'quick'), 'read');
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

function randomHarm(random: Random, rig: Rig): Harm {
  const after = random.below(24);
  const harms: Harm[] = [
    { kind: 'pieces' },
    { kind: 'cut', after },
    { kind: 'end', after },
    { kind: 'silence', after },
    { kind: 'noise-before', random },
    { kind: 'noise-instead', random },
    { kind: 'repeat', times: 1 + random.below(5) },
  ];
  if (rig.subject.checksummed === true) harms.push({ kind: 'flipped-bits', random });
  const [first, ...more] = harms.filter(({ kind }) => rig.can(kind));
  if (first === undefined) throw new NotApplicable("the subject's harm has nothing to try");
  return random.pick([first, ...more]);
}

/** In no time, where nothing that the mapper does takes real time. */
async function reconnect(rig: Rig): Promise<Connection<unknown>> {
  const outcome = await rig.tryConnect('quick');
  return outcome.kind === 'value' ? outcome.value : rig.connect();
}
