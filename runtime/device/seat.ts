/** One device's place at its port: its turns, its parts of the wires, and what it costs the others. */
import { type Clock } from '@limpet/dmi';
import { type Duplex } from 'node:stream';
import { type Ledger } from './ledger.ts';
import { type Rank, type Turns } from './turns.ts';

export interface SeatOptions {
  readonly device: string;
  readonly clock: Clock;
  readonly turns: Turns;
  readonly ledger: Ledger;
  readonly spent: (ms: number) => void;
  readonly dial: (address: string, signal: AbortSignal) => Promise<Duplex>;
  readonly left: () => void;
  readonly queue: () => PortQueue;
}

/** How the device stands at its port now. */
export interface PortQueue {
  readonly port: string;
  /** There are others to wait for. */
  readonly shared: boolean;
  /** Whose turn it is, and for how long already. */
  readonly holder?: string | undefined;
  readonly heldMs: number;
  /** Turns before the one that this device waits for; `undefined` when it does not wait. */
  readonly ahead?: number | undefined;
}

export class Seat {
  readonly #options: SeatOptions;
  readonly #parts = new Set<Duplex>();

  constructor(options: SeatOptions) {
    this.#options = options;
  }

  get device(): string {
    return this.#options.device;
  }

  /** What the device costs the others of its port. */
  get ledger(): Ledger {
    return this.#options.ledger;
  }

  get queue(): PortQueue {
    return this.#options.queue();
  }

  /** Waits for the turn, runs `task` in it, gives it back. */
  async turn<T>(
    wanted: { readonly rank: Rank; readonly signal: AbortSignal },
    task: () => Promise<T>,
  ): Promise<T> {
    const { clock, turns, spent, device } = this.#options;
    const giveBack = await turns.take(device, wanted.rank, wanted.signal);
    const start = clock.monotonic();
    try {
      return await task();
    } finally {
      spent(clock.monotonic() - start);
      giveBack();
    }
  }

  /** A part of the wire to `address`; see `MapperContext.dial`. */
  async dial(address: string, signal: AbortSignal): Promise<Duplex> {
    const part = await this.#options.dial(address, signal);
    if (signal.aborted) {
      part.destroy();
      throw signal.reason;
    }
    this.#parts.add(part);
    part.once('close', () => this.#parts.delete(part));
    return part;
  }

  /** A part that was dialled here is the mapper's from now on; see `MapperContext.keep`. */
  keep(part: Duplex): void {
    this.#parts.delete(part);
  }

  /** Gives back what a mapper left open; with an error, cuts the wires for all. */
  release(error?: Error): void {
    for (const part of this.#parts) part.destroy(error);
    this.#parts.clear();
  }

  leave(): void {
    this.ledger.tried();
    this.release();
    this.#options.left();
  }
}
