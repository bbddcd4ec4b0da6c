/**
 * How many rollouts are kept. Policy: of those that have ended the latest stay, so many and of so many devices together;
 * the others go, oldest first. Those that have not ended are never removed, and bounded by refusing new ones.
 */
import type { Writing } from '../store/store.ts';

const KEPT_FINISHED = 100;
/** Devices of all kept rollouts that have ended; the latest stays whatever it has. */
const KEPT_DEVICES = 2_000_000;
export const MOST_UNFINISHED = 16;
export const MOST_DEVICES = 1_000_000;

export async function sweep({ rollouts, objects, wanted }: Writing): Promise<void> {
  let devices = 0;
  for (const [index, { n, id, total }] of (await rollouts.finished(KEPT_FINISHED + 10)).entries()) {
    devices += total;
    if (index === 0 || (index < KEPT_FINISHED && devices <= KEPT_DEVICES)) continue;
    const object = await objects.get('Rollout', id);
    if (object?.n === n) await wanted.remove(object);
    await rollouts.abandon(n);
  }
}
