/**
 * Group commit: the first change is written at once, those of the next interval together; what is `hastened`
 * waits for no interval. What cannot be written stays pending (at most one entry per key) and is tried again with
 * backoff; memory goes on.
 */
import { type Clock, type Log } from '@limpet/dmi';
import { Backoff } from '../kernel/backoff.ts';
import { StoreError } from './store-error.ts';

export interface WriterOptions<T> {
  /** One transaction; throws StoreError when the disk refuses. */
  readonly write: (entries: Iterable<T>, kind: 'paced' | 'prompt') => void;
  readonly clock: Clock;
  readonly log: Log;
  /** Commits of what may wait are at least this far apart; asked anew each time. */
  readonly commitMs: () => number;
}

/** Commits of what should not wait are at least this far apart. */
const PROMPT_MS = 10;
/** Entries in one transaction: keeps the WAL's size apart from how much was pending. */
const SLICE = 1_000;

export class Writer<T> {
  readonly #options: WriterOptions<T>;
  readonly #pending = new Set<T>();
  readonly #backoff = new Backoff({ maxMs: 30_000 });
  /** Of those pending, what should not wait for the interval. */
  readonly #prompt = new Set<T>();
  #timer: { readonly due: number; readonly cancel: () => void } | undefined;
  #lastPaced = -Infinity;
  #lastPrompt = -Infinity;
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
    this.#arm(this.#lastPaced + this.#options.commitMs());
  }

  /** Like `put`, for what must not be lost with an interval: how far an order got. */
  hasten(entry: T): void {
    this.#pending.add(entry);
    this.#prompt.add(entry);
    this.#arm(this.#lastPrompt + PROMPT_MS);
  }

  forget(entry: T): void {
    this.#pending.delete(entry);
    this.#prompt.delete(entry);
  }

  /** Writes what is pending now; what fails stays pending. */
  flush(): void {
    this.#disarm();
    this.#write(this.#pending);
  }

  /** The disk took something else: what it refused earlier need not wait for its next try. */
  diskWorks(): void {
    if (this.#failingSince !== undefined) this.flush();
  }

  /** Flushes once more; later changes stay in memory only. */
  close(): void {
    this.#closed = true;
    this.flush();
    this.#disarm();
  }

  #due(): void {
    this.#timer = undefined;
    const paced = this.#lastPaced + this.#options.commitMs();
    const all = this.#failingSince !== undefined || paced <= this.#options.clock.monotonic();
    this.#write(all ? this.#pending : this.#prompt);
    if (!all && this.#pending.size > 0) this.#arm(paced);
  }

  #write(entries: Set<T>): void {
    if (entries.size === 0) return;
    const all = entries === this.#pending;
    try {
      for (const slice of slices(entries)) {
        this.#options.write(slice, all ? 'paced' : 'prompt');
        for (const entry of slice) this.forget(entry);
        this.commits++;
        this.rowsWritten += slice.length;
      }
    } catch (error) {
      this.#failed(error);
      return;
    }
    this.#lastPrompt = this.#options.clock.monotonic();
    if (all) this.#lastPaced = this.#lastPrompt;
    this.#recovered();
  }

  /** Whatever is due first; while the disk refuses, its own next try. */
  #arm(due: number): void {
    if (this.#closed) return;
    const held = this.#timer;
    if (held && (held.due <= due || this.#failingSince !== undefined)) return;
    this.#disarm();
    const { clock } = this.#options;
    const cancel = clock.after(Math.max(0, due - clock.monotonic()), () => this.#due());
    this.#timer = { due, cancel };
  }

  #disarm(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #failed(error: unknown): void {
    if (!(error instanceof StoreError)) throw error;
    this.diskErrors++;
    if (this.#failingSince === undefined) {
      this.#failingSince = this.#options.clock.monotonic();
      this.#options.log.error('twin store cannot write, twins live in memory', { error });
    }
    this.#arm(this.#options.clock.monotonic() + this.#backoff.next());
  }

  #recovered(): void {
    this.#backoff.reset();
    if (this.#failingSince === undefined) return;
    const forMs = Math.round(this.#options.clock.monotonic() - this.#failingSince);
    this.#failingSince = undefined;
    this.#options.log.info('twin store writes again', { forMs });
  }
}

/** Copies, so that what is written may be taken out on the way. */
function* slices<T>(entries: Set<T>): Generator<readonly T[]> {
  const all = [...entries];
  for (let from = 0; from < all.length; from += SLICE) yield all.slice(from, from + SLICE);
}
