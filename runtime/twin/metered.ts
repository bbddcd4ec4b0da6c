/** What runs each write to a file of the edge, so that what is handed to the disk can be counted. */

/** `paced`: reported values, whose commits may be further apart; `prompt`: what may not wait. */
export type Metered = (kind: 'paced' | 'prompt', work: () => void) => void;

/** Where nobody counts. */
export const unmetered: Metered = (_kind, work) => work();
