/** What the example cannot say to `limpet mapper test`, nor to the test beside this. */
import type { Subject } from '@limpet/dmi/testing';

export const subject: Partial<Subject> = {
  refused: { ask: 'NO:SUCH?' },
  refusedWrite: { visitor: { ask: 'VOLT?', set: 'NO:SUCH {}' }, value: 1 },
};
