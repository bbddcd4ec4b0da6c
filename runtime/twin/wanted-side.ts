/**
 * The wanted half of the store: resources and orders. Everything here is on the disk, synced, before memory
 * changes and before the call returns; when the disk refuses, nothing has happened.
 */
import { type Clock, type Json, type Log } from '@limpet/dmi';
import {
  type DesiredRow,
  type Device,
  type DeviceModel,
  type Id,
  nextRev,
  type ResourceRow,
  type WantedRow,
} from '@limpet/dmi/manifest';
import { type Limits, refusals, sizeOf } from './admission.ts';
import { type Changes } from './changes.ts';
import {
  type ApplyOptions,
  type ManifestChange,
  manifestNews,
  type ManifestRecord,
} from './manifests.ts';
import { deadlineAt } from './restore.ts';
import { StoreError } from './store-error.ts';
import { type Cursor } from './load.ts';
import { type Tables } from './tables.ts';
import { alreadyOrdered, newDesired, sameReason, withDesired } from './twin.ts';
import { type DeviceEntry, type PropertyEntry, type Twins } from './twins.ts';
import { type Unsent } from './unsent.ts';
import { isEmpty, type Order, planWanted, unreported, type WantedPlan } from './wanted.ts';
import { rowFault } from './wanted-row.ts';
import { type Writer } from './writer.ts';

export interface Parts {
  readonly twins: Twins;
  readonly tables: Tables;
  readonly unsent: Unsent;
  readonly writer: Writer<PropertyEntry | DeviceEntry>;
  readonly changes: Changes;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: Limits;
}

interface News {
  readonly resources: readonly ResourceRow[];
  readonly orders: readonly Order[];
  readonly manifests: readonly ManifestChange[];
  readonly cursor: Cursor;
}

export class WantedSide {
  readonly #parts: Parts;
  #cursor: Cursor;
  #manifests: readonly ManifestRecord[];
  tombstonesDropped = 0;
  refusedRows = 0;
  diskErrors = 0;

  constructor(parts: Parts, cursor: Cursor, manifests: readonly ManifestRecord[]) {
    this.#parts = parts;
    this.#cursor = cursor;
    this.#manifests = manifests;
    this.#admit();
  }

  get cloud(): number {
    return this.#cursor.cloud;
  }

  merge(rows: readonly WantedRow[], to: number): void {
    const sound = this.#sound(rows);
    const now = this.#parts.clock.now();
    const orders = sound.filter((row) => row.kind === 'desired').map((row) => orderOf(row, now));
    const highest = sound.reduce((most, { rev }) => Math.max(most, rev), this.#cursor.highest);
    this.#commit({
      resources: sound.filter((row) => row.kind === 'resource'),
      orders,
      manifests: [],
      cursor: { cloud: Math.max(this.#cursor.cloud, to), highest },
    });
  }

  apply(docs: readonly (Device | DeviceModel)[], source: string, options: ApplyOptions): void {
    const at = { now: this.#parts.clock.now(), highest: this.#cursor.highest };
    const records = this.#manifests;
    const news = manifestNews(this.#parts.twins, { ...options, docs, source, records }, at);
    const { resources, orders, changes, highest } = news;
    const cursor = { ...this.#cursor, highest };
    this.#commit({ resources, orders, manifests: changes, cursor });
    this.#manifests = withChanges(this.#manifests, changes);
  }

  order(device: Id, values: ReadonlyMap<string, Json>, expiresMs?: number): number[] {
    const { entries } = this.#deviceToOrder(device);
    const now = this.#parts.clock.now();
    const deadline = expiresMs === undefined ? undefined : Math.round(now + expiresMs);
    const orders: Order[] = [];
    let { highest } = this.#cursor;
    const revs = [...values].map(([property, value]) => {
      const entry = entries.get(property);
      const present = entry?.twin.desired;
      const expires = expiresMs !== undefined || entry?.deadline !== undefined;
      if (entry && present && alreadyOrdered(entry.twin, value, { ...entry, expires })) {
        return present.rev;
      }
      const rev = (highest = nextRev(highest, now, 'edge'));
      const desired = newDesired({ value, rev, accepted: now }, now, deadline);
      orders.push({ device, property, desired, deadline });
      return rev;
    });
    this.#commit({ resources: [], orders, manifests: [], cursor: { ...this.#cursor, highest } });
    return revs;
  }

  #deviceToOrder(id: Id): DeviceEntry {
    const device = this.#parts.twins.devices.get(id);
    if (device && !device.refused) return device;
    const why = device?.refused ? `: ${device.refused.message}` : '';
    throw new StoreError('UNKNOWN_DEVICE', `this node does not run the device ${id}${why}`);
  }

  /** Rows that cannot be stored or find no room are left out and told; the others are not affected. */
  #sound(rows: readonly WantedRow[]): readonly WantedRow[] {
    const room = this.#room();
    return rows.filter((row) => {
      const fault = rowFault(row) ?? room(row);
      if (fault === undefined) return true;
      this.refusedRows++;
      const key = (row?.kind === 'desired' ? row.device : row?.id) ?? '';
      this.#parts.log.warn('wanted row refused', { code: 'WANTED_ROW', id: key, reason: fault });
      return false;
    });
  }

  /** Counts what a batch would add, so that the store's ceilings hold within a batch too. */
  #room(): (row: WantedRow) => string | undefined {
    const { twins, limits } = this.#parts;
    const full = `this node holds the most it may (${limits.nodeProperties})`;
    let properties = twins.size;
    const resources = {
      Device: twins.resources.Device.size,
      DeviceModel: twins.resources.DeviceModel.size,
    };
    const max = limits.nodeProperties + limits.tombstones;
    return (row) => {
      if (row.kind === 'resource') {
        const known = row.doc === null || twins.resources[row.type].has(row.id);
        return known || ++resources[row.type] <= max ? undefined : full;
      }
      const known = twins.property(row.device, row.property) !== undefined;
      return known || ++properties <= limits.nodeProperties ? undefined : full;
    };
  }

  #commit(news: News): void {
    const { twins, tables, limits, log } = this.#parts;
    const plan = planWanted(twins, news, limits.tombstones);
    if (plan.homeless.length > 0) {
      this.refusedRows += plan.homeless.length;
      log.warn('orders for devices of another node ignored', { count: plan.homeless.length });
    }
    const changed = !isEmpty(plan) || news.manifests.length > 0;
    const higher = news.cursor.highest !== this.#cursor.highest;
    if (!changed && !higher && news.cursor.cloud === this.#cursor.cloud) return;
    try {
      // What the cloud says again of orders that were given here: the cursor may stay behind after a loss of power.
      if (changed || higher) tables.writeWanted(plan, news.cursor, news.manifests);
      else tables.writeCursor(news.cursor);
    } catch (error) {
      this.diskErrors++;
      throw error;
    }
    this.#cursor = news.cursor;
    this.#remember(plan);
    this.#parts.writer.diskWorks();
    if (plan.resources.length > 0) this.#admit();
    this.#tell(plan);
  }

  #remember(plan: WantedPlan): void {
    const { twins } = this.#parts;
    for (const id of plan.removed) this.#removeDevice(id);
    for (const entry of plan.dropped) {
      twins.removeProperty(entry);
      this.#forget(entry);
    }
    for (const entry of plan.retyped) {
      twins.setTwin(entry, unreported(entry.twin));
      entry.carried = false;
      this.#parts.unsent.touch(entry);
    }
    for (const row of plan.resources) this.#rememberResource(row);
    for (const { type, id } of plan.forgotten) this.#forgetTombstone(type, id);
    for (const order of plan.orders) this.#rememberOrder(order);
  }

  #rememberResource({ type, id, rev, doc }: ResourceRow): void {
    const { twins, unsent, writer } = this.#parts;
    const held = twins.resources[type].get(id);
    const entry = held ?? { kind: 'resource' as const, type, id, rev, doc, seq: 0 };
    entry.rev = rev;
    entry.doc = doc;
    twins.resources[type].set(id, entry);
    unsent.touch(entry);
    if (type !== 'Device' || doc === null) return;
    const known = twins.devices.get(id);
    const device = known ?? twins.addDevice(id, { state: 'connecting' });
    // The cloud may have deleted and declared it again, and with it forgotten the mirrors: it hears all anew.
    unsent.touch(device);
    for (const property of device.entries.values()) unsent.touch(property);
    if (!known) writer.put(device);
  }

  #rememberOrder({ device, property, desired, deadline }: Order): void {
    const { twins, unsent, clock } = this.#parts;
    const held = twins.devices.get(device);
    if (!held) return;
    const entry = held.entries.get(property) ?? twins.addProperty(held, property);
    twins.setTwin(entry, withDesired(entry.twin, desired) ?? entry.twin);
    entry.deadline = deadlineAt(deadline, clock);
    entry.readBack = undefined;
    unsent.touch(entry);
  }

  #removeDevice(id: Id): void {
    const device = this.#parts.twins.devices.get(id);
    if (!device) return;
    for (const entry of device.entries.values()) this.#forget(entry);
    this.#forget(device);
    this.#parts.twins.removeDevice(device);
  }

  #forget(entry: PropertyEntry | DeviceEntry): void {
    this.#parts.unsent.forget(entry);
    this.#parts.writer.forget(entry);
  }

  #forgetTombstone(type: ResourceRow['type'], id: Id): void {
    const { twins, unsent } = this.#parts;
    const entry = twins.resources[type].get(id);
    if (!entry) return;
    twins.resources[type].delete(id);
    unsent.forget(entry);
    this.tombstonesDropped++;
  }

  /** Decides anew which devices this node can take on, and tells of those where that changed. */
  #admit(): void {
    const { twins, limits, unsent, writer, changes, log } = this.#parts;
    const refused = refusals(twins, limits);
    for (const device of twins.devices.values()) {
      const reason = refused.get(device.device);
      device.admitted = reason ? 0 : sizeOf(twins, device.device);
      if (sameReason(reason, device.refused)) continue;
      const news = device.refused?.code !== reason?.code;
      device.refused = reason;
      device.condition = reason ? { state: 'misconfigured', reason } : { state: 'connecting' };
      unsent.touch(device);
      writer.put(device);
      if (reason && news) log.error('device refused', { device: device.device, ...reason });
      changes.emit({ kind: 'device', device: device.device, condition: device.condition });
      this.#tellResource('Device', device.device);
    }
  }

  #tell(plan: WantedPlan): void {
    const { changes, twins } = this.#parts;
    for (const { type, id } of plan.resources) this.#tellResource(type, id);
    for (const { device, property, twin } of plan.retyped) {
      changes.emit({ kind: 'property', what: 'reported', device, property, twin });
    }
    for (const { device, property } of plan.orders) {
      const entry = twins.property(device, property);
      if (!entry) continue;
      changes.emit({ kind: 'property', what: 'desired', device, property, twin: entry.twin });
    }
  }

  #tellResource(type: ResourceRow['type'], id: Id): void {
    const { changes, twins } = this.#parts;
    const refused = type === 'Device' && twins.devices.get(id)?.refused !== undefined;
    const doc = refused ? null : (twins.resources[type].get(id)?.doc ?? null);
    changes.emit({ kind: 'resource', type, id, doc });
  }
}

/** The edge counts `ttl` down by its own clock; `expires`, by the cloud's clock, is only for show. */
function orderOf(row: DesiredRow, now: number): Order {
  const deadline = row.ttl === undefined ? row.expires : Math.round(now + row.ttl);
  return {
    device: row.device,
    property: row.property,
    desired: newDesired(row, now, row.expires ?? deadline),
    deadline,
  };
}

function withChanges(
  records: readonly ManifestRecord[],
  changes: readonly ManifestChange[],
): readonly ManifestRecord[] {
  const key = ({ source, type, id }: ManifestRecord): string => `${source}\n${type}/${id}`;
  const all = new Map(records.map((record) => [key(record), record]));
  for (const { record, present } of changes) {
    if (present) all.set(key(record), record);
    else all.delete(key(record));
  }
  return [...all.values()];
}
