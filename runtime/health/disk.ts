/**
 * Watches the data folder and the file system it lies on. What is in the folder keeps its own ceilings (pages of a
 * database, a ring); this says how they stand, and when the file system itself runs out.
 */
import { type Clock, type Log } from '@limpet/dmi';
import { type BudgetRow } from '@limpet/dmi/manifest';
import { type Dir, opendirSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { diskOverbooked, type DiskShare, SCRATCH } from './disk-share.ts';

export interface DiskOptions {
  readonly data: string;
  /** Asked at each look: mappers come and go. */
  readonly share: () => DiskShare;
  readonly clock: Clock;
  readonly log: Log;
  /** Bytes free on the file system that a folder lies on. */
  readonly free?: (folder: string) => number;
}

const WHOLE = 'data folder';
const LOOK_EVERY_MS = 30_000;
/** Below this, history is no longer written: what is left is for twins and orders. */
export const RESERVE_BYTES = 32 * 2 ** 20;
/** So much more must be free before it is again. */
const AGAIN_BYTES = RESERVE_BYTES * 1.25;
/** Files looked at in one go; a folder of more is not ours. */
const MOST_FILES = 2_000;

interface Part {
  readonly what: string;
  readonly budget: number;
  now: number;
  peak: number;
  over: number;
}

export class DiskWatch {
  readonly #options: DiskOptions;
  readonly #parts = new Map<string, Part>();
  readonly #notes = new Map<string, () => string>();
  #cancel: (() => void) | undefined;
  #low = false;
  #blind = false;
  #free = Infinity;
  #left = MOST_FILES;
  #overbooked = false;

  constructor(options: DiskOptions) {
    this.#options = options;
    this.#shareOut();
    this.note(WHOLE, () => {
      const more = this.#left < 0 ? `; more than ${MOST_FILES} files, not all counted` : '';
      const free = this.#blind ? 'not known how much is' : mebibytes(this.#free);
      return `${free} free on the file system${more}`;
    });
  }

  start(): void {
    this.#look();
    this.#cancel = this.#options.clock.after(LOOK_EVERY_MS, () => this.start());
  }

  stop(): void {
    this.#cancel?.();
  }

  /** The file system is nearly full: what can be done without is not written. */
  readonly low = (): boolean => this.#low;

  rows(): readonly BudgetRow[] {
    const rows = [...this.#parts.values()].map((part): BudgetRow => {
      return { kind: 'disk', ...part, ...(part.what !== WHOLE && { partOf: WHOLE }) };
    });
    return rows.map((row) => {
      const note = this.#notes.get(row.what)?.();
      return note === undefined ? row : { ...row, note };
    });
  }

  /** What a part says of itself beside its figures. */
  note(what: string, note: () => string): void {
    this.#notes.set(what, note);
  }

  #look(): void {
    const { data, free = freeBytes } = this.#options;
    const sizes = new Map<string, number>();
    this.#left = MOST_FILES;
    for (const [path, bytes] of filesBelow(data)) {
      if (--this.#left < 0) break;
      if (bytes === undefined) continue;
      for (const what of [WHOLE, partOf(path)]) {
        sizes.set(what, (sizes.get(what) ?? 0) + bytes);
      }
    }
    this.#shareOut();
    for (const part of this.#parts.values()) this.#measured(part, sizes.get(part.what) ?? 0);
    try {
      this.#free = free(data);
      this.#blind = false;
    } catch (error) {
      if (!this.#blind) this.#options.log.warn('cannot ask how full the disk is', { data, error });
      this.#blind = true;
    }
    this.#lookAtFree();
  }

  /** As at start, where it would have been refused; what a mapper has written by now is not taken from it. */
  #shareOut(): void {
    const share = this.#options.share();
    const all = [...share.parts, { what: WHOLE, bytes: share.ceiling }];
    const held = new Map(this.#parts);
    this.#parts.clear();
    for (const { what, bytes: budget } of all) {
      const part = held.get(what) ?? { what, now: 0, peak: 0, over: 0 };
      this.#parts.set(what, { ...part, budget });
    }
    const fault = diskOverbooked(share);
    if (fault !== undefined && !this.#overbooked) {
      const message =
        'a mapper may write more than the disk has room for: the next start is refused';
      this.#options.log.warn(message, { code: 'DISK_OVERBOOKED', reason: fault });
    }
    this.#overbooked = fault !== undefined;
  }

  #measured(part: Part, now: number): void {
    const was = part.now > part.budget;
    part.now = now;
    part.peak = Math.max(part.peak, now);
    if (now <= part.budget || was) return;
    part.over++;
    const { what, budget } = part;
    const advice = 'move foreign files out of the data folder, or raise its share in limpet.yaml';
    this.#options.log.warn('more on disk than budgeted', {
      code: 'DISK_OVER_BUDGET',
      what,
      now,
      budget,
      advice,
    });
  }

  #lookAtFree(): void {
    const free = this.#free;
    const low = free < (this.#low ? AGAIN_BYTES : RESERVE_BYTES);
    if (low === this.#low) return;
    this.#low = low;
    const fields = { free, reserve: RESERVE_BYTES };
    if (low) {
      const advice = 'free some room: until then history is not written, twins and orders are';
      this.#options.log.warn('disk nearly full', { code: 'DISK_LOW', ...fields, advice });
    } else {
      this.#options.log.info('disk has room again', fields);
    }
  }
}

/** The part of the budget that a file belongs to, by its path below the data folder. */
function partOf(path: string): string {
  if (path.startsWith('twins.db.corrupt-')) return 'twins set aside';
  if (/^twins\.db(-wal|-journal)?$/.test(path)) return 'twins';
  if (/^samples\.db(-wal|-journal)?$/.test(path)) return 'samples';
  const scratch = /^mappers\/([^/]+)\//.exec(path)?.[1];
  return scratch === undefined ? 'other' : `${SCRATCH}${scratch}`;
}

/** Paths below `folder`, its own files first, and what they take on the disk: of folders and links nothing. */
function* filesBelow(folder: string): Generator<readonly [string, number | undefined]> {
  const folders = [''];
  for (let at = folders.pop(); at !== undefined; at = folders.pop()) {
    for (const entry of entriesOf(join(folder, at))) {
      const path = at === '' ? entry.name : `${at}/${entry.name}`;
      if (entry.isDirectory()) folders.push(path);
      const stat = entry.isFile()
        ? statSync(join(folder, path), { throwIfNoEntry: false })
        : undefined;
      yield [path, stat && stat.blocks * 512];
    }
  }
}

/** A few at a time: a folder may hold more names than fit into memory. */
function* entriesOf(folder: string) {
  let open: Dir;
  try {
    open = opendirSync(folder);
  } catch {
    return; // removed between two looks, or another user's: it is in nobody's share
  }
  try {
    for (let entry = open.readSync(); entry !== null; entry = open.readSync()) yield entry;
  } finally {
    open.closeSync();
  }
}

function freeBytes(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}

function mebibytes(bytes: number): string {
  return `${Math.floor(bytes / 2 ** 20)} MiB`;
}
