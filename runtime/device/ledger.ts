/**
 * What one device may cost the others of its port by not answering, and what it has cost. Alone on its port it
 * holds up nobody, and nothing is counted.
 */
import { type Clock } from '@limpet/dmi';
import { Budget } from './budget.ts';
import { type Gate } from './gate.ts';

/**
 * What one silent slave may cost the port it shares: a twentieth of the time, in every window of ten minutes; half
 * of it at once, so that a lost reply is asked for again without waiting.
 */
export const DEAD_SHARE = { share: 0.05, burstMs: 15_000 };

/** What all lost slaves of a port may cost it together by being tried again. */
export const DEAD_PORT_SHARE = { share: 0.2, burstMs: 30_000 };

export interface LedgerOptions {
  readonly clock: Clock;
  /** The gate of the port, in common. */
  readonly gate: Gate;
  /** Whether there are others to hold up. */
  readonly shared: () => boolean;
}

export class Ledger {
  readonly #options: LedgerOptions;
  readonly #own = new Budget(DEAD_SHARE);
  /** What the next silence is expected to cost: the dearest of the last outage. */
  #expectedMs = 0;
  #answered = true;
  #trial: { readonly over: (costMs: number) => void; costMs: number } | undefined;

  constructor(options: LedgerOptions) {
    this.#options = options;
  }

  /** Whether one more silence of this device is within its share. */
  get bearable(): boolean {
    return this.waitMs === 0;
  }

  /** How long the device, which was lost, is left alone for the sake of the others. */
  get waitMs(): number {
    const { shared, clock } = this.#options;
    return shared() ? this.#own.waitMs(this.#expectedMs, clock.monotonic()) : 0;
  }

  /** Port time that brought no answer. */
  silent(ms: number): void {
    const { shared, clock } = this.#options;
    if (!shared()) return;
    this.#own.spend(ms, clock.monotonic());
    this.#expectedMs = this.#answered ? ms : Math.max(ms, this.#expectedMs);
    this.#answered = false;
    if (this.#trial !== undefined) this.#trial.costMs += ms;
  }

  /** Waits until the device, which was lost, may be tried again. */
  async wait(signal: AbortSignal): Promise<void> {
    const { shared, clock, gate } = this.#options;
    if (!shared()) return;
    await clock.sleep(this.waitMs, signal);
    const over = await gate.pass(this.#expectedMs, signal);
    this.#trial = { over, costMs: 0 };
  }

  /** The device answers. */
  answered(): void {
    this.#answered = true;
    this.tried();
  }

  /** What was tried is over, whatever came of it: the next device of the port may. */
  tried(): void {
    this.#trial?.over(this.#trial.costMs);
    this.#trial = undefined;
  }
}
