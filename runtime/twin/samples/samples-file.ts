/**
 * The file of history: series, their samples in the order they came, and their gaps. Rows are only appended and only
 * dropped at the old end, so a flush touches few pages; there is no index over time, which would touch one per series.
 *
 * Each sample, and each change of a gap, has a *position* of one count that never goes back: whoever has everything up to
 * one needs only what is above it. A gap of what was dropped stands where the last dropped was.
 */
import { type Clock, type Json } from '@limpet/dmi';
import { type Id, type Quality } from '@limpet/dmi/manifest';
import Database from 'better-sqlite3';
import { closeSync, openSync, rmSync } from 'node:fs';
import { type Metered } from '../metered.ts';
import { type Entry } from './backlog.ts';
import { makeRoom } from './make-room.ts';
import { prepareShape, UnknownShape } from './shape.ts';
import { type OpenGap } from './track.ts';

const PAGE = 4_096;
const CHECKPOINT_PAGES = 250;
/** What the WAL takes beside the file; see twin/database.ts, which keeps it the same way. */
const WAL_BYTES = 4 * CHECKPOINT_PAGES * PAGE;
const SENTENCES = {
  series: `INSERT INTO series VALUES (?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET ended = excluded.ended`,
  addSample: 'INSERT INTO sample VALUES (?, ?, ?, ?, ?)',
  closeGap: 'UPDATE gap SET "to" = ?, position = ? WHERE series = ? AND "to" IS NULL',
  addGap: 'INSERT INTO gap (series, cause, "from", "to", position) VALUES (?, ?, ?, ?, ?)',
  turned: 'UPDATE state SET turned = ?, latest = max(latest, ?)',
  alive: 'UPDATE state SET alive = ?, position = ?',
} as const;

/** A series as the file has it. `ended`: when it was last wanted; null while it is. */
export interface SeriesRow {
  readonly id: number;
  readonly device: Id;
  readonly property: string;
  readonly ended: number | null;
}

/** `open`: a gap that had no end when it was written. */
export type StoredSeries = SeriesRow & { readonly open?: OpenGap };

type Statements = Readonly<Record<keyof typeof SENTENCES, Database.Statement>>;

export interface Batch {
  /** New ones, and those that ended or go on again. */
  readonly series: Iterable<SeriesRow>;
  readonly entries: Iterable<Entry>;
  /** Gaps that began and go on. */
  readonly opened: Iterable<readonly [series: number, gap: OpenGap]>;
  /** Everything that happened up to then is in the file. */
  readonly alive: number;
}

export interface SamplesFileOptions {
  readonly path: string;
  /** Of file and WAL together. */
  readonly maxBytes: number;
  readonly maxAgeMs: number;
  readonly metered: Metered;
  readonly clock: Clock;
}

export class SamplesFile {
  readonly db: Database.Database;
  /** There was none before. */
  created = false;
  readonly #options: SamplesFileOptions;
  readonly #sql: Statements;
  #lastAt: number;
  #position: number;

  /** @throws SqliteError; see `isDamaged` */
  constructor(options: SamplesFileOptions) {
    this.#options = options;
    closeSync(openSync(options.path, 'a', 0o600));
    this.db = new Database(options.path);
    try {
      this.#prepare();
    } catch (error) {
      this.db.close();
      throw error;
    }
    const entries = Object.entries(SENTENCES).map(([name, sql]) => [name, this.db.prepare(sql)]);
    this.#sql = Object.fromEntries(entries) as Statements;
    this.#lastAt = (this.#one('SELECT at FROM sample ORDER BY n DESC LIMIT 1') as number) ?? 0;
    this.#position = this.#one('SELECT position FROM state') as number;
  }

  /** When everything was last on disk. */
  get alive(): number {
    return this.#one('SELECT alive FROM state') as number;
  }

  /** The highest number given to a series. */
  get lastSeries(): number {
    return (this.#one('SELECT max(id) FROM series') as number | null) ?? 0;
  }

  find(device: Id, property: string): StoredSeries | undefined {
    return this.#stored('device = ? AND property = ?', device, property)[0];
  }

  /** Those that were wanted when the file was last written. */
  unended(): readonly StoredSeries[] {
    return this.#stored('ended IS NULL');
  }

  /** All of it, or nothing and an error. Makes room first. */
  write(batch: Batch): void {
    const { metered, maxBytes, maxAgeMs } = this.#options;
    metered('prompt', () => {
      const oldest = batch.alive - maxAgeMs;
      makeRoom(this.db, { bytes: maxBytes - WAL_BYTES, oldest });
      const before = this.#position;
      try {
        this.db.transaction(() => this.#write(batch))();
      } catch (error) {
        this.#position = before;
        throw error;
      }
    });
  }

  close(): void {
    this.#options.metered('prompt', () => void this.db.close());
  }

  #write({ series: rows, entries, opened, alive }: Batch): void {
    for (const { id, device, property, ended } of rows) {
      this.#sql.series.run(id, device, property, ended);
    }
    for (const entry of entries) {
      if (entry.kind === 'gap') {
        const { cause, from, to } = entry.gap;
        const position = ++this.#position;
        const closed = this.#sql.closeGap.run(to, position, entry.series).changes;
        if (closed === 0) this.#sql.addGap.run(entry.series, cause, from, to, position);
        continue;
      }
      const { at, quality, value } = entry.sample;
      const { kind, column } = encode(quality, value);
      const position = ++this.#position;
      this.#sql.addSample.run(position, entry.series, at, kind, column);
      // Samples come nearly in the order of time; where the clock went back, a search by time must know.
      if (at < this.#lastAt - CLOCK_SLACK_MS) this.#sql.turned.run(position, this.#lastAt);
      this.#lastAt = at;
    }
    for (const [series, { cause, from }] of opened) {
      this.#sql.addGap.run(series, cause, from, null, ++this.#position);
    }
    this.#sql.alive.run(alive, this.#position);
  }

  #prepare(): void {
    const { maxBytes } = this.#options;
    this.db.pragma('locking_mode = EXCLUSIVE');
    this.db.pragma('journal_mode = WAL');
    for (const setting of [
      'cache_size = -256',
      'temp_store = MEMORY',
      'mmap_size = 0',
      'synchronous = NORMAL',
      `wal_autocheckpoint = ${CHECKPOINT_PAGES}`,
      `journal_size_limit = ${CHECKPOINT_PAGES * PAGE}`,
      `max_page_count = ${Math.floor((maxBytes - WAL_BYTES) / PAGE)}`,
    ]) {
      this.db.pragma(setting);
    }
    this.created = prepareShape(this.db, this.#options.clock.now());
  }

  #stored(where: string, ...given: readonly string[]): readonly StoredSeries[] {
    const rows = this.db
      .prepare(
        `SELECT s.id, device, property, ended, cause, "from" FROM series s
         LEFT JOIN gap g ON g.series = s.id AND g."to" IS NULL WHERE ${where}`,
      )
      .all(...given) as (SeriesRow & { cause: OpenGap['cause'] | null; from: number })[];
    return rows.map(({ cause, from, ...series }) => {
      return cause === null ? series : { ...series, open: { cause, from } };
    });
  }

  #one(sql: string): unknown {
    return this.db.prepare(sql).pluck().get();
  }
}

/** How far samples of different devices may be out of order. */
export const CLOCK_SLACK_MS = 60_000;

/** Whether the file is of no use any more. */
export function isDamaged(error: unknown): boolean {
  if (error instanceof UnknownShape) return true;
  return (
    error instanceof Database.SqliteError &&
    /^SQLITE_(CORRUPT|NOTADB|IOERR_SHORT_READ)/.test(error.code)
  );
}

/** Whether the disk refused, rather than the program being wrong. */
export function isRefusal(error: unknown): boolean {
  return (
    error instanceof Database.SqliteError || (error as { syscall?: unknown }).syscall === 'open'
  );
}

export function removeFile(path: string): void {
  for (const suffix of ['', '-wal', '-journal']) rmSync(path + suffix, { force: true });
}

const QUALITIES: readonly Quality[] = ['good', 'stale', 'bad'];
/** `kind` of a row: its quality, and 4 for a truth value, 8 for JSON. Good numbers and texts are 0, which takes no room. */
const [BOOL, JSON_TEXT] = [4, 8];

function encode(quality: Quality, value: Json): { kind: number; column: unknown } {
  const kind = QUALITIES.indexOf(quality);
  if (typeof value === 'boolean') return { kind: kind + BOOL, column: value ? 1 : 0 };
  if (typeof value === 'object' && value !== null) {
    return { kind: kind + JSON_TEXT, column: JSON.stringify(value) };
  }
  return { kind, column: value };
}

export function decode(kind: number, column: unknown): { quality: Quality; value: Json } {
  const quality = QUALITIES[kind & 3] ?? 'bad';
  if ((kind & BOOL) !== 0) return { quality, value: column === 1 };
  if ((kind & JSON_TEXT) !== 0) return { quality, value: JSON.parse(String(column)) as Json };
  return { quality, value: column as Json };
}
