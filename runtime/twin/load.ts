/** Reads the whole content of the store's file, once, at start. Throws on what should never be in it: that is damage. */
import { type Json } from '@limpet/dmi';
import {
  type Id,
  type PropertyTwin,
  type ResourceRow,
  type WantedResource,
} from '@limpet/dmi/manifest';
import { type Database } from 'better-sqlite3';
import { type ManifestRecord } from './manifests.ts';

/** Where the edge stands: `cloud` in the cloud's stream, `highest` of all revs it ever saw. */
export interface Cursor {
  readonly cloud: number;
  readonly highest: number;
}

export interface Content {
  readonly cursor: Cursor;
  readonly resources: readonly StoredResource[];
  readonly devices: readonly { readonly id: Id; readonly lastSeen: number | undefined }[];
  readonly properties: readonly StoredProperty[];
  readonly manifests: readonly ManifestRecord[];
}

interface StoredResource {
  readonly type: ResourceRow['type'];
  readonly id: Id;
  readonly rev: number;
  readonly doc: WantedResource | null;
}

interface StoredProperty {
  readonly device: Id;
  readonly name: string;
  readonly twin: PropertyTwin<number>;
  readonly deadline: number | undefined;
  readonly readBack: Json | undefined;
}

export function load(db: Database): Content {
  const cursor = db.prepare('SELECT cloud, highest FROM cursor').get() as Cursor | undefined;
  if (!cursor) throw new TypeError('the cursor row is missing');
  return {
    cursor,
    resources: resources(db),
    devices: devices(db),
    properties: properties(db),
    manifests: manifests(db),
  };
}

function resources(db: Database): StoredResource[] {
  const rows = db.prepare('SELECT type, id, rev, doc FROM resource ORDER BY rev').all();
  return (rows as (Omit<StoredResource, 'doc'> & { doc: string | null })[]).map((row) => {
    if (row.type !== 'Device' && row.type !== 'DeviceModel') {
      throw new TypeError('a resource has an unknown type');
    }
    return { ...row, doc: (parse(row.doc) ?? null) as WantedResource | null };
  });
}

function devices(db: Database): Content['devices'] {
  const rows = db.prepare('SELECT id, last_seen FROM device').all();
  return (rows as { id: Id; last_seen: number | null }[]).map(({ id, last_seen }) => ({
    id,
    lastSeen: last_seen ?? undefined,
  }));
}

interface PropertyColumns {
  readonly device: Id;
  readonly name: string;
  readonly reported: string | null;
  readonly desired: string | null;
  readonly deadline: number | null;
  readonly read_back: string | null;
}

function properties(db: Database): StoredProperty[] {
  const rows = db.prepare('SELECT * FROM property').all() as PropertyColumns[];
  return rows.map(({ device, name, reported, desired, deadline, read_back }) => ({
    device,
    name,
    twin: {
      ...(reported !== null && { reported: JSON.parse(reported) }),
      ...(desired !== null && { desired: JSON.parse(desired) }),
    } as PropertyTwin<number>,
    deadline: deadline ?? undefined,
    readBack: parse(read_back),
  }));
}

function manifests(db: Database): ManifestRecord[] {
  const rows = db.prepare('SELECT source, type, id, hash, desired FROM manifest').all();
  return (rows as (Omit<ManifestRecord, 'desired'> & { desired: string })[]).map((row) => ({
    ...row,
    desired: JSON.parse(row.desired) as ManifestRecord['desired'],
  }));
}

function parse(column: string | null): Json | undefined {
  return column === null ? undefined : (JSON.parse(column) as Json);
}
