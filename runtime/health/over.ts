/** When a process counts as beyond its budget (pure): three samples in a row, or a quarter beyond once. */

/** V8 collects late: one sample above is no leak. */
export const IN_A_ROW = 3;
/** So far beyond, waiting would cost the others. */
export const AT_ONCE = 1.25;

/** Samples of one process since it was last within. */
export interface Excess {
  readonly inARow: number;
  /** Whether it has been told already. */
  readonly told: boolean;
}

export const WITHIN: Excess = { inARow: 0, told: false };

/** The next state, and whether this sample is the one that counts as an over-budget event. */
export function weigh(
  before: Excess,
  now: number,
  budget: number,
): { readonly after: Excess; readonly event: boolean } {
  if (now <= budget) return { after: WITHIN, event: false };
  const inARow = Math.min(IN_A_ROW, before.inARow + 1);
  const over = inARow >= IN_A_ROW || now > budget * AT_ONCE;
  return { after: { inARow, told: before.told || over }, event: over && !before.told };
}
