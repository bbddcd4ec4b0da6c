/**
 * Which slices of time there are, and what becomes of them: a new one begins when the newest has grown or has lasted long
 * enough, is given the last sample before it of every property bit by bit, and the oldest is dropped. Everything that
 * changes runs inside a transaction.
 */
import { among, one, type Sql } from '../store/sql.ts';
import { type SampleRow, samplesTable, sliceSchema, SLICES, type SliceRow } from './tables.ts';
import { bytesOf } from './values.ts';

export interface Retention {
  readonly ageMs: number;
  readonly bytes: number;
}

/** A slice is this part of what is kept, in time or in bytes, so that dropping one loses little. */
const PARTS = 16;
/** Carried in one go: some ms. */
const CARRIED = 2_000;
/** Every device has its last samples in the slice. */
export const ALL = Number.MAX_SAFE_INTEGER;
/** Before every time that a sample can have. */
const EVER = -8.64e15;
/** Ahead of this clock by more, a time is no reason to begin the next slice after it. */
const AHEAD_MS = 60_000;

export class Slices {
  readonly #sql: Sql;
  #rows: SliceRow[] = [];
  #sure = true;

  private constructor(sql: Sql) {
    this.#sql = sql;
  }

  static async open(sql: Sql): Promise<Slices> {
    const slices = new Slices(sql);
    await slices.load();
    return slices;
  }

  /** Oldest first. */
  get all(): readonly SliceRow[] {
    return this.#rows;
  }

  /** A transaction was rolled back: they are read anew. */
  unsure(): void {
    this.#sure = false;
  }

  async load(): Promise<void> {
    this.#sure = true;
    this.#rows = [...(await this.#sql.all<SliceRow>('SELECT * FROM slices ORDER BY id'))];
  }

  /** About what all samples take. */
  get bytes(): number {
    return this.#rows.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Of earlier samples some were dropped; undefined while none were. */
  get horizon(): number | undefined {
    const [first] = this.#rows;
    return first === undefined || first.since === EVER ? undefined : first.since;
  }

  /** Writes samples each into its slice; those from before the horizon are left out. Returns how many were not. */
  async add(rows: readonly SampleRow[]): Promise<number> {
    if (!this.#sure) await this.load();
    if (this.#rows.length === 0) await this.#begin(EVER, ALL);
    const parts = Map.groupBy(rows, ({ at }) => this.#sliceAt(at));
    let taken = 0;
    for (const [slice, part] of parts) {
      if (slice === undefined) continue;
      taken += part.length;
      await this.#sql.put(samplesTable(slice.id), distinct(part));
      const latest = part.reduce((max, { at }) => Math.max(max, at), slice.latest);
      const bytes = part.reduce((sum, row) => sum + bytesOf(row), slice.bytes);
      await this.#save({ ...slice, latest, bytes });
      await this.#forward(slice.id, part);
    }
    return taken;
  }

  /** Makes the next slice when it is time, and gives it some of what it begins with; true while there is more of that. */
  async grow(now: number, { ageMs, bytes }: Retention): Promise<boolean> {
    if (!this.#sure) await this.load();
    const newest = this.#rows.at(-1);
    if (newest === undefined) return false;
    if (newest.carried < ALL) return this.#carry(newest);
    const before = this.#rows.at(-2);
    // Of the first slice only what was recorded here tells how long it has lasted.
    const since = newest.since === EVER ? await this.#first(newest) : newest.since;
    const old = since !== undefined && now - since > ageMs / PARTS;
    if (!old && newest.bytes < bytes / PARTS) return false;
    const from = Math.max(now, Math.min(newest.latest, now + AHEAD_MS)) + 1;
    if (before !== undefined && from <= newest.since) return false;
    await this.#begin(from, newest.latest < from ? 0 : -1);
    return true;
  }

  /** Drops the oldest beyond what is to be kept; true when one went. */
  async drop(now: number, { ageMs, bytes }: Retention): Promise<boolean> {
    if (!this.#sure) await this.load();
    const [oldest, next] = this.#rows;
    if (oldest === undefined || next === undefined || next.carried < ALL) return false;
    if (next.since > now - ageMs && this.bytes <= bytes) return false;
    await this.#sql.run(`DROP TABLE samples_${oldest.id}`);
    await this.#sql.run('DELETE FROM slices WHERE id = $1', oldest.id);
    this.#rows = this.#rows.slice(1);
    return true;
  }

  #sliceAt(at: number): SliceRow | undefined {
    return this.#rows.findLast(({ since }) => since <= at);
  }

  async #first({ id }: SliceRow): Promise<number | undefined> {
    const row = await one(this.#sql.all<{ began: number }>('SELECT began FROM past WHERE one = 1'));
    return id === 1 ? row?.began : undefined;
  }

  async #begin(since: number, carried: number): Promise<void> {
    const id = (this.#rows.at(-1)?.id ?? 0) + 1;
    await this.#sql.run(sliceSchema(id, this.#sql.dialect));
    await this.#save({ id, since, latest: EVER, bytes: 0, carried });
  }

  async #save(row: SliceRow): Promise<void> {
    await this.#sql.put(SLICES, [row]);
    this.#rows = [...this.#rows.filter(({ id }) => id !== row.id), row];
    this.#rows.sort((a, b) => a.id - b.id);
  }

  /** Late samples may be the last before later slices, which then begin with them. */
  async #forward(slice: number, rows: readonly SampleRow[]): Promise<void> {
    const later = this.#rows.filter(({ id }) => id > slice);
    if (later.length === 0) return;
    const newest = new Map<string, SampleRow>();
    for (const row of rows) {
      const key = `${row.dev} ${row.prop}`;
      const known = newest.get(key);
      if (!known || known.at < row.at || (known.at === row.at && known.n < row.n))
        newest.set(key, row);
    }
    const last = [...newest.values()];
    const devices = JSON.stringify([...new Set(last.map(({ dev }) => dev))]);
    for (const { id, since } of later) {
      await this.#sql.put(samplesTable(id), last);
      const table = `samples_${id}`;
      // What was the last until now.
      await this.#sql.run(
        `DELETE FROM ${table} WHERE at < $1 AND ${among(this.#sql.dialect, 'dev', '$2', 'integer')}
           AND EXISTS (SELECT 1 FROM ${table} b WHERE b.dev = ${table}.dev AND b.prop = ${table}.prop
             AND b.at < $1 AND (b.at, b.n) > (${table}.at, ${table}.n))`,
        since,
        devices,
      );
    }
  }

  /**
   * The last samples of the next devices. First, where a device's clock was ahead of ours, the samples that belong to the new
   * slice by their time.
   */
  async #carry(slice: SliceRow): Promise<boolean> {
    const from = this.#rows.at(-2);
    if (from === undefined) throw new Error('the first slice has nothing before it');
    const [into, of] = [`samples_${slice.id}`, `samples_${from.id}`];
    if (slice.carried < 0) {
      await this.#sql.run(`INSERT INTO ${into} SELECT * FROM ${of} WHERE at >= $1`, slice.since);
      await this.#sql.run(`DELETE FROM ${of} WHERE at >= $1`, slice.since);
      await this.#save({ ...slice, carried: 0, latest: Math.max(slice.latest, from.latest) });
      return true;
    }
    const end = await one(
      this.#sql.all<{ dev: number }>(
        'SELECT dev FROM series WHERE dev > $1 ORDER BY dev LIMIT 1 OFFSET $2',
        slice.carried,
        CARRIED,
      ),
    );
    const upTo = end?.dev ?? ALL;
    const added = await this.#sql.change(
      `INSERT INTO ${into} SELECT x.* FROM series s JOIN ${of} x ON x.dev = s.dev AND x.prop = s.prop
         AND (x.at, x.n) = (SELECT y.at, y.n FROM ${of} y WHERE y.dev = s.dev AND y.prop = s.prop
           ORDER BY y.at DESC, y.n DESC LIMIT 1)
       WHERE s.dev > $1 AND s.dev <= $2 ON CONFLICT DO NOTHING`,
      slice.carried,
      upTo,
    );
    const bytes = slice.bytes + added * bytesOf({ kind: 0, num: 0, text: null });
    await this.#save({ ...slice, carried: upTo, bytes });
    return upTo < ALL;
  }
}

function distinct(rows: readonly SampleRow[]): readonly SampleRow[] {
  const unique = new Map(rows.map((row) => [`${row.dev} ${row.prop} ${row.at} ${row.n}`, row]));
  return unique.size === rows.length ? rows : [...unique.values()];
}
