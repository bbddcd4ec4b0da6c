/**
 * What the cloud has not acknowledged yet: entries in `seq` order, each at most once however often it changed,
 * so an hour offline costs one row per key. This *is* the queue towards the cloud; there is no other.
 */
import { type StateRow } from '@limpet/dmi/manifest';
import { type Entry, type Twins } from './twins.ts';

export class Unsent {
  readonly #entries = new Set<Entry>();
  #seq = 0;

  get seq(): number {
    return this.#seq;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The entry changed: it gets the next `seq` and moves to the end. */
  touch(entry: Entry): void {
    entry.seq = ++this.#seq;
    this.#entries.delete(entry);
    this.#entries.add(entry);
  }

  forget(entry: Entry): void {
    this.#entries.delete(entry);
  }

  /** How many rows are sent before this one, and how many there are in all; `undefined` when the cloud has it. */
  place(entry: Entry): { readonly before: number; readonly rows: number } | undefined {
    if (!this.#entries.has(entry)) return undefined;
    let before = 0;
    for (const each of this.#entries) {
      if (each === entry) break;
      before += 1;
    }
    return { before, rows: this.#entries.size };
  }

  /** At least one row if there is any, so that a large value cannot block the rest. */
  rowsAfter(seq: number, limit: { rows: number; bytes: number }): readonly StateRow[] {
    const rows: StateRow[] = [];
    let bytes = 0;
    for (const entry of this.#entries) {
      if (entry.seq <= seq) continue;
      if (rows.length >= limit.rows) break;
      const row = rowOf(entry);
      bytes += Buffer.byteLength(JSON.stringify(row));
      if (bytes > limit.bytes && rows.length > 0) break;
      rows.push(row);
    }
    return rows;
  }

  acknowledged(seq: number): void {
    for (const entry of this.#entries) {
      if (entry.seq > seq) break;
      this.#entries.delete(entry);
    }
  }

  resumeFrom(seq: number, twins: Twins): void {
    this.#entries.clear();
    const all = [...everything(twins)].filter((entry) => entry.seq > seq);
    for (const entry of all.toSorted((a, b) => a.seq - b.seq)) this.#entries.add(entry);
  }
}

function* everything(twins: Twins): Iterable<Entry> {
  yield* twins.resources.DeviceModel.values();
  yield* twins.resources.Device.values();
  for (const device of twins.devices.values()) {
    yield device;
    yield* device.entries.values();
  }
}

function rowOf(entry: Entry): StateRow {
  switch (entry.kind) {
    case 'property':
      return {
        kind: 'property',
        seq: entry.seq,
        device: entry.device,
        property: entry.property,
        ...entry.twin,
        ...(entry.carried && { carried: true }),
      };
    case 'device':
      return { kind: 'device', seq: entry.seq, device: entry.device, ...entry.condition };
    case 'resource': {
      const { type, id, rev, doc, seq } = entry;
      return { kind: 'resource', seq, type, id, rev, doc };
    }
  }
}
