/**
 * What follows from news of what is wanted, as a plan: pure, so that the disk takes all of it or none before
 * memory changes. Per key the highest rev wins, in whatever order and however often news arrives.
 */
import {
  type Desired,
  type Device,
  type DeviceModel,
  type Id,
  type PropertyTwin,
  type ResourceRow,
} from '@limpet/dmi/manifest';
import { modelIdOf, type PropertyEntry, type Twins } from './twins.ts';

/** A desired value with the time, by the edge's wall clock, at which it runs out. */
export interface Order {
  readonly device: Id;
  readonly property: string;
  readonly desired: Desired<number>;
  readonly deadline: number | undefined;
}

export interface WantedPlan {
  readonly resources: readonly ResourceRow[];
  /** Devices whose twins go. */
  readonly removed: readonly Id[];
  /** Twins of properties that the model no longer has. */
  readonly dropped: readonly PropertyEntry[];
  /** Twins whose property has another type now: what was reported means nothing any more. */
  readonly retyped: readonly PropertyEntry[];
  readonly orders: readonly Order[];
  /** Orders for devices that are not of this node: nobody is left to execute them. */
  readonly homeless: readonly Order[];
  /** The oldest tombstones, beyond the limit. */
  readonly forgotten: readonly ResourceRow[];
}

export function planWanted(
  twins: Twins,
  news: { readonly resources: readonly ResourceRow[]; readonly orders: readonly Order[] },
  maxTombstones: number,
): WantedPlan {
  const resources = winners(twins, news.resources);
  const after = new After(twins, resources);
  const changed = changedProperties(twins, resources, after);
  const orders = latest(twins, news.orders);
  return {
    resources,
    removed: resources
      .filter(({ type, id, doc }) => type === 'Device' && doc === null && twins.devices.has(id))
      .map(({ id }) => id),
    ...changed,
    orders: orders.filter(({ device }) => after.device(device)),
    homeless: orders.filter(({ device }) => !after.device(device)),
    forgotten: surplusTombstones(twins, resources, maxTombstones),
  };
}

/** Whether the plan changes anything at all. */
export function isEmpty(plan: WantedPlan): boolean {
  return plan.resources.length === 0 && plan.orders.length === 0;
}

/** The resources as they will be. */
class After {
  readonly #twins: Twins;
  readonly #rows: Map<string, ResourceRow>;

  constructor(twins: Twins, rows: readonly ResourceRow[]) {
    this.#twins = twins;
    this.#rows = new Map(rows.map((row) => [`${row.type}/${row.id}`, row]));
  }

  device(id: Id): Device | undefined {
    const row = this.#rows.get(`Device/${id}`);
    return row ? ((row.doc ?? undefined) as Device | undefined) : this.#twins.device(id);
  }

  model(id: Id): DeviceModel | undefined {
    const row = this.#rows.get(`DeviceModel/${id}`);
    return row ? ((row.doc ?? undefined) as DeviceModel | undefined) : this.#twins.model(id);
  }
}

/** Models first, so that a device never appears before its model. */
function winners(twins: Twins, rows: readonly ResourceRow[]): readonly ResourceRow[] {
  const best = new Map<string, ResourceRow>();
  for (const row of rows) {
    const key = `${row.type}/${row.id}`;
    const rev = best.get(key)?.rev ?? twins.resources[row.type].get(row.id)?.rev ?? 0;
    if (row.rev > rev) best.set(key, row);
  }
  const all = [...best.values()];
  return [
    ...all.filter(({ type }) => type === 'DeviceModel'),
    ...all.filter(({ type }) => type === 'Device'),
  ];
}

function latest(twins: Twins, orders: readonly Order[]): readonly Order[] {
  const best = new Map<string, Order>();
  for (const order of orders) {
    const key = `${order.device}/${order.property}`;
    const held = twins.property(order.device, order.property)?.twin.desired;
    const rev = best.get(key)?.desired.rev ?? held?.rev ?? 0;
    if (order.desired.rev > rev) best.set(key, order);
  }
  return [...best.values()];
}

function changedProperties(twins: Twins, rows: readonly ResourceRow[], after: After) {
  const dropped: PropertyEntry[] = [];
  const retyped: PropertyEntry[] = [];
  const touched = new Set(rows.filter(({ doc }) => doc !== null).map(({ id, type }) => type + id));
  if (touched.size === 0) return { dropped, retyped };
  for (const [id, held] of twins.devices) {
    const device = after.device(id);
    if (!device) continue;
    const modelId = modelIdOf(device);
    if (!touched.has(`Device${id}`) && !touched.has(`DeviceModel${modelId}`)) continue;
    const model = after.model(modelId);
    // Without its model a device is only waiting for it.
    if (!model) continue;
    const types = typesOf(model);
    const before = typesOf(modelBefore(twins, id));
    for (const entry of held.entries.values()) {
      const type = types.get(entry.property);
      const was = before.get(entry.property);
      if (type === undefined) dropped.push(entry);
      else if (was !== undefined && was !== type) retyped.push(entry);
    }
  }
  return { dropped, retyped };
}

function modelBefore(twins: Twins, id: Id): DeviceModel | undefined {
  const device = twins.device(id);
  return device && twins.model(modelIdOf(device));
}

function typesOf(model: DeviceModel | undefined): ReadonlyMap<string, string> {
  return new Map(model?.spec.properties.map(({ name, type }) => [name, type]));
}

function surplusTombstones(
  twins: Twins,
  rows: readonly ResourceRow[],
  max: number,
): readonly ResourceRow[] {
  const fresh = rows.filter(({ doc }) => doc === null);
  if (fresh.length === 0) return [];
  const replaced = new Set(rows.map(({ type, id }) => `${type}/${id}`));
  const held = [...twins.resources.DeviceModel.values(), ...twins.resources.Device.values()].filter(
    ({ doc, type, id }) => doc === null && !replaced.has(`${type}/${id}`),
  );
  const all = [...held, ...fresh].toSorted((a, b) => b.rev - a.rev);
  return all
    .slice(max)
    .map(({ type, id, rev }) => ({ kind: 'resource', type, id, rev, doc: null }));
}

/** The twin without what was reported, for a property whose type changed. */
export function unreported(twin: PropertyTwin<number>): PropertyTwin<number> {
  return twin.desired ? { desired: twin.desired } : {};
}
