/** DMI-4xx: the wire, and what becomes of a call when it is cut, silent or garbled. */
import { Broken, NotApplicable } from './broken.ts';
import { close, noListeners } from './connecting.ts';
import { type DmiPromise, onRig } from './promise.ts';
import { Random } from './random.ts';
import { baseline } from './reading.ts';
import { lost, type Outcome, prompt, value } from './outcome.ts';
import type { Rig } from './rig.ts';
import type { Harm } from './harm.ts';
import { writable } from './writing.ts';

const SILENCE: Harm = { kind: 'silence', after: 0 };
const ABORT_AFTER_MS = 1;

export const losing: readonly DmiPromise[] = [
  onRig('DMI-401', 'a read that is aborted ends within 100 ms', async (rig) => {
    const connection = await rig.connect();
    await rig.hurt(SILENCE);
    const visitors = rig.subject.items.map((item) => rig.visitor(item.visitor));
    const outcome = await rig.call(
      (signal) => connection.read(visitors, signal),
      'healthy',
      ABORT_AFTER_MS,
    );
    lost(outcome, 'an aborted read', 'garbled-too');
    prompt(outcome, 'an aborted read');
    noListeners(outcome, 'an aborted read');
    await close(rig, connection);
  }),
  onRig('DMI-402', 'a write that is aborted ends within 100 ms', async (rig) => {
    const [item] = writable(rig);
    const connection = await rig.connect();
    await rig.hurt(SILENCE);
    const visitor = rig.visitor(item.visitor);
    const [wanted = null] = item.writes ?? [];
    const outcome = await rig.call(
      (signal) => connection.write(visitor, wanted, signal),
      'healthy',
      ABORT_AFTER_MS,
    );
    lost(outcome, 'an aborted write', 'garbled-too');
    prompt(outcome, 'an aborted write');
    noListeners(outcome, 'an aborted write');
    await close(rig, connection);
  }),
  onRig('DMI-403', 'a wire that is cut while reading is Unreachable, and stays so', async (rig) => {
    await lostBy(rig, { kind: 'cut', after: 1 }, 'no');
  }),
  onRig(
    'DMI-404',
    'a device that hangs up while reading is Unreachable, and stays so',
    async (rig) => {
      await lostBy(rig, { kind: 'end', after: 0 }, 'no');
    },
  ),
  onRig('DMI-405', 'a silent device is lost, never waited for without end', async (rig) => {
    const connection = await rig.connect();
    await rig.hurt(SILENCE);
    const outcome = await rig.tryRead(connection, rig.subject.items, 'fast');
    lost(outcome, 'a read from a silent device', 'garbled-too');
    noListeners(outcome, 'a read from a silent device');
    await close(rig, connection);
  }),
  onRig('DMI-406', 'nonsense on the wire is Garbled or Unreachable, never a value', async (rig) => {
    for (let seed = 1; seed <= 10; seed++) {
      await rig.hurt({ kind: 'none' });
      const connection = await rig.connect();
      await rig.hurt({ kind: 'noise-instead', random: new Random(seed) });
      const outcome = await rig.tryRead(connection, rig.subject.items, 'fast');
      lost(outcome, `a read answered with nonsense (seed ${seed})`, 'garbled-too');
      await close(rig, connection);
    }
  }),
  onRig('DMI-407', 'an open wire has a listener for errors', async (rig) => {
    const connection = await rig.connect();
    await baseline(rig, connection);
    const open = rig.wires.filter((wire) => !wire.released && wire.deaf !== undefined);
    if (open.length === 0) throw new NotApplicable('the kit cannot see the wire of this mapper');
    if (open.some((wire) => wire.deaf)) {
      throw new Broken('it has none: a reset would end the whole process');
    }
    await close(rig, connection);
  }),
];

async function lostBy(rig: Rig, harm: Harm, garbled: 'garbled-too' | 'no'): Promise<void> {
  const connection = await rig.connect();
  await baseline(rig, connection);
  await rig.hurt(harm);
  const read = (): Promise<Outcome<unknown>> => rig.tryRead(connection, rig.subject.items, 'fast');
  ended(await read(), 'a read', garbled);
  await rig.hurt({ kind: 'none' });
  ended(await read(), 'the next read', garbled);
  value(await rig.call(() => connection.close(), 'fast'), 'close');
}

/** Lost by the wire itself: a call that had to be aborted did not notice. */
function ended(outcome: Outcome<unknown>, what: string, garbled: 'garbled-too' | 'no'): void {
  if (outcome.aborted) throw new Broken(`${what} did not notice that the wire was gone`);
  lost(outcome, what, garbled);
}
