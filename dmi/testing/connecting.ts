/** DMI-1xx: opening a device, DMI-5xx: closing it. */
import type { Connection } from '../mapper.ts';
import { Broken, NotApplicable } from './broken.ts';
import { type DmiPromise, onRig } from './promise.ts';
import { lost, type Outcome, prompt, say, value } from './outcome.ts';
import type { Rig } from './rig.ts';
import { good } from './values.ts';

/** Long enough to dial. */
const ABORT_AFTER_MS = 50;
const HEARD_CLOSED_MS = 250;

export const connecting: readonly DmiPromise[] = [
  onRig('DMI-101', 'a device that answers can be opened and read', async (rig) => {
    const connection = await rig.connect();
    const [item] = rig.subject.items;
    const [reading] = await rig.read(connection, [item]);
    good(reading, `"${item.property.name}"`);
  }),
  onRig(
    'DMI-102',
    'a device that refuses the dial is Unreachable, in its own time',
    async (rig) => {
      await rig.meet('refuses');
      const outcome = await openAndRead(rig);
      if (outcome.aborted) throw new Broken('it had to be aborted');
      lost(outcome, 'opening a dead address', 'no');
      await nothingLeft(rig, 'a failed connect');
    },
  ),
  onRig('DMI-103', 'a dial that hangs ends within 100 ms of its abort', async (rig) => {
    await rig.meet('hangs');
    const outcome = await openAndRead(rig);
    lost(outcome, 'a dial that hangs', 'no');
    prompt(outcome, 'a dial that hangs');
    noListeners(outcome, 'connect');
    await nothingLeft(rig, 'an aborted connect');
  }),
  onRig('DMI-104', 'a connect to a silent device ends within 100 ms of its abort', async (rig) => {
    await rig.hurt({ kind: 'silence', after: 0 });
    const outcome = await rig.tryConnect('healthy', ABORT_AFTER_MS);
    if (outcome.kind === 'value') {
      await close(rig, outcome.value);
      throw new NotApplicable('connect does not wait for the device');
    }
    lost(outcome, 'an aborted connect', 'garbled-too');
    prompt(outcome, 'an aborted connect');
    noListeners(outcome, 'an aborted connect');
    await nothingLeft(rig, 'an aborted connect');
  }),
];

export const closing: readonly DmiPromise[] = [
  onRig('DMI-501', 'close gives back the wire and leaves no timer', async (rig) => {
    const connection = await rig.connect();
    await rig.read(connection, rig.subject.items);
    await close(rig, connection);
    await nothingLeft(rig, 'close');
  }),
  onRig('DMI-502', 'close does not throw after the wire was lost', async (rig) => {
    const connection = await rig.connect();
    await rig.read(connection, rig.subject.items);
    await rig.cut();
    await close(rig, connection);
    await nothingLeft(rig, 'close after a cut');
  }),
  onRig('DMI-503', 'a second close does no harm', async (rig) => {
    const connection = await rig.connect();
    await close(rig, connection);
    await close(rig, connection);
    await nothingLeft(rig, 'a second close');
  }),
  onRig('DMI-504', 'after close the device can be opened anew', async (rig) => {
    const first = await rig.connect();
    await rig.read(first, rig.subject.items);
    await close(rig, first);
    const second = await rig.connect();
    await rig.read(second, rig.subject.items);
    await close(rig, second);
  }),
];

/** Closes, and insists that this ends well. */
export async function close(rig: Rig, connection: Connection<unknown>): Promise<void> {
  value(await rig.call(() => connection.close(), 'fast'), 'close');
}

/** Insists that a call took its listeners off its signal again. */
export function noListeners(outcome: Outcome<unknown>, what: string): void {
  if (outcome.listeners === 0) return;
  throw new Broken(`${what} left ${outcome.listeners} listeners on its signal`);
}

/** A mapper may dial in `connect` or at the first read: whichever fails, the device is not to be had. */
/** Opens the device and reads it, which must fail; how it did. */
export async function openAndRead(rig: Rig): Promise<Outcome<unknown>> {
  const opened = await rig.tryConnect('fast');
  if (opened.kind !== 'value') return opened;
  const outcome = await rig.tryRead(opened.value, rig.subject.items, 'fast');
  if (outcome.kind === 'value') throw new Broken(`a read without a wire ${say(outcome)}`);
  await close(rig, opened.value);
  return outcome;
}

/** Insists that every wire is given back and no timer waits. */
export async function nothingLeft(rig: Rig, what: string): Promise<void> {
  // That a socket was closed is heard a moment later.
  const right = (): boolean => rig.wires.every(({ released }) => released);
  if (!right()) await rig.until(right, HEARD_CLOSED_MS);
  const open = rig.wires.filter((wire) => !wire.released).length;
  if (open > 0) throw new Broken(`${what} left ${open} wires open: end() or destroy() them`);
  if (rig.clock.pending > 0) throw new Broken(`${what} left ${rig.clock.pending} timers waiting`);
}
