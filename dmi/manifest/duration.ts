/** Durations as users write them: `500ms`, `2s`, `1m`, `1h`, `1d`. */

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
] as const;

/** Milliseconds of a duration like `500ms` or `2s`; `undefined` when `text` is not one. */
export function duration(text: string): number | undefined {
  const match = /^(\d{1,15})(ms|s|m|h|d)$/.exec(text);
  const scale = UNITS.find(([unit]) => unit === match?.[2])?.[1];
  if (match === null || scale === undefined) return undefined;
  const ms = Number(match[1]) * scale;
  return Number.isSafeInteger(ms) ? ms : undefined;
}

/** The shortest exact way to write whole milliseconds: 90000 is `90s`, 120000 is `2m`. */
export function formatDuration(ms: number): string {
  const whole = Math.max(0, Math.round(ms));
  const [unit, scale] = UNITS.find(([, size]) => whole >= size && whole % size === 0) ?? ['ms', 1];
  return `${whole / scale}${unit}`;
}
