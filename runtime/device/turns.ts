/**
 * One port's turns: one device at a time, first come first served, orders before polls. Each device has at most
 * one poll, one order and sixteen calls waiting, so the queue is bounded by the devices of the port.
 */
export type Rank = 'order' | 'poll';

interface Waiter {
  readonly device: string;
  readonly go: () => void;
}

/** So many orders in a row, then a waiting poll: a stream of orders cannot make every value stale. */
const ORDERS_IN_A_ROW = 8;

export class Turns {
  readonly #waiting: Record<Rank, Waiter[]> = { order: [], poll: [] };
  readonly #granted: (device: string | undefined) => void;
  #holder: string | undefined;
  #orders = 0;

  /** `granted` is told whose turn it is, and `undefined` when it is nobody's. */
  constructor(granted: (device: string | undefined) => void) {
    this.#granted = granted;
  }

  /** The device whose turn it is. */
  get holder(): string | undefined {
    return this.#holder;
  }

  get waiting(): number {
    return this.#waiting.order.length + this.#waiting.poll.length;
  }

  /** How many come before this device; `undefined` when it does not wait. */
  ahead(device: string): number | undefined {
    const { order, poll } = this.#waiting;
    const place = [...order, ...poll].findIndex((waiter) => waiter.device === device);
    return place < 0 ? undefined : place;
  }

  /** Resolves with the function that gives the turn back; rejects with the signal's reason while waiting. */
  take(device: string, rank: Rank, signal: AbortSignal): Promise<() => void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(signal.reason);
        return;
      }
      const abort = (): void => {
        const line = this.#waiting[rank];
        line.splice(line.indexOf(waiter), 1);
        reject(signal.reason);
      };
      const waiter: Waiter = {
        device,
        go: () => {
          signal.removeEventListener('abort', abort);
          resolve(this.#release());
        },
      };
      signal.addEventListener('abort', abort, { once: true });
      this.#waiting[rank].push(waiter);
      if (this.#holder === undefined) this.#next();
    });
  }

  #release(): () => void {
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#next();
    };
  }

  #next(): void {
    const next = this.#choose();
    this.#holder = next?.device;
    this.#granted(this.#holder);
    next?.go();
  }

  #choose(): Waiter | undefined {
    const { order, poll } = this.#waiting;
    if (order.length > 0 && (this.#orders < ORDERS_IN_A_ROW || poll.length === 0)) {
      this.#orders += 1;
      return order.shift();
    }
    this.#orders = 0;
    return poll.shift();
  }
}
