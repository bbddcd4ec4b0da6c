/**
 * Group commit: the first change is written at once, those of the next few milliseconds together. What cannot
 * be written stays pending (at most one entry per key) and is tried again with backoff; memory goes on.
 */
import { type Clock, type Log } from '@limpet/dmi';
import { Backoff } from '../kernel/backoff.ts';
import { StoreError } from './store-error.ts';

export interface WriterOptions<T> {
  /** One transaction; throws StoreError when the disk refuses. */
  readonly write: (entries: Iterable<T>) => void;
  readonly clock: Clock;
  readonly log: Log;
  /** Commits are at least this far apart. */
  readonly commitMs: number;
}

export class Writer<T> {
  readonly #options: WriterOptions<T>;
  readonly #pending = new Set<T>();
  readonly #backoff = new Backoff({ maxMs: 30_000 });
  #cancel: (() => void) | undefined;
  #lastCommit = -Infinity;
  #failingSince: number | undefined;
  #closed = false;
  commits = 0;
  rowsWritten = 0;
  diskErrors = 0;

  constructor(options: WriterOptions<T>) {
    this.#options = options;
  }

  get pendingRows(): number {
    return this.#pending.size;
  }

  put(entry: T): void {
    this.#pending.add(entry);
    if (this.#cancel || this.#closed) return;
    const since = this.#options.clock.monotonic() - this.#lastCommit;
    this.#schedule(Math.max(0, this.#options.commitMs - since));
  }

  forget(entry: T): void {
    this.#pending.delete(entry);
  }

  /** Writes what is pending now; what fails stays pending. */
  flush(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    if (this.#pending.size === 0) return;
    const count = this.#pending.size;
    try {
      this.#options.write(this.#pending);
    } catch (error) {
      this.#failed(error);
      return;
    }
    this.#pending.clear();
    this.commits++;
    this.rowsWritten += count;
    this.#lastCommit = this.#options.clock.monotonic();
    this.#recovered();
  }

  /** The disk took something else: what it refused earlier need not wait for its next try. */
  diskWorks(): void {
    if (this.#failingSince !== undefined) this.flush();
  }

  /** Flushes once more; later changes stay in memory only. */
  close(): void {
    this.#closed = true;
    this.flush();
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #schedule(ms: number): void {
    this.#cancel = this.#options.clock.after(ms, () => {
      this.#cancel = undefined;
      this.flush();
    });
  }

  #failed(error: unknown): void {
    if (!(error instanceof StoreError)) throw error;
    this.diskErrors++;
    if (this.#failingSince === undefined) {
      this.#failingSince = this.#options.clock.monotonic();
      this.#options.log.error('twin store cannot write, twins live in memory', { error });
    }
    if (!this.#closed) this.#schedule(this.#backoff.next());
  }

  #recovered(): void {
    this.#backoff.reset();
    if (this.#failingSince === undefined) return;
    const forMs = Math.round(this.#options.clock.monotonic() - this.#failingSince);
    this.#failingSince = undefined;
    this.#options.log.info('twin store writes again', { forMs });
  }
}
