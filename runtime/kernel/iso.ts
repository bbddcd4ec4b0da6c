/** Times as people and APIs read them. */

/** Values of one batch bear one time, and making its text takes longer than anything else of showing a value. */
const kept = { ms: 0, text: new Date(0).toISOString() };

/** RFC 3339 with ms, UTC; a time that a calendar cannot say (a broken clock) is shown as the epoch. */
export function iso(ms: number): string {
  if (ms === kept.ms) return kept.text;
  const date = new Date(ms);
  const text = (Number.isNaN(date.getTime()) ? new Date(0) : date).toISOString();
  kept.ms = ms;
  kept.text = text;
  return text;
}
