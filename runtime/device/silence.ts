/** Whether a connected device answers, what it costs when it does not, and whether that may be chance. */
import { type Clock, type DmiError } from '@limpet/dmi';
import { CALL_TIMEOUT, type Ceiling, within } from './ceiling.ts';
import { type Ledger } from './ledger.ts';
import { reactionTo } from './reaction.ts';
import { type Rank } from './turns.ts';

export class Silence {
  readonly #clock: Clock;
  readonly #ledger: Ledger;
  /** The last call was answered. */
  #answering = false;
  /** Time of the mapper's calls since the device last answered. */
  #sinceMs = 0;

  constructor(clock: Clock, ledger: Ledger) {
    this.#clock = clock;
    this.#ledger = ledger;
  }

  /** Runs `task`, and counts what it takes in case that it brings no answer. @throws what {@link within} throws */
  async timed<T>(ceiling: Ceiling, task: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const start = this.#clock.monotonic();
    try {
      return await within(ceiling, task);
    } finally {
      this.#sinceMs += this.#clock.monotonic() - start;
    }
  }

  /** The device has answered, be it with a no. */
  broken(): void {
    this.#answering = true;
    this.#sinceMs = 0;
    this.#ledger.answered();
  }

  /**
   * Takes note of a call that brought no answer. True when it may be one lost reply of a device that is there: once
   * after each answer, while the port can bear it.
   */
  isChance(rank: Rank, error: unknown): boolean {
    this.#ledger.silent(this.#sinceMs);
    this.#sinceMs = 0;
    const chance =
      this.#answering && rank === 'poll' && mayAskAgain(error) && this.#ledger.bearable;
    this.#answering = false;
    return chance;
  }
}

/** No answer, on a connection that may be used again: a call that was given up may still be running in it. */
function mayAskAgain(error: unknown): boolean {
  return reactionTo(error) === 'unreachable' && (error as DmiError).code !== CALL_TIMEOUT;
}
