/** Devices that talk by themselves: what they told belongs to no question, so a read may have its whole value before the wire is harmed. */
import type { Connection, Reading } from '../mapper.ts';
import type { Value } from '../value.ts';
import type { Outcome } from './outcome.ts';
import { expect } from './reading.ts';
import type { Rig } from './rig.ts';
import type { SubjectItem } from './subject.ts';

/**
 * Reads an item over a wire that is harmed after some bytes. Of a device that talks by itself a right value counts as
 * told before the harm, once; the read after it is the one to judge.
 */
export async function harmedRead(
  rig: Rig,
  connection: Connection<unknown>,
  known: ReadonlyMap<SubjectItem, Value>,
  item: SubjectItem,
): Promise<Outcome<readonly Reading[]>> {
  const outcome = await rig.tryRead(connection, [item], 'fast');
  if (rig.subject.talks !== true || outcome.kind !== 'value') return outcome;
  expect(known, [item], outcome.value);
  return rig.tryRead(connection, [item], 'fast');
}
