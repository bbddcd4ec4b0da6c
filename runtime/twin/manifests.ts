/**
 * What follows from manifest files of this node: pure. Like `kubectl apply`, a file acts where its content
 * changed since it was last applied, so an old file does not overrule newer orders of the cloud.
 */
import { type Json } from '@limpet/dmi';
import {
  type Device,
  type DeviceModel,
  type Id,
  nextRev,
  type ResourceRow,
  type WantedResource,
} from '@limpet/dmi/manifest';
import { createHash } from 'node:crypto';
import { newDesired, sameJson } from './twin.ts';
import { type Twins } from './twins.ts';
import { type Order } from './wanted.ts';

/** What was last applied of one resource of one source. */
export interface ManifestRecord {
  readonly source: string;
  readonly type: ResourceRow['type'];
  readonly id: Id;
  readonly hash: string;
  readonly desired: Readonly<Record<string, Json>>;
}

/** `present`: false when the source no longer has it. */
export interface ManifestChange {
  readonly record: ManifestRecord;
  readonly present: boolean;
}

export interface ManifestNews {
  readonly resources: readonly ResourceRow[];
  readonly orders: readonly Order[];
  readonly changes: readonly ManifestChange[];
  readonly highest: number;
}

/** How a source is applied. */
export interface ApplyOptions {
  /** Whether what the source no longer has goes away: not while part of it could not be read. Default true. */
  readonly prune?: boolean;
  /**
   * When a document was written, ms since 1970. What this store has never heard of is ordered as of then, so that
   * after the loss of a store an old file does not overrule what was ordered since. Default: now.
   */
  readonly writtenAt?: (doc: Device | DeviceModel) => number;
  /** The store began empty, and what it knows came from the cloud just now: `writtenAt` counts against that too. */
  readonly refill?: boolean;
}

interface Applied extends ApplyOptions {
  readonly docs: readonly (Device | DeviceModel)[];
  readonly source: string;
  readonly records: readonly ManifestRecord[];
}

export function manifestNews(
  twins: Twins,
  applied: Applied,
  at: { readonly now: number; readonly highest: number },
): ManifestNews {
  const revs = new Revs(at);
  const own = applied.records.filter(({ source }) => source === applied.source);
  const gone = new Map(own.map((record) => [keyOf(record), record]));
  const news: ManifestNews[] = [];
  for (const doc of applied.docs) {
    const record = recordOf(applied.source, doc);
    const before = gone.get(keyOf(record));
    const writtenAt = Math.min(applied.writtenAt?.(doc) ?? at.now, at.now);
    const refill = applied.refill ?? false;
    news.push(present(twins, { doc, record, before, writtenAt, refill }, revs));
    gone.delete(keyOf(record));
  }
  const pruned = applied.prune === false ? [] : gone.values();
  for (const record of pruned) news.push(absent(twins, record, applied.records, revs));
  return {
    resources: news.flatMap(({ resources }) => resources),
    orders: news.flatMap(({ orders }) => orders),
    changes: news.flatMap(({ changes }) => changes),
    highest: revs.highest,
  };
}

class Revs {
  readonly now: number;
  highest: number;

  constructor({ now, highest }: { readonly now: number; readonly highest: number }) {
    this.now = now;
    this.highest = highest;
  }

  next(): number {
    this.highest = nextRev(this.highest, this.now, 'edge');
    return this.highest;
  }

  /** The rev of something never heard of here, as of when it was written. */
  first(writtenAt: number): number {
    const rev = nextRev(0, writtenAt, 'edge');
    this.highest = Math.max(this.highest, rev);
    return rev;
  }
}

interface Compared {
  readonly doc: Device | DeviceModel;
  readonly record: ManifestRecord;
  readonly before: ManifestRecord | undefined;
  readonly writtenAt: number;
  readonly refill: boolean;
}

function present(twins: Twins, compared: Compared, revs: Revs): ManifestNews {
  const { doc, record, before, writtenAt, refill } = compared;
  const entry = twins.resources[record.type].get(record.id);
  const held = entry?.doc;
  const wanted = wantedOf(doc);
  const fresh = before?.hash !== record.hash;
  const moved = fresh && !sameJson(asJson(held), asJson(wanted));
  const changed = fresh || !sameJson(before.desired, record.desired);
  return {
    resources: moved
      ? [resourceRow(record, entry && !refill ? revs.next() : revs.first(writtenAt), wanted)]
      : [],
    orders: newOrders(twins, compared, revs),
    changes: changed ? [{ record, present: true }] : [],
    highest: revs.highest,
  };
}

function absent(
  twins: Twins,
  record: ManifestRecord,
  records: readonly ManifestRecord[],
  revs: Revs,
): ManifestNews {
  const key = keyOf(record);
  const elsewhere = records.some((each) => each.source !== record.source && keyOf(each) === key);
  const held = twins.resources[record.type].get(record.id)?.doc;
  return {
    resources: held && !elsewhere ? [resourceRow(record, revs.next(), null)] : [],
    orders: [],
    changes: [{ record, present: false }],
    highest: revs.highest,
  };
}

/** Values that the file now gives differently, and those that it no longer gives. */
function newOrders(
  twins: Twins,
  { record, before, writtenAt, refill }: Compared,
  revs: Revs,
): readonly Order[] {
  const withdrawn = Object.keys(before?.desired ?? {}).filter((name) => !(name in record.desired));
  const values: [string, Json][] = [
    ...Object.entries(record.desired).filter(
      ([name, value]) => !sameJson(before?.desired[name], value),
    ),
    ...withdrawn.map((name): [string, Json] => [name, null]),
  ];
  return values
    .filter(([name, value]) => {
      const held = twins.property(record.id, name)?.twin.desired;
      return !sameJson(held?.value ?? null, value);
    })
    .map(([property, value]) => {
      const known = twins.property(record.id, property)?.twin.desired !== undefined;
      const rev = known && !refill ? revs.next() : revs.first(writtenAt);
      const desired = newDesired({ value, rev, accepted: revs.now }, revs.now, undefined);
      return { device: record.id, property, desired, deadline: undefined };
    });
}

/** The document as it is stored: what the server or the twin adds is left out. */
function wantedOf(doc: Device | DeviceModel): WantedResource {
  const { name, namespace, labels, annotations } = doc.metadata;
  const metadata = {
    name,
    namespace: namespace ?? 'default',
    ...(labels && { labels }),
    ...(annotations && { annotations }),
  };
  if (doc.kind === 'DeviceModel') {
    return { apiVersion: doc.apiVersion, kind: doc.kind, metadata, spec: doc.spec };
  }
  const { desired: _orders, ...spec } = doc.spec;
  return { apiVersion: doc.apiVersion, kind: doc.kind, metadata, spec };
}

function recordOf(source: string, doc: Device | DeviceModel): ManifestRecord {
  return {
    source,
    type: doc.kind,
    id: `${doc.metadata.namespace ?? 'default'}/${doc.metadata.name}`,
    hash: createHash('sha256')
      .update(canonical(asJson(wantedOf(doc))))
      .digest('base64url'),
    desired: doc.kind === 'Device' ? (doc.spec.desired ?? {}) : {},
  };
}

function resourceRow(record: ManifestRecord, rev: number, doc: WantedResource | null): ResourceRow {
  return { kind: 'resource', type: record.type, id: record.id, rev, doc };
}

function keyOf({ type, id }: ManifestRecord): string {
  return `${type}/${id}`;
}

/** JSON with sorted keys: the same content has the same text. */
function canonical(value: Json | undefined): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

function asJson(doc: WantedResource | null | undefined): Json | undefined {
  return doc as unknown as Json | undefined;
}
