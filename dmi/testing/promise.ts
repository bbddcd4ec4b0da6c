/** A promise of the DMI, as something that can be tried on a mapper. */
import type { Mapper } from '../mapper.ts';
import { Rig } from './rig.ts';
import type { Subject } from './subject.ts';

export interface DmiPromise {
  /** Never reused. */
  readonly id: string;
  readonly title: string;
  /** Throws Broken, or NotApplicable. */
  readonly keep: (mapper: Mapper<unknown, unknown>, subject: Subject) => Promise<void> | void;
}

/** A promise that is tried on a rig of its own. */
export function onRig(id: string, title: string, keep: (rig: Rig) => Promise<void>): DmiPromise {
  return {
    id,
    title,
    async keep(mapper, subject) {
      const rig = await Rig.open(mapper, subject);
      try {
        await keep(rig);
      } finally {
        rig.dispose();
      }
    },
  };
}
