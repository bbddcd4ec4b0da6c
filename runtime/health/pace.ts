/**
 * How far apart commits of reported values are, so that a day's writes stay within what the disk is meant to bear.
 * Pure: what was written since the last look, and the state then, give the state now. Like an allowance that is
 * paid out evenly: what a quiet hour did not use is kept (up to a limit) and lets a lively one commit sooner.
 */

export const SHORTEST_MS = 10;
/** More than this of what a device said is not worth losing to a power cut. */
export const LONGEST_MS = 10_000;

const DAY_MS = 86_400_000;
/** How much of a day's budget can be saved up, or owed: with both, any 24 hours stay within one budget. */
const SAVED = 0.03;
/** What was saved or is owed is evened out over this long. */
const EVEN_MS = 600_000;
/** One look changes the interval at most by these factors: quickly up, for a flood is dear; slowly down. */
const FASTER = 0.8;
const SLOWER = 8;
/** The projection looks back about this far. */
const MEMORY_MS = 600_000;

export interface Pace {
  readonly intervalMs: number;
  /** Bytes saved up; below 0, owed. */
  readonly credit: number;
  /** Bytes per ms, lately. */
  readonly rate: number;
}

/** Bytes written since the last look: by commits whose pace is chosen here, and by all else. */
export interface Span {
  readonly elapsedMs: number;
  readonly paced: number;
  readonly other: number;
}

/** With nothing saved and nothing owed. */
export const UNPACED: Pace = { intervalMs: SHORTEST_MS, credit: 0, rate: 0 };

export function paced(pace: Pace, { elapsedMs, paced: own, other }: Span, perDay: number): Pace {
  if (elapsedMs <= 0) return pace;
  const steady = ((1 - 2 * SAVED) * perDay) / DAY_MS;
  const most = SAVED * perDay;
  const credit = within(pace.credit + steady * elapsedMs - own - other, -most, most);
  const allowed = steady + credit / EVEN_MS - other / elapsedMs;
  // Nothing is left for reported values when the rest uses it all: the longest interval, which they get anyway.
  const ratio = allowed > 0 ? own / elapsedMs / allowed : SLOWER;
  const intervalMs = within(
    pace.intervalMs * within(ratio, FASTER, SLOWER),
    SHORTEST_MS,
    LONGEST_MS,
  );
  const weight = Math.exp(-elapsedMs / MEMORY_MS);
  const rate = pace.rate * weight + ((own + other) / elapsedMs) * (1 - weight);
  return { intervalMs, credit, rate };
}

/** Long enough that a look sees several commits, not one or none. */
export function lookAfterMs({ intervalMs }: Pace): number {
  return Math.max(5_000, 4 * intervalMs);
}

/** The budget cannot be held: the interval is the longest already, and as much is owed as can be. */
export function beyond({ intervalMs, credit }: Pace, perDay: number): boolean {
  return intervalMs === LONGEST_MS && credit <= -SAVED * perDay;
}

/** Bytes a day, were it all to go on like lately. */
export function projected({ rate }: Pace): number {
  return Math.round(rate * DAY_MS);
}

/** After a pause of the process: it wrote nothing meanwhile. A clock that went back counts as no pause. */
export function resumed(pace: Pace, pausedMs: number, perDay: number): Pace {
  const steady = ((1 - 2 * SAVED) * perDay) / DAY_MS;
  const most = SAVED * perDay;
  const pause = within(pausedMs, 0, DAY_MS);
  return { ...pace, credit: within(pace.credit + steady * pause, -most, most) };
}

function within(value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, value));
}
