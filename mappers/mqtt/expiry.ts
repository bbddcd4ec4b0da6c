/** One timer for all values of a device that can grow too old. */
import type { Clock } from '@limpet/dmi';

export class Expiry {
  readonly #clock: Clock;
  readonly #due: () => void;
  readonly #others = new Set<() => void>();
  #cancel: (() => void) | undefined;
  #dueAtMs = Infinity;

  /** `due` looks at all of them, and sets the next time with {@link watch}. */
  constructor(clock: Clock, due: () => void) {
    this.#clock = clock;
    this.#due = due;
  }

  /** Something grows too old in `ms`, unless it is heard again. */
  watch(ms: number): void {
    const atMs = this.#clock.monotonic() + ms;
    if (atMs >= this.#dueAtMs) return;
    this.#cancel?.();
    this.#dueAtMs = atMs;
    this.#cancel = this.#clock.after(Math.min(Math.max(ms, 1), MAX_TIMER_MS), () => {
      this.#dueAtMs = Infinity;
      this.#cancel = undefined;
      this.#due();
    });
  }

  /** Another timer that ends with this; takes the place of the one before. */
  also(cancel: () => void): void {
    for (const earlier of this.#others) earlier();
    this.#others.clear();
    this.#others.add(cancel);
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    for (const cancel of this.#others) cancel();
    this.#others.clear();
  }
}

/** Longer timers fire at once. */
const MAX_TIMER_MS = 2_147_483_647;
