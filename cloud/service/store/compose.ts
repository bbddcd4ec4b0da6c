/** A row of the view query as the resource that the API shows. Pure. */
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
import { type Order, orderOf } from './desired.ts';
import { type Judged, mirrorOf } from './mirrors.ts';
import type { StoredDoc } from './objects.ts';
import { statusOf as rolloutStatus } from './rollouts.ts';
import type { DesiredRow, MirrorRow } from './tables.ts';

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
  /** Of a rollout. */
  readonly progress: string | null;
}

export type NamedMirror = MirrorRow & { readonly name: string };

/** What else there is of a device. */
export interface DeviceParts {
  readonly orders: readonly DesiredRow[];
  readonly mirrors: readonly NamedMirror[];
  /** Names of the model's properties; empty when there is no such model. */
  readonly properties: readonly string[];
}

/** What the API adds to a document. */
export interface ServerMetadata {
  readonly uid: string;
  readonly version: number;
  readonly generation: number;
  readonly created: number;
}

export function compose(row: ViewRow, parts: DeviceParts): Resource {
  const fields = row.owners === null ? undefined : (JSON.parse(row.owners) as FieldOwner[]);
  const owners = fields && { managedFields: fields };
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
    case 'Rollout':
      return row.progress === null ? doc : { ...doc, status: rolloutStatus(row.progress) };
    case 'Device': {
      const wanted = parts.orders
        .map((order) => orderOf(order))
        .filter(({ value }) => value !== null);
      const desired = Object.fromEntries(wanted.map(({ property, value }) => [property, value]));
      return {
        ...doc,
        spec: { ...doc.spec, ...(wanted.length > 0 && { desired }) },
        status: statusOf(row, doc.spec.node, { ...parts, wanted }),
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

type Wanted = DeviceParts & { readonly wanted: readonly Order[] };

function statusOf(row: ViewRow, node: string, parts: Wanted): DeviceStatus {
  const away = row.node_state === 'online' ? undefined : nodeAway(row, node);
  const reason = away ?? (row.reason === null ? undefined : (JSON.parse(row.reason) as Reason));
  return {
    state: away ? 'offline' : (row.state ?? 'connecting'),
    ...(reason && { reason }),
    ...(row.last_seen !== null && { lastSeen: iso(row.last_seen) }),
    twin: twinOf(parts, away),
  };
}

function twinOf(
  { mirrors, properties, wanted }: Wanted,
  away: Reason | undefined,
): DeviceStatus['twin'] {
  const mirrored = new Map(mirrors.map((row) => [row.name, mirrorOf(row)]));
  const orders = new Map(wanted.map((order) => [order.property, order]));
  const twin = new Map<string, PropertyTwin>();
  for (const name of properties.length > 0 ? properties : anyNames(mirrored, orders)) {
    const { reported, judged } = mirrored.get(name) ?? {};
    const order = orders.get(name);
    if (!reported && !order) continue;
    twin.set(name, {
      ...(reported && { reported: reportedOf(reported, away) }),
      ...(order && { desired: desiredOf(order, judged) }),
    });
  }
  return Object.fromEntries(twin);
}

/** Without a model: whatever anybody spoke of. */
function anyNames(...parts: readonly ReadonlyMap<string, unknown>[]): ReadonlySet<string> {
  return new Set(parts.flatMap((part) => [...part.keys()]).toSorted());
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

function desiredOf(order: Order, judged: Judged | undefined): Desired {
  const { value, rev, accepted, expires } = order;
  const now = judged?.rev === rev ? judged : undefined;
  return {
    value,
    rev,
    verdict: now?.verdict ?? 'pending',
    ...(now?.reason && { reason: now.reason }),
    ...(expires !== undefined && { expires: iso(expires) }),
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

/** RFC 3339 with ms, UTC; a time that a calendar cannot say (a broken clock) is shown as the epoch. */
function iso(ms: number): string {
  const date = new Date(ms);
  return (Number.isNaN(date.getTime()) ? new Date(0) : date).toISOString();
}
