/**
 * What the subscriptions of a mapper's process have to tell the core (pure): at most one reading of each property,
 * the latest; those it replaced are counted. A batch is taken when the core has granted it.
 */
import { type Reading } from '@limpet/dmi';
import {
  type PackedError,
  type PackedReading,
  packedBytes,
  packError,
  packReading,
} from './packed.ts';

/** One grant of the core buys so much. */
export const MAX_BATCH_READINGS = 500;
const MAX_BATCH_BYTES = 65_536;

export interface Batch {
  /** Subscription, index, reading. */
  readonly r: readonly (readonly [number, number, PackedReading])[];
  /** Subscriptions that are lost, after their readings. */
  readonly l: readonly (readonly [number, PackedError])[];
  /** Readings replaced so far by later ones, since the start. */
  readonly s: number;
}

interface Box {
  readonly count: number;
  /** Made for what waits, and gone with it: a map that is emptied and filled for ever grows old, and leaves its tables behind. */
  readings: Map<number, Reading> | undefined;
  lost: Error | undefined;
}

/** Invariant: a box is in `#full` while it holds something. Its size is bounded by the wishes. */
export class Outbox {
  readonly #boxes = new Map<number, Box>();
  /** In the order in which they are served. */
  readonly #full = new Set<number>();
  #superseded = 0;

  get superseded(): number {
    return this.#superseded;
  }

  get empty(): boolean {
    return this.#full.size === 0;
  }

  /** A subscription of so many wishes. */
  open(subscription: number, count: number): void {
    this.#boxes.set(subscription, { count, readings: undefined, lost: undefined });
  }

  close(subscription: number): void {
    this.#boxes.delete(subscription);
    this.#full.delete(subscription);
  }

  /** False when there is no such wish, or nothing counts any more. */
  put(subscription: number, index: number, reading: Reading): boolean {
    const box = this.#boxes.get(subscription);
    if (box === undefined || box.lost !== undefined) return false;
    if (!(Number.isInteger(index) && index >= 0 && index < box.count)) return false;
    box.readings ??= new Map();
    if (box.readings.has(index)) this.#superseded += 1;
    // A key that is there keeps its place, so that a busy property does not push itself to the end for ever.
    box.readings.set(index, reading);
    this.#full.add(subscription);
    return true;
  }

  lose(subscription: number, error: Error): void {
    const box = this.#boxes.get(subscription);
    if (box === undefined || box.lost !== undefined) return;
    box.lost = error;
    this.#full.add(subscription);
  }

  /** The next batch, or nothing when there is nothing to tell. Subscriptions take turns. */
  take(): Batch | undefined {
    if (this.empty) return undefined;
    const r: [number, number, PackedReading][] = [];
    const l: [number, PackedError][] = [];
    let bytes = 0;
    for (const subscription of this.#full) {
      const box = this.#boxes.get(subscription) as Box;
      this.#full.delete(subscription);
      for (const [index, reading] of box.readings ?? []) {
        if (r.length >= MAX_BATCH_READINGS || bytes >= MAX_BATCH_BYTES) break;
        box.readings?.delete(index);
        const packed = packReading(reading);
        bytes += packedBytes(packed);
        r.push([subscription, index, packed]);
      }
      if (box.readings !== undefined && box.readings.size > 0) {
        this.#full.add(subscription);
        break;
      }
      box.readings = undefined;
      if (box.lost === undefined) continue;
      l.push([subscription, packError(box.lost)]);
      this.close(subscription);
    }
    return { r, l, s: this.#superseded };
  }
}
