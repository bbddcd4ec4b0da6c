/** What a node has to be told, in order of position: the source of `desire` pages. */
import type { Database, Statement } from 'better-sqlite3';
import type { DesiredRow, Id, ResourceRow, WantedResource, WantedRow } from '#protocol';
import type { DesiredValues, Order } from './desired.ts';
import type { Objects } from './objects.ts';
import { ANY_NODE } from './tombstones.ts';

/** One place in the stream; {@link WantedStream.rows} says what to send for it. */
export interface WantedItem {
  readonly pos: number;
  readonly what: 'Device' | 'DeviceModel' | 'desired' | 'gone';
  /** Of the device or model. */
  readonly id: Id;
  /** Of a desired value its property; of a tombstone its kind. */
  readonly part: string;
  readonly rev: number;
}

export class WantedStream {
  readonly #after: Statement<[Record<string, string | number>], WantedItem>;
  readonly #objects: Objects;
  readonly #desired: DesiredValues;

  constructor(db: Database, objects: Objects, desired: DesiredValues) {
    this.#objects = objects;
    this.#desired = desired;
    // Each part stands on an index in order of pos, so a node that is up to date costs four look-ups.
    this.#after = db.prepare(`
      SELECT * FROM (SELECT pos, 'Device' what, id, '' part, rev FROM objects
        WHERE kind = 'Device' AND node = @node AND pos > @after ORDER BY pos LIMIT @limit)
      UNION ALL
      SELECT * FROM (SELECT pos, 'desired', device, property, rev FROM desired
        WHERE node = @node AND pos > @after ORDER BY pos LIMIT @limit)
      UNION ALL
      SELECT * FROM (SELECT pos, 'gone', id, kind, rev FROM tombstones
        WHERE node = @node AND pos > @after ORDER BY pos LIMIT @limit)
      UNION ALL
      SELECT * FROM (SELECT pos, 'gone', id, kind, rev FROM tombstones
        WHERE node = '${ANY_NODE}' AND pos > @after ORDER BY pos LIMIT @limit)
      UNION ALL
      SELECT * FROM (SELECT pos, 'DeviceModel', id, '', rev FROM objects model
        WHERE kind = 'DeviceModel' AND node IS NULL AND pos > @after AND EXISTS (SELECT 1 FROM objects device
          WHERE device.kind = 'Device' AND device.namespace = model.namespace AND device.model = model.name
            AND device.node = @node)
        ORDER BY pos LIMIT @limit)
      ORDER BY pos LIMIT @limit`);
  }

  /** The next places after position `after` for this node. */
  after(node: string, after: number, limit: number): readonly WantedItem[] {
    return this.#after.all({ node, after, limit });
  }

  /** A device goes with its model and all its desired values, so that a node that never had it can start it. */
  rows(item: WantedItem, now: number): readonly WantedRow[] {
    switch (item.what) {
      case 'gone':
        return [gone(item)];
      case 'desired': {
        const order = this.#desired.get(item.id, item.part);
        // Without its device a desired value only keeps its rev: the tombstone says the rest.
        if (order === undefined || !this.#objects.has('Device', item.id)) return [];
        return [desiredRow(order, now)];
      }
      case 'DeviceModel':
        return this.#resource('DeviceModel', item.id);
      case 'Device': {
        const device = this.#resource('Device', item.id);
        const doc = device[0]?.doc;
        if (doc?.kind !== 'Device') return [];
        const model = `${doc.metadata.namespace ?? 'default'}/${doc.spec.model}`;
        const orders = this.#desired.of(item.id).map((order) => desiredRow(order, now));
        return [...this.#resource('DeviceModel', model), ...device, ...orders];
      }
    }
  }

  #resource(type: WantedResource['kind'], id: Id): readonly ResourceRow[] {
    const object = this.#objects.get(type, id);
    if (object === undefined || object.doc.kind === 'Node') return [];
    return [{ kind: 'resource', type, id, rev: object.rev, doc: object.doc }];
  }
}

function gone({ id, part, rev }: WantedItem): ResourceRow {
  return { kind: 'resource', type: part as WantedResource['kind'], id, rev, doc: null };
}

function desiredRow(order: Order, now: number): DesiredRow {
  const { device, property, value, rev, accepted, expires } = order;
  return {
    kind: 'desired',
    device,
    property,
    value,
    rev,
    accepted,
    ...(expires !== undefined && { expires, ttl: Math.max(0, expires - now) }),
  };
}
