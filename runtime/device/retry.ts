/** When a device that failed is tried again (pure): backoff with full jitter, and how often it was. */
import { Backoff } from '../kernel/backoff.ts';

export class Retry {
  readonly #backoff: Backoff;
  #attempts = 0;

  constructor(random: () => number) {
    this.#backoff = new Backoff({ minMs: 1_000, maxMs: 300_000, random });
  }

  /** Failures since the last success. */
  get attempts(): number {
    return this.#attempts;
  }

  /** How long to leave the device alone at least; its {@link Ledger} can ask for more. */
  failed(): number {
    this.#attempts += 1;
    return this.#backoff.next();
  }

  succeeded(): void {
    this.#attempts = 0;
    this.#backoff.reset();
  }
}
