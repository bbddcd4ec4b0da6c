/** A row of the view query as the resource that the API shows. Pure. */
import type { Json } from '@limpet/dmi';
import type {
  Desired,
  DeviceState,
  DeviceStatus,
  FieldOwner,
  Kind,
  Metadata,
  NodeFacts,
  PropertyTwin,
  Reason,
  Reported,
  Resource,
  Stages,
} from '@limpet/dmi/manifest';
import type { Judged } from './mirrors.ts';
import type { StoredDoc } from './objects.ts';

/** What view.ts selects for one object; texts are JSON. Times in ms since 1970. */
export interface ViewRow {
  readonly kind: Kind;
  readonly id: string;
  readonly uid: string;
  readonly doc: string;
  readonly version: number;
  readonly generation: number;
  readonly created: number;
  readonly pos: number;
  readonly born: number;
  readonly state: DeviceState | null;
  readonly reason: string | null;
  readonly last_seen: number | null;
  readonly node_state: 'online' | 'offline' | null;
  readonly node_seen: number | null;
  readonly facts: string | null;
  /** Who has set which fields. */
  readonly owners: string | null;
  /** {property: [value, rev, accepted, expires]} */
  readonly orders: string | null;
  /** {property: [reported, judged]} */
  readonly mirrors: string | null;
  /** Names of the model's properties; empty when there is no such model. */
  readonly properties: string | null;
}

type OrderParts = readonly [value: Json, rev: number, accepted: number, expires: number | null];
type MirrorParts = readonly [reported: Reported<number> | null, judged: Judged | null];

/** What the API adds to a document. */
export interface ServerMetadata {
  readonly uid: string;
  readonly version: number;
  readonly generation: number;
  readonly created: number;
}

export function compose(row: ViewRow): Resource {
  const owners = row.owners === null ? {} : { managedFields: parse<FieldOwner[]>(row.owners) };
  const doc = withMetadata(JSON.parse(row.doc) as StoredDoc, row, owners);
  switch (doc.kind) {
    case 'DeviceModel':
      return doc;
    case 'Node':
      return {
        ...doc,
        status: {
          state: row.node_state ?? 'offline',
          ...(row.node_seen !== null && { lastSeen: iso(row.node_seen) }),
          ...(row.facts !== null && { facts: JSON.parse(row.facts) as NodeFacts }),
        },
      };
    case 'Device': {
      const orders = parse<Record<string, OrderParts>>(row.orders);
      const wanted = Object.entries(orders).filter(([, [value]]) => value !== null);
      const desired = Object.fromEntries(wanted.map(([property, [value]]) => [property, value]));
      return {
        ...doc,
        spec: { ...doc.spec, ...(wanted.length > 0 && { desired }) },
        status: statusOf(row, doc.spec.node, new Map(wanted)),
      };
    }
  }
}

/** The document as the API shows it, without status. */
export function withMetadata<Doc extends StoredDoc>(
  doc: Doc,
  server: ServerMetadata,
  owners: Pick<Metadata, 'managedFields'> = {},
): Doc {
  const { uid, version, generation, created } = server;
  return {
    ...doc,
    metadata: {
      ...doc.metadata,
      uid,
      generation,
      resourceVersion: String(version),
      creationTimestamp: iso(created).replace(/\.\d+Z$/, 'Z'),
      ...owners,
    },
  };
}

function statusOf(
  row: ViewRow,
  node: string,
  orders: ReadonlyMap<string, OrderParts>,
): DeviceStatus {
  const away = row.node_state === 'online' ? undefined : nodeAway(row, node);
  const reason = away ?? (row.reason === null ? undefined : (JSON.parse(row.reason) as Reason));
  return {
    state: away ? 'offline' : (row.state ?? 'connecting'),
    ...(reason && { reason }),
    ...(row.last_seen !== null && { lastSeen: iso(row.last_seen) }),
    twin: twinOf(row, orders, away),
  };
}

function twinOf(
  row: ViewRow,
  orders: ReadonlyMap<string, OrderParts>,
  away: Reason | undefined,
): DeviceStatus['twin'] {
  const mirrors = new Map(Object.entries(parse<Record<string, MirrorParts>>(row.mirrors)));
  const modelled = JSON.parse(row.properties ?? '[]') as readonly string[];
  const names = modelled.length > 0 ? modelled : new Set([...mirrors.keys(), ...orders.keys()]);
  const twin = new Map<string, PropertyTwin>();
  for (const name of names) {
    const [reported, judged] = mirrors.get(name) ?? [null, null];
    const order = orders.get(name);
    if (!reported && !order) continue;
    twin.set(name, {
      ...(reported && { reported: reportedOf(reported, away) }),
      ...(order && { desired: desiredOf(order, judged) }),
    });
  }
  return Object.fromEntries(twin);
}

/** While the node is away nobody knows what its devices do. */
function nodeAway(row: ViewRow, node: string): Reason {
  if (row.node_seen === null) {
    const message = `Node "${node}" has never connected: start its edge with this name and this cloud.`;
    return { code: 'NODE_UNKNOWN', message };
  }
  const message = `Node "${node}" is offline: check its power and its link to the cloud.`;
  return { code: 'NODE_OFFLINE', message };
}

function reportedOf({ at, ...reported }: Reported<number>, away: Reason | undefined): Reported {
  if (away && reported.quality === 'good') {
    return { ...reported, at: iso(at), quality: 'stale', reason: away };
  }
  return { ...reported, at: iso(at) };
}

function desiredOf([value, rev, accepted, expires]: OrderParts, judged: Judged | null): Desired {
  const now = judged?.rev === rev ? judged : undefined;
  return {
    value,
    rev,
    verdict: now?.verdict ?? 'pending',
    ...(now?.reason && { reason: now.reason }),
    ...(expires !== null && { expires: iso(expires) }),
    stages: stagesOf(accepted, now?.stages ?? {}),
  };
}

function stagesOf(accepted: number, { stored, sent, confirmed }: Judged['stages']): Stages {
  return {
    accepted: iso(accepted),
    ...(stored !== undefined && { stored: iso(stored) }),
    ...(sent !== undefined && { sent: iso(sent) }),
    ...(confirmed !== undefined && { confirmed: iso(confirmed) }),
  };
}

function parse<T extends object>(text: string | null): T {
  return JSON.parse(text ?? '{}') as T;
}

/** RFC 3339 with ms, UTC; a time that a calendar cannot say (a broken clock) is shown as the epoch. */
function iso(ms: number): string {
  const date = new Date(ms);
  return (Number.isNaN(date.getTime()) ? new Date(0) : date).toISOString();
}
