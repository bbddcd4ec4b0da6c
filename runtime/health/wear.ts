/**
 * Counts what this process hands to the disk and paces the commits of reported values by it. Kept in a small
 * file across restarts, so that no restart begins the day anew.
 */
import { type Clock, type Log } from '@limpet/dmi';
import { type BudgetRow, formatDuration } from '@limpet/dmi/manifest';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import {
  beyond,
  LONGEST_MS,
  lookAfterMs,
  type Pace,
  paced,
  projected,
  resumed,
  UNPACED,
} from './pace.ts';

export interface WearOptions {
  /** `<data>/wear.json`. */
  readonly path: string;
  /** Bytes a day. */
  readonly perDay: number;
  readonly clock: Clock;
  readonly log: Log;
  /** Bytes that the calling thread has written so far, where the kernel counts; see `threadWritten`. */
  readonly written: (() => number) | undefined;
}

/** Bytes, and ms for the interval. Days are those of the calendar, UTC. */
export interface WearFigures {
  /** False where the kernel does not count: then the figures are 0, and the interval is the longest. */
  readonly counted: boolean;
  readonly intervalMs: number;
  readonly today: number;
  readonly projected: number;
  readonly perDay: number;
}

/** What the file says. `at`: ms since 1970. */
interface Saved extends Pace {
  readonly at: number;
  readonly day: number;
  readonly today: number;
}

/** The name of its row. */
export const WRITES = 'writes';

const DAY_MS = 86_400_000;
/** Saved when so much of a day's budget was counted since, or after so long: a kill forgets no more than that. */
const SAVE_SHARE = 1 / 512;
const SAVE_AFTER_MS = 600_000;

export class Wear {
  readonly #options: WearOptions;
  #pace: Pace;
  #day: number;
  #today: number;
  #counted = { paced: 0, prompt: 0 };
  #unsaved = 0;
  #savedMs = -Infinity;
  #lookedMs: number;
  #cancel: (() => void) | undefined;
  #beyond = false;
  #over = 0;
  #peak = 0;
  #saveFailed = false;

  constructor(options: WearOptions) {
    this.#options = options;
    const { clock, perDay, log, path } = options;
    const saved = read(path, log);
    this.#pace = saved === undefined ? UNPACED : resumed(saved, clock.now() - saved.at, perDay);
    this.#day = saved?.day ?? this.#calendarDay();
    this.#today = saved?.today ?? 0;
    this.#lookedMs = clock.monotonic();
    if (options.written !== undefined) return;
    log.warn('disk writes are not counted: this kernel has no task IO accounting', {
      code: 'DISK_WEAR_UNCOUNTED',
      intervalMs: LONGEST_MS,
    });
  }

  start(): void {
    if (this.#options.written === undefined) return;
    this.#cancel = this.#options.clock.after(lookAfterMs(this.#pace), () => {
      this.#look();
      this.start();
    });
  }

  stop(): void {
    if (this.#cancel === undefined) return;
    this.#cancel();
    this.#look();
    if (this.#unsaved > 0) this.#save();
  }

  /** Runs a write and counts it: `paced` when its pace is chosen here. */
  readonly metered = (kind: 'paced' | 'prompt', work: () => void): void => {
    const { written } = this.#options;
    if (written === undefined) return work();
    const before = written();
    try {
      work();
    } finally {
      const bytes = written() - before;
      this.#counted[kind] += bytes;
      this.#unsaved += bytes;
      this.#turnDay();
      this.#today += bytes;
      if (this.#unsaved > this.#options.perDay * SAVE_SHARE) this.#save();
    }
  };

  /** How far apart commits of reported values are at present. */
  readonly intervalMs = (): number =>
    this.#options.written === undefined ? LONGEST_MS : Math.round(this.#pace.intervalMs);

  figures(): WearFigures {
    this.#turnDay();
    return {
      counted: this.#options.written !== undefined,
      intervalMs: this.intervalMs(),
      today: this.#today,
      projected: projected(this.#pace),
      perDay: this.#options.perDay,
    };
  }

  /** Budget: bytes a day. Now: today so far. Peak: the highest projection for a day. */
  row(): BudgetRow {
    const { counted, intervalMs, today, projected: daily, perDay } = this.figures();
    const note = counted
      ? `a day; ${mebibytes(daily)} projected; reported values committed every ${seconds(intervalMs)}`
      : `not counted by this kernel; reported values committed every ${seconds(intervalMs)}`;
    const figures = { budget: perDay, now: today, peak: this.#peak, over: this.#over };
    return { kind: 'disk', what: WRITES, ...figures, note };
  }

  #look(): void {
    const { clock, perDay } = this.#options;
    const now = clock.monotonic();
    const elapsedMs = now - this.#lookedMs;
    const { paced: own, prompt: other } = this.#counted;
    this.#pace = paced(this.#pace, { elapsedMs, paced: own, other }, perDay);
    this.#counted = { paced: 0, prompt: 0 };
    this.#lookedMs = now;
    this.#tell();
    if (now - this.#savedMs > SAVE_AFTER_MS && this.#unsaved > 0) this.#save();
  }

  #tell(): void {
    const { perDay, log } = this.#options;
    const now = beyond(this.#pace, perDay);
    const { today, projected: daily } = this.figures();
    this.#peak = Math.max(this.#peak, daily);
    if (now && !this.#beyond) {
      this.#over++;
      log.warn('more is written than the disk is meant to bear', {
        code: 'DISK_WEAR',
        today,
        projected: daily,
        perDay,
        advice: 'poll less often, use deadbands, or raise disk.wearPerDay',
      });
    } else if (!now && this.#beyond) {
      log.info('what is written is within the budget again', { today, projected: daily, perDay });
    }
    this.#beyond = now;
  }

  #calendarDay(): number {
    return Math.floor(this.#options.clock.now() / DAY_MS);
  }

  #turnDay(): void {
    const day = this.#calendarDay();
    if (day === this.#day) return;
    this.#day = day;
    this.#today = 0;
  }

  /** Replaced whole; a power cut may bring back the older one, which only counts a little less. */
  #save(): void {
    const { path, clock, log } = this.#options;
    const { paced: own, prompt: other } = this.#counted;
    const saved: Saved = {
      ...this.#pace,
      credit: this.#pace.credit - own - other,
      at: clock.now(),
      day: this.#day,
      today: this.#today,
    };
    this.#unsaved = 0;
    try {
      this.metered('prompt', () => {
        writeFileSync(`${path}.new`, JSON.stringify(saved), { mode: 0o600 });
        renameSync(`${path}.new`, path);
      });
      this.#saveFailed = false;
    } catch (error) {
      // A full disk, most likely, of which the store tells; counting goes on in memory.
      if (!this.#saveFailed) log.warn('count of disk writes not saved', { path, error });
      this.#saveFailed = true;
    }
    this.#savedMs = clock.monotonic();
  }
}

function read(path: string, log: Log): Saved | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
      log.warn('count of disk writes begins anew: its file cannot be read', { path, error });
    }
    return undefined;
  }
  const saved = parsed(text);
  if (saved === undefined)
    log.warn('count of disk writes begins anew: its file is damaged', { path });
  return saved;
}

function parsed(text: string): Saved | undefined {
  try {
    const value = JSON.parse(text) as Record<keyof Saved, unknown> | null;
    const { intervalMs, credit, rate, at, day, today } = value ?? ({} as Record<string, unknown>);
    const numbers = [intervalMs, credit, rate, at, day, today];
    if (!numbers.every((each) => Number.isFinite(each))) return undefined;
    return value as unknown as Saved;
  } catch {
    return undefined;
  }
}

function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}

function seconds(ms: number): string {
  return ms < 1_000 ? formatDuration(ms) : `${(ms / 1_000).toFixed(1)}s`;
}
