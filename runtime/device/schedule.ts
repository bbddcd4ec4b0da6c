/**
 * When the properties of a device are due (pure). Properties of one period form one cadence; all cadences start
 * together, so that 1 s, 2 s and 5 s coincide and are read in one batch. Fixed rate: a late read moves nothing,
 * and cycles that could not be kept are skipped and counted, never caught up with a burst.
 */
export interface Timed {
  readonly everyMs: number;
}

/** Periods are whole, and differ from each other. */
interface Cadence {
  readonly everyMs: number;
  /** When it is due next, on the monotonic clock. */
  readonly nextMs: number;
}

export type Schedule = readonly Cadence[];

export interface Due {
  /** The periods whose cadences are to be read now. */
  readonly periods: readonly number[];
  /** Cycles that went by unread, summed over the cadences taken. */
  readonly missed: number;
  readonly schedule: Schedule;
}

/** Cadences due within this of each other are read together, so that the mapper can join their blocks. */
const WINDOW_MS = 50;

/** One call reads at most so many properties (registers of one Modbus request): orders get their turn between calls. */
export const MAX_BATCH = 125;

/** Everything due at `startMs`, then each at its own rate. */
export function schedule(properties: Iterable<Timed>, startMs: number): Schedule {
  const periods = new Set<number>();
  for (const { everyMs } of properties) periods.add(everyMs);
  return [...periods].map((everyMs) => ({ everyMs, nextMs: startMs }));
}

/** When something is due next; Infinity when nothing ever is. */
export function nextDue(cadences: Schedule): number {
  let next = Infinity;
  for (const { nextMs } of cadences) next = Math.min(next, nextMs);
  return next;
}

/** What is due at `nowMs`, and the schedule after it has been taken. */
export function take(cadences: Schedule, nowMs: number): Due {
  const periods: number[] = [];
  let missed = 0;
  // Nothing is read early on its own account: the window only widens a turn that takes place anyway.
  if (nextDue(cadences) > nowMs) return { periods, missed, schedule: cadences };
  const after = cadences.map((cadence) => {
    const { everyMs, nextMs } = cadence;
    if (nextMs > nowMs + earlyMs(everyMs)) return cadence;
    periods.push(everyMs);
    const late = Math.max(0, Math.floor((nowMs - nextMs) / everyMs));
    missed += late;
    return { everyMs, nextMs: nextMs + (late + 1) * everyMs };
  });
  return { periods, missed, schedule: after };
}

/** By so much a value may come before its period is over, and counts as kept to it. */
export function earlyMs(everyMs: number): number {
  return Math.min(WINDOW_MS, everyMs / 4);
}

/** `items` in pieces of at most {@link MAX_BATCH}. */
export function batches<T>(items: readonly T[]): T[][] {
  const pieces: T[][] = [];
  for (let start = 0; start < items.length; start += MAX_BATCH) {
    pieces.push(items.slice(start, start + MAX_BATCH));
  }
  return pieces;
}

/** A value older than three periods (and never less than a second) is no longer what the device says. */
export function overdueAfterMs(everyMs: number): number {
  return Math.max(3 * everyMs, 1_000);
}
