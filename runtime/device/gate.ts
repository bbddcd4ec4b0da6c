/**
 * Before the port of devices that were lost: they try again one after the other, first come first served, as the
 * budget that they have together allows. So a line with twenty dead slaves still serves the one that lives.
 */
import { type Clock } from '@limpet/dmi';
import { Budget, type BudgetOptions } from './budget.ts';

interface Waiter {
  readonly expectedMs: number;
  readonly go: () => void;
}

/** Invariant: `#timer` is set while the first waiter waits for the budget only. */
export class Gate {
  readonly #clock: Clock;
  readonly #budget: Budget;
  /** One per device at most. */
  readonly #waiting: Waiter[] = [];
  #busy = false;
  #timer: (() => void) | undefined;

  constructor(clock: Clock, options: BudgetOptions) {
    this.#clock = clock;
    this.#budget = new Budget(options);
  }

  /**
   * Resolves when the device may try something that should cost `expectedMs` at most. The function that it gives
   * ends the try, and is told what it has cost: nobody else passes before.
   * @throws the signal's reason
   */
  pass(expectedMs: number, signal: AbortSignal): Promise<(costMs: number) => void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(signal.reason);
        return;
      }
      const abort = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
        reject(signal.reason);
        this.#next();
      };
      const waiter: Waiter = {
        expectedMs,
        go: () => {
          signal.removeEventListener('abort', abort);
          resolve(this.#over());
        },
      };
      signal.addEventListener('abort', abort, { once: true });
      this.#waiting.push(waiter);
      this.#next();
    });
  }

  #over(): (costMs: number) => void {
    let over = false;
    return (costMs) => {
      if (over) return;
      over = true;
      this.#busy = false;
      this.#budget.spend(costMs, this.#clock.monotonic());
      this.#next();
    };
  }

  #next(): void {
    this.#timer?.();
    this.#timer = undefined;
    const [first] = this.#waiting;
    if (this.#busy || first === undefined) return;
    const waitMs = this.#budget.waitMs(first.expectedMs, this.#clock.monotonic());
    if (waitMs > 0) {
      this.#timer = this.#clock.after(waitMs, () => this.#next());
      return;
    }
    this.#waiting.shift();
    this.#busy = true;
    first.go();
  }
}
