/** Marks values stale that were not read for three periods, though the device is connected. */
import { type Clock } from '@limpet/dmi';
import { type Reporter } from './reporter.ts';
import { overdueAfterMs, type Timed } from './schedule.ts';

const REASON = {
  code: 'OVERDUE',
  message:
    'not read for three periods: the port is too busy or the device too slow; read fewer properties, or less often',
};

interface Watched {
  readonly afterMs: number;
  readMs: number;
  overdue: boolean;
}

/** One timer per device, set for the value that is overdue first. */
export class OverdueWatch {
  readonly #clock: Clock;
  readonly #reporter: Reporter;
  readonly #watched = new Map<string, Watched>();
  #cancel: (() => void) | undefined;

  constructor(clock: Clock, reporter: Reporter) {
    this.#clock = clock;
    this.#reporter = reporter;
  }

  /** From now on these, and no others. */
  start(properties: readonly Timed[]): void {
    this.stop();
    const readMs = this.#clock.monotonic();
    for (const { name, everyMs } of properties) {
      this.#watched.set(name, { afterMs: overdueAfterMs(everyMs), readMs, overdue: false });
    }
    this.#arm();
  }

  /** These were read just now. */
  read(names: readonly string[]): void {
    const now = this.#clock.monotonic();
    for (const name of names) {
      const watched = this.#watched.get(name);
      if (watched === undefined) continue;
      watched.readMs = now;
      watched.overdue = false;
    }
    if (this.#cancel === undefined) this.#arm();
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#watched.clear();
  }

  #arm(): void {
    let first = Infinity;
    for (const { afterMs, readMs, overdue } of this.#watched.values()) {
      if (!overdue) first = Math.min(first, readMs + afterMs);
    }
    this.#cancel = undefined;
    if (first === Infinity) return;
    // A little later than exactly then: late is more than three periods, not three.
    this.#cancel = this.#clock.after(first - this.#clock.monotonic() + 1, () => this.#look());
  }

  #look(): void {
    const now = this.#clock.monotonic();
    const late: string[] = [];
    for (const [name, watched] of this.#watched) {
      if (watched.overdue || now - watched.readMs <= watched.afterMs) continue;
      watched.overdue = true;
      late.push(name);
    }
    if (late.length > 0) this.#reporter.stale(REASON, late);
    this.#arm();
  }
}
