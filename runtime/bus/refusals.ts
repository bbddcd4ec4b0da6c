/** What the bus refused or dropped: counted by code, and logged at most once a minute for each code. */
import type { Clock, Log } from '@limpet/dmi';

const QUIET_MS = 60_000;

export class Refusals {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #counts = new Map<string, { total: number; told: number; at: number }>();

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
  }

  /** `code` is one of a fixed set, so this holds a handful of entries. */
  count(code: string, fields: Record<string, unknown>): void {
    const now = this.#clock.monotonic();
    const entry = this.#counts.get(code) ?? { total: 0, told: 0, at: Number.NEGATIVE_INFINITY };
    this.#counts.set(code, entry);
    entry.total++;
    if (now - entry.at < QUIET_MS) return;
    this.#log.warn('bus refused', { code, count: entry.total - entry.told, ...fields });
    entry.told = entry.total;
    entry.at = now;
  }

  totals(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#counts].map(([code, { total }]) => [code, total]));
  }
}
