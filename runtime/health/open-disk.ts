/** The disk's budget, put together: refused when it cannot hold, counted, paced, watched, and told as rows. */
import { type Clock, type Log, Misconfigured } from '@limpet/dmi';
import { join } from 'node:path';
import { type Scope } from '../kernel/scope.ts';
import { type Metered } from '../twin/metered.ts';
import { type BudgetSource } from './budgets.ts';
import { type DiskConfig } from './disk-config.ts';
import { DiskWatch } from './disk.ts';
import { diskOverbooked, fileCeiling, type Scratch, shareDisk } from './disk-share.ts';
import { Wear } from './wear.ts';
import { threadWritten } from './written.ts';

export interface Disk extends BudgetSource {
  /** What the twin store keeps to. */
  readonly twins: {
    readonly maxBytes: number;
    readonly commitMs: () => number;
    readonly metered: Metered;
  };
  /** What history keeps to. `low`: the file system is nearly full, what can be done without is not to be written. */
  readonly samples: {
    readonly maxBytes: number;
    readonly maxAgeMs: number;
    readonly metered: Metered;
    readonly low: () => boolean;
  };
  /** What a part says of itself beside its figures. */
  note(what: string, note: () => string): void;
  /** Looks from now on; the data folder is there. */
  watch(): void;
}

/**
 * Before the store, so that its first write counts; closed after it, so that the last one does.
 * @throws Misconfigured DISK_OVERBOOKED, with the table and what to change
 */
export function openDisk(
  { data, disk }: { readonly data: string; readonly disk: DiskConfig },
  scratches: () => readonly Scratch[],
  { clock, log, scope }: { readonly clock: Clock; readonly log: Log; readonly scope: Scope },
): Disk {
  const share = () => shareDisk(disk, scratches());
  const fault = diskOverbooked(share());
  if (fault !== undefined) throw new Misconfigured('DISK_OVERBOOKED', fault);
  const thread = threadWritten();
  scope.add(() => thread?.close());
  const wear = new Wear({
    path: join(data, 'wear.json'),
    perDay: disk.wearPerDay,
    clock,
    log,
    written: thread?.written,
  });
  scope.add(() => wear.stop());
  wear.start();
  const watch = new DiskWatch({ data, share, clock, log });
  scope.add(() => watch.stop());
  return {
    twins: {
      maxBytes: fileCeiling(disk.twins),
      commitMs: wear.intervalMs,
      metered: wear.metered,
    },
    samples: {
      maxBytes: disk.samples,
      maxAgeMs: disk.samplesAgeMs,
      metered: wear.metered,
      low: watch.low,
    },
    note: (what, note) => watch.note(what, note),
    watch: () => watch.start(),
    rows: () => [...watch.rows(), wear.row()],
  };
}
