/** What a node has to be told, in order of position: the source of `desire` pages. */
import type { DesiredRow, Id, ResourceRow, WantedResource, WantedRow } from '#protocol';
import type { DesiredValues, Order } from './desired.ts';
import type { Objects } from './objects.ts';
import type { Sql } from './sql.ts';
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
  readonly #sql: Sql;
  readonly #objects: Objects;
  readonly #desired: DesiredValues;

  constructor(sql: Sql, objects: Objects, desired: DesiredValues) {
    this.#sql = sql;
    this.#objects = objects;
    this.#desired = desired;
  }

  /** The next places after position `after` for this node. */
  after(node: string, after: number, limit: number): Promise<readonly WantedItem[]> {
    return this.#sql.all(AFTER, node, after, limit);
  }

  /** A device goes with its model and all its desired values, so that a node that never had it can start it. */
  async rows(item: WantedItem, now: number): Promise<readonly WantedRow[]> {
    switch (item.what) {
      case 'gone':
        return [gone(item)];
      case 'desired': {
        const order = await this.#desired.get(item.id, item.part);
        // Without its device a desired value only keeps its rev: the tombstone says the rest.
        const placed = order !== undefined && (await this.#objects.has('Device', item.id));
        return placed ? [desiredRow(order, now)] : [];
      }
      case 'DeviceModel':
        return this.#resource('DeviceModel', item.id);
      case 'Device': {
        const device = await this.#resource('Device', item.id);
        const doc = device[0]?.doc;
        if (doc?.kind !== 'Device') return [];
        const model = `${doc.metadata.namespace ?? 'default'}/${doc.spec.model}`;
        const orders = (await this.#desired.of(item.id)).map((order) => desiredRow(order, now));
        return [...(await this.#resource('DeviceModel', model)), ...device, ...orders];
      }
    }
  }

  async #resource(type: WantedResource['kind'], id: Id): Promise<readonly ResourceRow[]> {
    const object = await this.#objects.get(type, id);
    const doc = object?.doc;
    if (object === undefined || (doc?.kind !== 'Device' && doc?.kind !== 'DeviceModel')) return [];
    return [{ kind: 'resource', type, id, rev: object.rev, doc }];
  }
}

/** Each part stands on an index in order of pos, so a node that is up to date costs four look-ups. */
const AFTER = `
  SELECT * FROM (SELECT pos, 'Device' what, id, '' part, rev FROM objects
    WHERE kind = 'Device' AND node = $1 AND pos > $2 ORDER BY pos LIMIT $3) a
  UNION ALL
  SELECT * FROM (SELECT pos, 'desired' what, device id, property part, rev FROM desired
    WHERE node = $1 AND pos > $2 ORDER BY pos LIMIT $3) b
  UNION ALL
  SELECT * FROM (SELECT pos, 'gone' what, id, kind part, rev FROM tombstones
    WHERE node = $1 AND pos > $2 ORDER BY pos LIMIT $3) c
  UNION ALL
  SELECT * FROM (SELECT pos, 'gone' what, id, kind part, rev FROM tombstones
    WHERE node = '${ANY_NODE}' AND pos > $2 ORDER BY pos LIMIT $3) d
  UNION ALL
  SELECT * FROM (SELECT pos, 'DeviceModel' what, id, '' part, rev FROM objects model
    WHERE kind = 'DeviceModel' AND node IS NULL AND pos > $2 AND EXISTS (SELECT 1 FROM objects device
      WHERE device.kind = 'Device' AND device.namespace = model.namespace AND device.model = model.name
        AND device.node = $1)
    ORDER BY pos LIMIT $3) e
  ORDER BY pos LIMIT $3`;

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
