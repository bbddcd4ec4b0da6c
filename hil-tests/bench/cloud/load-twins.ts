/**
 * A node's twins in a few kilobytes: what changed is known by its number, and the rows are made when they are sent. To the
 * edge's own link it looks like the twin store.
 *
 * Keys count up: one per device for its document, one per device for its condition, then the properties device by device.
 */
import { randomUUID } from 'node:crypto';
import type { LinkedTwins } from '#runtime/sync/link.ts';
import { nextRev, type StateRow, type WantedRow } from '@limpet/dmi/manifest';
import { device, deviceName, PROPERTIES, valueOf } from './plant.ts';

export interface LoadCounts {
  /** Changes of properties. */
  offered: number;
  /** Of those, told to the cloud and acknowledged. */
  acknowledged: number;
  /** Of those, overtaken by a later change before they were told: an edge tells the latest. */
  superseded: number;
}

export interface LoadTwinsOptions {
  readonly node: number;
  readonly counts: LoadCounts;
  /** A change was acknowledged so long after it happened. */
  readonly acknowledged: (ms: number) => void;
}

/** About what a row is in JSON, the largest counted: a page stays below what the session allows. */
const ROW_BYTES = 512;

export class LoadTwins implements LinkedTwins {
  readonly epoch = randomUUID();
  readonly #options: LoadTwinsOptions;
  readonly #listeners = new Set<() => void>();
  /** Keys in the order of `seq`, with when they changed. */
  readonly #dirty = new Map<number, number>();
  #sent: { readonly key: number; readonly seq: number; readonly at: number }[] = [];
  #seqs = new Float64Array(0);
  #ats = new Float64Array(0);
  #devices = 0;
  #seq = 0;
  #acknowledged = 0;
  #rev = 0;
  #docRev = 0;

  constructor(options: LoadTwinsOptions) {
    this.#options = options;
  }

  get devices(): number {
    return this.#devices;
  }

  /** Rows that the cloud does not have yet. */
  get pending(): number {
    return this.#dirty.size;
  }

  /** The node gets its devices, all at once. */
  declare(devices: number): void {
    this.#devices = devices;
    this.#docRev = nextRev(0, Date.now(), 'edge');
    const keys = devices * (2 + PROPERTIES.length);
    this.#seqs = new Float64Array(keys);
    this.#ats = new Float64Array(keys);
    const { counts } = this.#options;
    for (let key = 0; key < 2 * devices; key++) this.#touch(key);
    for (let key = 2 * devices; key < keys; key++) {
      this.#touch(key);
      counts.offered++;
    }
    this.#tell();
  }

  /** So many properties of a device, from `first` on, have new values. */
  change(index: number, first: number, count: number): void {
    const { counts } = this.#options;
    for (let i = 0; i < count; i++) {
      const key = this.#key(index, (first + i) % PROPERTIES.length);
      if (this.#dirty.has(key)) counts.superseded++;
      counts.offered++;
      this.#touch(key);
    }
    this.#tell();
  }

  /** What the device reports now. */
  value(index: number, property: number): ReturnType<typeof valueOf> {
    return valueOf(property, this.#seqs[this.#key(index, property)] ?? 0);
  }

  rev(): number {
    return this.#rev;
  }

  seq(): number {
    return this.#seq;
  }

  rowsAfter(
    _seq: number,
    limit: { readonly rows: number; readonly bytes: number },
  ): readonly StateRow[] {
    const most = Math.min(limit.rows, Math.floor(limit.bytes / ROW_BYTES));
    const rows: StateRow[] = [];
    this.#sent = [];
    for (const [key, at] of this.#dirty) {
      const seq = this.#seqs[key] ?? 0;
      this.#sent.push({ key, seq, at });
      rows.push(this.#row(key, seq));
      if (rows.length === most) break;
    }
    return rows;
  }

  mergeWanted(_rows: readonly WantedRow[], to: number): void {
    this.#rev = Math.max(this.#rev, to);
  }

  acknowledged(seq: number): void {
    const now = performance.now();
    const { counts, acknowledged } = this.#options;
    for (const { key, seq: sent, at } of this.#sent) {
      if (sent > seq) break;
      if (this.#seqs[key] === sent) this.#dirty.delete(key);
      else if (key >= 2 * this.#devices) counts.superseded--;
      if (key < 2 * this.#devices) continue;
      counts.acknowledged++;
      acknowledged(now - at);
    }
    this.#sent = [];
    this.#acknowledged = seq;
  }

  resumeFrom(seq: number): void {
    this.#sent = [];
    if (seq >= this.#acknowledged) this.#forget(seq);
    else this.#remember(seq);
    this.#acknowledged = seq;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** The cloud has them, though its acknowledgement was lost. */
  #forget(seq: number): void {
    for (const key of this.#dirty.keys()) {
      if ((this.#seqs[key] ?? 0) > seq) return;
      this.#dirty.delete(key);
      if (key >= 2 * this.#devices) this.#options.counts.acknowledged++;
    }
  }

  /** The cloud lost some that it had acknowledged. */
  #remember(seq: number): void {
    const now = performance.now();
    const lost = [...this.#seqs.keys()].filter((key) => (this.#seqs[key] ?? 0) > seq);
    const ordered = lost.toSorted((a, b) => (this.#seqs[a] ?? 0) - (this.#seqs[b] ?? 0));
    const known = new Map(this.#dirty);
    this.#dirty.clear();
    for (const key of ordered) this.#dirty.set(key, known.get(key) ?? now);
  }

  #key(index: number, property: number): number {
    return 2 * this.#devices + index * PROPERTIES.length + property;
  }

  #touch(key: number): void {
    this.#seqs[key] = ++this.#seq;
    this.#ats[key] = Date.now();
    this.#dirty.delete(key);
    this.#dirty.set(key, performance.now());
  }

  #row(key: number, seq: number): StateRow {
    const { node } = this.#options;
    const at = this.#ats[key] ?? 0;
    if (key < this.#devices) {
      const id = `default/${deviceName(node, key)}`;
      const doc = device(node, key);
      return { kind: 'resource', seq, type: 'Device', id, rev: this.#docRev, doc };
    }
    if (key < 2 * this.#devices) {
      const id = `default/${deviceName(node, key - this.#devices)}`;
      return { kind: 'device', seq, device: id, state: 'online', lastSeen: at };
    }
    const place = key - 2 * this.#devices;
    const property = place % PROPERTIES.length;
    const id = `default/${deviceName(node, Math.floor(place / PROPERTIES.length))}`;
    const reported = { value: valueOf(property, seq), at, quality: 'good' } as const;
    const name = PROPERTIES[property]?.name ?? '';
    return { kind: 'property', seq, device: id, property: name, reported };
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}
