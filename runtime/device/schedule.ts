/**
 * When the properties of a device are due (pure). Properties of one period form one cadence; all cadences start
 * together, so that 1 s, 2 s and 5 s coincide and are read in one batch. Fixed rate: a late read moves nothing,
 * and cycles that could not be kept are skipped and counted, never caught up with a burst.
 */
export interface Timed {
  readonly name: string;
  readonly everyMs: number;
}

interface Cadence {
  readonly everyMs: number;
  readonly names: readonly string[];
  /** When it is due next, on the monotonic clock. */
  readonly nextMs: number;
}

export type Schedule = readonly Cadence[];

export interface Due {
  /** What to read now, in the order of the model. */
  readonly names: readonly string[];
  /** Cycles that went by unread, summed over the cadences taken. */
  readonly missed: number;
  readonly schedule: Schedule;
}

/** Cadences due within this of each other are read together, so that the mapper can join their blocks. */
const WINDOW_MS = 50;

/** One call reads at most so many properties: orders get their turn between calls. */
export const MAX_BATCH = 100;

/** Everything due at `startMs`, then each at its own rate. */
export function schedule(properties: Iterable<Timed>, startMs: number): Schedule {
  const byPeriod = new Map<number, string[]>();
  for (const { name, everyMs } of properties) {
    const names = byPeriod.get(everyMs);
    if (names === undefined) byPeriod.set(everyMs, [name]);
    else names.push(name);
  }
  return [...byPeriod].map(([everyMs, names]) => ({ everyMs, names, nextMs: startMs }));
}

/** When something is due next; Infinity when nothing ever is. */
export function nextDue(cadences: Schedule): number {
  let next = Infinity;
  for (const { nextMs } of cadences) next = Math.min(next, nextMs);
  return next;
}

/** What is due at `nowMs`, and the schedule after it has been taken. */
export function take(cadences: Schedule, nowMs: number): Due {
  const names: string[] = [];
  let missed = 0;
  // Nothing is read early on its own account: the window only widens a turn that takes place anyway.
  if (nextDue(cadences) > nowMs) return { names, missed, schedule: cadences };
  const after = cadences.map((cadence) => {
    const early = Math.min(WINDOW_MS, cadence.everyMs / 4);
    if (cadence.nextMs > nowMs + early) return cadence;
    names.push(...cadence.names);
    const late = Math.max(0, Math.floor((nowMs - cadence.nextMs) / cadence.everyMs));
    missed += late;
    return { ...cadence, nextMs: cadence.nextMs + (late + 1) * cadence.everyMs };
  });
  return { names, missed, schedule: after };
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
