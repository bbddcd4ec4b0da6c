/**
 * Revisions order changes of what is wanted, over both halves and over restores from older copies: a
 * hybrid clock, half-microseconds of wall time that never go back below what was seen. The last bit names the
 * issuer, so that edge and cloud cannot issue the same one. Safe integers until the year 2112.
 */
export type Issuer = 'cloud' | 'edge';

/** The next revision above `last`, about `nowMs`. */
export function nextRev(last: number, nowMs: number, issuer: Issuer): number {
  const bit = issuer === 'edge' ? 1 : 0;
  const floor = Math.max(last + 1, Math.floor(nowMs) * 2000);
  return floor % 2 === bit ? floor : floor + 1;
}
