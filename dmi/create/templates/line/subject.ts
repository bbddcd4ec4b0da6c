/** What the example cannot say to `limpet mapper test`, nor to the test beside this. */
import type { Subject } from '@limpet/dmi/testing';

export const subject: Partial<Subject> = {
  refused: { ask: 'NO:SUCH?' },
};
