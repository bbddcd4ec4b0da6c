/**
 * Who of many devices may be connected: an adapter holds few links at once. First come, first served; who has a slot and does not
 * use it gives it up when another waits, also one that listens to notifications, if nobody else can: nobody starves.
 */

/** Somebody who has or wants a slot. */
export interface SlotHolder {
  /** For messages. */
  readonly name: string;
  /** `busy`: in the midst of something, and soon idle; `pinned`: listens to notifications. */
  readonly state: 'busy' | 'idle' | 'pinned';
  /** Asked to give its slot back soon, by {@link Slots.release}. */
  yield(): void;
}

interface Waiter {
  readonly holder: SlotHolder;
  grant(): void;
}

/** Invariant: somebody waits only while every slot is taken. */
export class Slots {
  /** In the order in which they came. */
  readonly #holders = new Set<SlotHolder>();
  readonly #asked = new Set<SlotHolder>();
  readonly #waiters: Waiter[] = [];
  #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The least that any of its devices allows counts. */
  limit(slots: number): void {
    this.#limit = Math.min(this.#limit, slots);
  }

  get waiting(): number {
    return this.#waiters.length;
  }

  /** Who has one, for messages. */
  get names(): readonly string[] {
    return [...this.#holders].map(({ name }) => name);
  }

  /** Whether one more may stay connected for good, and a slot is left for those that take turns. */
  mayPin(devices: number): boolean {
    const pinned = [...this.#holders].filter(({ state }) => state === 'pinned').length;
    return devices <= this.#limit || pinned + 1 < this.#limit;
  }

  /** Resolves once the holder has a slot. @throws the signal's reason */
  async acquire(holder: SlotHolder, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#holders.size < this.#limit && this.#waiters.length === 0) {
      this.#holders.add(holder);
      return;
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiter: Waiter = { holder, grant: resolve };
    const abort = (): void => {
      const at = this.#waiters.indexOf(waiter);
      if (at !== -1) this.#waiters.splice(at, 1);
      reject(signal.reason as Error);
    };
    this.#waiters.push(waiter);
    signal.addEventListener('abort', abort, { once: true });
    this.press();
    try {
      await promise;
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  release(holder: SlotHolder): void {
    this.#asked.delete(holder);
    if (!this.#holders.delete(holder)) return;
    const next = this.#holders.size < this.#limit ? this.#waiters.shift() : undefined;
    if (next === undefined) return;
    this.#holders.add(next.holder);
    next.grant();
    this.press();
  }

  /** Somebody's state has changed: whoever can is asked to make room for those that wait. */
  press(): void {
    for (let wanted = this.#waiters.length - this.#asked.size; wanted > 0; wanted--) {
      const one = toYield([...this.#holders].filter((each) => !this.#asked.has(each)));
      if (one === undefined) return;
      this.#asked.add(one);
      one.yield();
    }
  }
}

/** Who goes (pure): the first idle one; one that is pinned only where all are, for who is busy will soon be idle. */
export function toYield(holders: readonly SlotHolder[]): SlotHolder | undefined {
  const idle = holders.find(({ state }) => state === 'idle');
  if (idle !== undefined) return idle;
  return holders.every(({ state }) => state === 'pinned') ? holders[0] : undefined;
}
