/** A promise of the DMI, as something that can be tried on a mapper. */
import type { MaybeLater } from '../mapper.ts';
import { Rig } from './rig.ts';
import type { Trial } from './trial.ts';

export interface DmiPromise {
  /** Never reused. */
  readonly id: string;
  readonly title: string;
  /** Throws Broken, or NotApplicable. */
  readonly keep: (trial: Trial) => MaybeLater<void>;
}

/** A promise that is tried on a rig of its own. */
export function onRig(
  id: string,
  title: string,
  keep: (rig: Rig, trial: Trial) => Promise<void>,
): DmiPromise {
  return {
    id,
    title,
    async keep(trial) {
      const rig = await Rig.open(trial);
      try {
        await keep(rig, trial);
      } finally {
        rig.dispose();
      }
    },
  };
}
