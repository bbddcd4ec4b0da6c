/** What the example cannot say to `limpet mapper test`, nor to the test beside this. */
import type { Subject } from '@limpet/dmi/testing';

export const subject: Partial<Subject> = {
  refused: { path: '/no-such' },
  refusedWrite: { visitor: { path: '/no-such', set: { path: '/no-such?to={}' } }, value: 1 },
};
