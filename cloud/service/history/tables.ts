/**
 * The tables of history, the same for all engines. Samples lie in *slices* of time, a table each, so that dropping the
 * oldest is dropping a table; within one they lie by property and time. A slice begins with the last sample before it of
 * every property (a row older than the slice), so that the state at any time is found within one slice.
 */
import type { Dialect, Row, Table } from '../store/sql.ts';

export const HISTORY_SCHEMA = `
  CREATE TABLE past (one INTEGER PRIMARY KEY, began INTEGER NOT NULL);
  CREATE TABLE slices (
    id INTEGER PRIMARY KEY, since INTEGER NOT NULL, latest INTEGER NOT NULL, bytes INTEGER NOT NULL, carried INTEGER NOT NULL
  );
  CREATE TABLE series (dev INTEGER NOT NULL, prop INTEGER NOT NULL, source TEXT NOT NULL, mirrored INTEGER, PRIMARY KEY (dev, prop)) WITHOUT ROWID;
  CREATE INDEX series_prop ON series (prop, dev);
  CREATE TABLE gaps (
    dev INTEGER NOT NULL, prop INTEGER NOT NULL, since INTEGER NOT NULL, until INTEGER, cause TEXT NOT NULL,
    PRIMARY KEY (dev, prop, since)
  ) WITHOUT ROWID;
  CREATE INDEX gaps_until ON gaps (until);
  CREATE TABLE past_cursors (node TEXT PRIMARY KEY, run TEXT NOT NULL, n INTEGER NOT NULL) WITHOUT ROWID;
`;

/** `n`: of an edge's own sample its position there; of a change of a mirror, below zero. */
export interface SampleRow extends Row {
  readonly dev: number;
  readonly prop: number;
  readonly at: number;
  readonly n: number;
  /** Quality and type of the value, see values.ts. */
  readonly kind: number;
  readonly num: number | null;
  readonly text: string | null;
}

export function samplesTable(slice: number): Table<SampleRow> {
  return {
    name: `samples_${slice}`,
    columns: {
      dev: 'integer',
      prop: 'integer',
      at: 'integer',
      n: 'integer',
      kind: 'integer',
      num: 'real',
      text: 'text',
    },
    key: ['dev', 'prop', 'at', 'n'],
  };
}

/** The statement that makes a slice. */
export function sliceSchema(slice: number, dialect: Dialect): string {
  const sqlite = `CREATE TABLE samples_${slice} (
    dev INTEGER NOT NULL, prop INTEGER NOT NULL, at INTEGER NOT NULL, n INTEGER NOT NULL, kind INTEGER NOT NULL,
    num REAL, text TEXT, PRIMARY KEY (dev, prop, at, n)
  ) WITHOUT ROWID`;
  if (dialect === 'sqlite') return sqlite;
  return sqlite
    .replaceAll(' INTEGER', ' BIGINT')
    .replace(' REAL', ' DOUBLE PRECISION')
    .replace(' TEXT', ' TEXT COLLATE "C"')
    .replace(' WITHOUT ROWID', '');
}

/**
 * `since`: of the first sample that belongs to it; it ends where the next begins. `latest`: at most, of its samples. `bytes`:
 * about. `carried`: devices up to this number have their last sample before it in it.
 */
export interface SliceRow extends Row {
  readonly id: number;
  readonly since: number;
  readonly latest: number;
  readonly bytes: number;
  readonly carried: number;
}

export const SLICES: Table<SliceRow> = {
  name: 'slices',
  columns: {
    id: 'integer',
    since: 'integer',
    latest: 'integer',
    bytes: 'integer',
    carried: 'integer',
  },
  key: ['id'],
};

/**
 * A property of which there is a past, and who records it at present. `mirrored`: until when changes of the mirror were
 * recorded, before the edge's own took their place.
 */
export interface SeriesRow extends Row {
  readonly dev: number;
  readonly prop: number;
  readonly source: 'edge' | 'mirror';
  readonly mirrored: number | null;
}

export const SERIES: Table<SeriesRow> = {
  name: 'series',
  columns: { dev: 'integer', prop: 'integer', source: 'text', mirrored: 'integer' },
  key: ['dev', 'prop'],
};

/** `until` is null while it goes on. */
export interface GapRow extends Row {
  readonly dev: number;
  readonly prop: number;
  readonly since: number;
  readonly until: number | null;
  readonly cause: string;
}

export interface PastCursorRow extends Row {
  readonly node: string;
  readonly run: string;
  readonly n: number;
}

export const PAST_CURSORS: Table<PastCursorRow> = {
  name: 'past_cursors',
  columns: { node: 'text', run: 'text', n: 'integer' },
  key: ['node'],
};
