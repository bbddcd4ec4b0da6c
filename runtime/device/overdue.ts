/** Marks values stale that were not read for three periods, though the device is connected. */
import { type Clock } from '@limpet/dmi';
import { type PlannedProperty } from './plan.ts';
import { type Reporter } from './reporter.ts';
import { overdueAfterMs } from './schedule.ts';

const REASON = {
  code: 'OVERDUE',
  message:
    'not read for three periods: the port is too busy or the device too slow; read fewer properties, or less often',
};

/** In place of the time when a value was read last: it is overdue, and that was told. */
const TOLD = Infinity;

/** One timer per device, set for the value that is overdue first. */
export class OverdueWatch {
  readonly #clock: Clock;
  readonly #reporter: Reporter;
  #watched: readonly PlannedProperty[] = [];
  /** By the index of the property in its plan. */
  #readMs = new Float64Array();
  #cancel: (() => void) | undefined;

  constructor(clock: Clock, reporter: Reporter) {
    this.#clock = clock;
    this.#reporter = reporter;
  }

  /** From now on these, and no others. */
  start(properties: readonly PlannedProperty[]): void {
    this.stop();
    this.#watched = properties;
    this.#readMs = new Float64Array((properties.at(-1)?.index ?? -1) + 1);
    this.#readMs.fill(this.#clock.monotonic());
    this.#arm();
  }

  /** These, of those that are watched, were read just now. */
  read(properties: readonly PlannedProperty[]): void {
    const now = this.#clock.monotonic();
    for (const { index } of properties) this.#readMs[index] = now;
    if (this.#cancel === undefined) this.#arm();
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#watched = [];
  }

  #arm(): void {
    let first = Infinity;
    for (const { index, everyMs } of this.#watched) {
      first = Math.min(first, this.#readAt(index) + overdueAfterMs(everyMs));
    }
    this.#cancel = undefined;
    if (first === Infinity) return;
    // A little later than exactly then: late is more than three periods, not three.
    this.#cancel = this.#clock.after(first - this.#clock.monotonic() + 1, () => this.#look());
  }

  #look(): void {
    const now = this.#clock.monotonic();
    const late: string[] = [];
    for (const { index, everyMs, property } of this.#watched) {
      if (now - this.#readAt(index) <= overdueAfterMs(everyMs)) continue;
      this.#readMs[index] = TOLD;
      late.push(property.name);
    }
    if (late.length > 0) this.#reporter.stale(REASON, late);
    this.#arm();
  }

  #readAt(index: number): number {
    return this.#readMs[index] ?? TOLD;
  }
}
