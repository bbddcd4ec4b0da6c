/**
 * What waits to be written: bounded in bytes. What has to be given up before it is written is folded into one gap
 * per series, however often that happens.
 */
import { type Gap, type GapCause, type Sample } from './track.ts';

/** A series by its number in the file. */
export type Entry = { readonly series: number } & (
  | { readonly kind: 'sample'; readonly sample: Sample }
  | { readonly kind: 'gap'; readonly gap: Gap }
);

/** An entry with its objects, as V8 lays them out. */
const ENTRY_BYTES = 136;

export class Backlog {
  #entries: Entry[] = [];
  readonly #folded = new Map<number, Gap>();
  #bytes = 0;

  /** About what it takes in memory. */
  get bytes(): number {
    return this.#bytes;
  }

  get size(): number {
    return this.#entries.length + this.#folded.size;
  }

  add(entry: Entry): void {
    this.#entries.push(entry);
    this.#bytes += bytesOf(entry);
  }

  /** Everything to write: gaps of what was given up first, for they are older. */
  *all(): Generator<Entry> {
    for (const [series, gap] of this.#folded) yield { series, kind: 'gap', gap };
    yield* this.#entries;
  }

  clear(): void {
    this.#entries = [];
    this.#folded.clear();
    this.#bytes = 0;
  }

  /** Gives up the oldest until no more than `bytes` are taken; returns how much that freed. */
  giveUp(cause: GapCause, bytes: number): number {
    const before = this.#bytes;
    let count = 0;
    while (this.#bytes > bytes && count < this.#entries.length) {
      const entry = this.#entries[count++] as Entry;
      this.#bytes -= bytesOf(entry);
      this.#fold(entry, cause);
    }
    this.#entries.splice(0, count);
    return before - this.#bytes;
  }

  #fold(entry: Entry, cause: GapCause): void {
    const { from, to } = spanOf(entry);
    const held = this.#folded.get(entry.series);
    this.#folded.set(entry.series, {
      cause: held?.cause ?? cause,
      from: Math.min(from, held?.from ?? from),
      to: Math.max(to, held?.to ?? to),
    });
  }
}

function spanOf(entry: Entry): { from: number; to: number } {
  return entry.kind === 'gap' ? entry.gap : { from: entry.sample.at, to: entry.sample.at };
}

function bytesOf(entry: Entry): number {
  const value = entry.kind === 'sample' ? entry.sample.value : 0;
  if (typeof value === 'string') return ENTRY_BYTES + value.length;
  // A JSON value is held as it was reported; its text is a fair measure of it.
  if (typeof value === 'object' && value !== null) {
    return ENTRY_BYTES + 2 * JSON.stringify(value).length;
  }
  return ENTRY_BYTES;
}
