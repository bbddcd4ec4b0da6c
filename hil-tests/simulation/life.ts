/** Lives a life from its seed to its end. */
import { settleAndCheck } from './checks.ts';
import { happen } from './happenings.ts';
import { DEVICES, NODES } from './plant.ts';
import type { Variant } from './variant.ts';
import { LifeFailed, World } from './world.ts';

const STEPS = 120;

/** @throws LifeFailed with the seed and what led there. */
export async function live(seed: number, variant: Variant, folder: string): Promise<void> {
  const world = await World.begin({ seed, variant, folder });
  try {
    for (const [index, id] of DEVICES.entries()) {
      world.place(id, NODES[index % NODES.length] ?? NODES[0], 'first');
    }
    for (let step = 0; step < STEPS; step++) await happen(world);
    await settleAndCheck(world);
  } catch (error) {
    if (error instanceof LifeFailed) throw error;
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    world.fail(`not an answer but a throw: ${text}`);
  } finally {
    await world.end();
  }
}
