/** Cuts a node's wanted stream into pages that a slow link and a small edge can take. */
import type { Id, WantedRow } from '#protocol';
import type { CloudStore } from '../store/store.ts';
import type { WantedItem, WantedStream } from '../store/wanted-stream.ts';

export interface DesirePage {
  /** The edge's cursor once it has stored the page: everything up to here was sent. */
  readonly to: number;
  readonly rows: readonly WantedRow[];
}

const MAX_ROWS = 500;
const MAX_BYTES = 256 * 1024;
const ITEMS = 200;

/** One conversation's way through the stream. */
export class DesirePages {
  readonly #store: CloudStore;
  readonly #node: string;
  /** Models already sent in this conversation, by rev: many devices share one. */
  readonly #models = new Map<Id, number>();
  #cursor: number;
  /** Of an item larger than a page: what is still to be sent. */
  #rest: { readonly pos: number; readonly rows: readonly WantedRow[] } | undefined;

  constructor(store: CloudStore, node: string, cursor: number) {
    this.#store = store;
    this.#node = node;
    this.#cursor = cursor;
  }

  /** The next page, or undefined when the node has been sent everything. */
  async next(): Promise<DesirePage | undefined> {
    if (this.#rest) return this.#cut(this.#rest.pos, this.#rest.rows);
    return this.#store.read(async ({ stream }) => {
      for (;;) {
        const items = await stream.after(this.#node, this.#cursor, ITEMS);
        if (items.length === 0) return undefined;
        const page = await this.#fill(items, stream);
        if (page.rows.length > 0) return page;
      }
    });
  }

  async #fill(items: readonly WantedItem[], stream: WantedStream): Promise<DesirePage> {
    const rows: WantedRow[] = [];
    const whole = new Set(items.filter(({ what }) => what === 'Device').map(({ id }) => id));
    let bytes = 0;
    for (const item of items) {
      const sent = item.what === 'desired' && whole.has(item.id);
      const more = sent ? [] : await this.#rows(item, stream);
      const size = sizeOf(more);
      const full = rows.length + more.length > MAX_ROWS || bytes + size > MAX_BYTES;
      if (full && rows.length > 0) break;
      this.#remember(more);
      if (full) return this.#cut(item.pos, more);
      rows.push(...more);
      bytes += size;
      this.#cursor = item.pos;
    }
    return { to: this.#cursor, rows };
  }

  async #rows(item: WantedItem, stream: WantedStream): Promise<readonly WantedRow[]> {
    const rows = await stream.rows(item, this.#store.now());
    return rows.filter((row) => {
      return row.kind !== 'resource' || row.doc === null || this.#models.get(row.id) !== row.rev;
    });
  }

  #remember(rows: readonly WantedRow[]): void {
    for (const row of rows) {
      if (row.kind !== 'resource' || row.type !== 'DeviceModel') continue;
      if (row.doc === null) this.#models.delete(row.id);
      else this.#models.set(row.id, row.rev);
    }
  }

  /** Until its last part is stored, an item that fills more than a page does not move the edge's cursor. */
  #cut(pos: number, rows: readonly WantedRow[]): DesirePage {
    let bytes = 0;
    const end = rows.findIndex((row, index) => {
      bytes += sizeOf([row]);
      return index >= MAX_ROWS || (index > 0 && bytes > MAX_BYTES);
    });
    if (end === -1) {
      this.#rest = undefined;
      this.#cursor = pos;
      return { to: pos, rows };
    }
    this.#rest = { pos, rows: rows.slice(end) };
    return { to: this.#cursor, rows: rows.slice(0, end) };
  }
}

function sizeOf(rows: readonly WantedRow[]): number {
  let bytes = 0;
  for (const row of rows) bytes += Buffer.byteLength(JSON.stringify(row));
  return bytes;
}
