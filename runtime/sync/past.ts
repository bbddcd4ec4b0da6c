/**
 * The second stream of a conversation: history, from where the cloud has it on its disk. One page is in flight, small
 * enough that a report behind it does not wait long: as large as was acknowledged in good time, on this link and by
 * this cloud.
 */
import type { FromEdge, PastCursor, PastPage } from '#protocol';

/** The part of history a session needs. */
export interface SyncedPast {
  /** What was recorded after the cursor, about so many bytes of it; undefined when that is nothing. */
  pageAfter(cursor: PastCursor | undefined, bytes: number): PastPage | undefined;
}

export interface PastOptions {
  readonly past: SyncedPast;
  /** Monotonic ms. */
  readonly monotonic: () => number;
  readonly send: (message: FromEdge) => void;
}

/** While all goes well, a page is told within about this. */
const PROMPT_MS = 150;
/** What takes longer holds up a report for too long. */
const SLOW_MS = 500;
const BYTES = { first: 8 * 1024, least: 4 * 1024, most: 64 * 1024 };
/** Where reports never pause, one page of history goes with this many of them. */
const REPORTS = 8;

export class PastStream {
  readonly #options: PastOptions;
  #cursor: PastCursor | undefined;
  #inFlight: { readonly cursor: PastCursor; readonly sentMs: number } | undefined;
  #bytes = BYTES.first;
  #reports = 0;
  /** Everything that was written is told. */
  #told = false;

  /** `cursor`: what the cloud has. */
  constructor(options: PastOptions, cursor: PastCursor | undefined) {
    this.#options = options;
    this.#cursor = cursor;
  }

  /** A page of reports goes out; true when it is the turn of a page of history nevertheless. */
  reported(): boolean {
    this.#reports++;
    return this.#reports >= REPORTS;
  }

  /** More was written. */
  written(): void {
    this.#told = false;
  }

  /** Sends the next page, unless one is on its way. */
  next(): void {
    if (this.#told || this.#inFlight !== undefined) return;
    const { past, monotonic, send } = this.#options;
    const page = past.pageAfter(this.#cursor, this.#bytes);
    this.#told = page === undefined;
    if (page === undefined) return;
    const { run, n, series } = page;
    this.#reports = 0;
    this.#inFlight = { cursor: { run, n }, sentMs: monotonic() };
    send({ type: 'past', run, n, series });
  }

  /** The cloud has it on disk; false when it was never sent. */
  acknowledged(n: number): boolean {
    if (this.#inFlight?.cursor.n !== n) return false;
    const { cursor, sentMs } = this.#inFlight;
    const took = this.#options.monotonic() - sentMs;
    if (took < PROMPT_MS) this.#bytes = Math.min(this.#bytes * 2, BYTES.most);
    else if (took > SLOW_MS) this.#bytes = Math.max(this.#bytes / 2, BYTES.least);
    this.#cursor = cursor;
    this.#inFlight = undefined;
    return true;
  }
}
