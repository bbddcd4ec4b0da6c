/** What the example cannot say to `limpet mapper test`, nor to the test beside this. */
import type { Subject } from '@limpet/dmi/testing';

export const subject: Partial<Subject> = {
  refused: { register: 99 },
  refusedWrite: { visitor: { register: 99 }, value: 1 },
  checksummed: true,
};
