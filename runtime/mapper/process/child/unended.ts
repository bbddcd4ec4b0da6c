/** Counts the calls of a mapper that were given up and that it goes on with: it is deaf to their signal. */
import { type Clock } from '@limpet/dmi';

/** A mapper may tidy up for so long. */
const PATIENCE_MS = 1_000;

export class Unended {
  readonly #clock: Clock;
  #count = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Such calls at this moment. */
  get count(): number {
    return this.#count;
  }

  watch(call: Promise<unknown>, signal: AbortSignal): void {
    let counted = false;
    let cancel: (() => void) | undefined;
    const late = (): void => {
      counted = true;
      this.#count += 1;
    };
    const abort = (): void => {
      cancel = this.#clock.after(PATIENCE_MS, late);
    };
    const ended = (): void => {
      signal.removeEventListener('abort', abort);
      cancel?.();
      if (counted) this.#count -= 1;
    };
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
    call.then(ended, ended);
  }
}
