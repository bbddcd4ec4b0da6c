/**
 * Writes pages of edges' state into the store, inside a transaction: what they say of properties and devices is gathered from
 * all of them and written together, resources one by one.
 */
import type { DeviceRow, Id, PropertyRow, ResourceRow, StateRow } from '#protocol';
import { MAX_REV } from '../store/line.ts';
import { type Condition, type Mirror, type Spot, spotKey, WHOLE } from '../store/mirrors.ts';
import type { Owned } from '../store/objects.ts';
import type { Writing } from '../store/store.ts';
import type { Said } from '../history/past.ts';
import { applyResource, type Changes } from './apply-resource.ts';
import { mergeProperty } from './merge.ts';

/** Rows that were not taken, by reason. */
export interface Ignored {
  /** About devices of other nodes. */
  foreign: number;
  /** About devices or properties that nobody declared, beyond what is kept until somebody does. */
  unknown: number;
  /** Documents that are not well formed, revs from a future that cannot be, names beyond what is kept. */
  invalid: number;
}

/** One page of one node. */
export interface ReportPage {
  readonly node: string;
  readonly rows: readonly StateRow[];
  /** How far the node has come with it. */
  readonly to: number;
  /** Rows about undeclared devices that the node may still leave. */
  readonly strays: number;
}

export interface PageTaken {
  /** What is left of them. */
  readonly strays: number;
  readonly ignored: Ignored;
}

/** One transaction's pages. */
export async function applyReports(
  tx: Writing,
  pages: readonly ReportPage[],
): Promise<readonly PageTaken[]> {
  const draft = new Draft(tx);
  await draft.look(pages);
  const taken: PageTaken[] = [];
  for (const page of pages) taken.push(await new PageReader(draft, page).take());
  await draft.flush();
  const lastSeen = tx.now();
  await tx.nodes.progress(pages.map(({ node, to }) => ({ node, seq: to, lastSeen })));
  return taken;
}

/** What the database has, as far as the pages speak of it, and what is to be written. */
class Draft implements Changes {
  readonly tx: Writing;
  readonly #owners = new Map<Id, Owned | undefined>();
  readonly #mirrors = new Map<string, Mirror>();
  /** What the pages say of properties. */
  #properties: readonly PropertyRow[] = [];
  /** Revs of desired values, by {@link orderKey}. */
  readonly #orders = new Map<string, number>();
  #dirty = new Map<string, readonly [Spot, Mirror]>();
  #conditions = new Map<number, Condition>();
  #changed = new Map<Id, Owned>();
  /** What of it is news for history, in the order in which it came. */
  #said: Said[] = [];

  constructor(tx: Writing) {
    this.tx = tx;
  }

  async look(pages: readonly ReportPage[]): Promise<void> {
    const rows = pages.flatMap((page) => page.rows).filter((row) => row.kind !== 'resource');
    const devices = [...new Set(rows.map(({ device }) => device))];
    for (const device of devices) this.#owners.set(device, undefined);
    for (const owned of await this.tx.objects.owned(devices)) this.#owners.set(owned.id, owned);
    this.#properties = rows.filter((row) => row.kind === 'property');
    await this.#lookAt(this.#properties);
  }

  async #lookAt(rows: readonly PropertyRow[]): Promise<void> {
    const { mirrors, desired, names } = this.tx;
    const spots = new Map<string, Spot>();
    const ordered = new Map<string, readonly [string, string]>();
    for (const { device, property } of rows) {
      const dev = this.#owners.get(device)?.n;
      const prop = names.known(property);
      if (dev !== undefined && prop !== undefined) spots.set(spotKey({ dev, prop }), { dev, prop });
      ordered.set(orderKey(device, property), [device, property]);
    }
    for (const key of spots.keys()) this.#mirrors.delete(key);
    for (const key of ordered.keys()) this.#orders.delete(key);
    for (const [key, mirror] of await mirrors.many([...spots.values()])) {
      this.#mirrors.set(key, mirror);
    }
    for (const { device, property, rev } of await desired.many([...ordered.values()])) {
      this.#orders.set(orderKey(device, property), rev);
    }
  }

  owner(device: Id): Owned | undefined {
    return this.#owners.get(device);
  }

  rev(device: Id, property: string): number | undefined {
    return this.#orders.get(orderKey(device, property));
  }

  ordered(device: Id, property: string, rev: number): void {
    this.#orders.set(orderKey(device, property), rev);
  }

  mirror(spot: Spot): Mirror | undefined {
    return this.#mirrors.get(spotKey(spot));
  }

  putMirror(owned: Owned, spot: Spot, mirror: Mirror): void {
    this.#mirrors.set(spotKey(spot), mirror);
    this.#dirty.set(spotKey(spot), [spot, mirror]);
    this.#changed.set(owned.id, owned);
  }

  said(said: Said): void {
    if (this.tx.past) this.#said.push(said);
  }

  putCondition(owned: Owned, condition: Condition): void {
    this.#conditions.set(owned.n, condition);
    this.#changed.set(owned.id, owned);
  }

  /** Before a resource changes: what was said of devices until now is on its way to disk. */
  async flush(): Promise<void> {
    const { mirrors, wanted, past } = this.tx;
    const dirty = [...this.#dirty.values()];
    const conditions = [...this.#conditions];
    const changed = [...this.#changed.values()];
    const said = this.#said;
    this.#said = [];
    this.#dirty = new Map();
    this.#conditions = new Map();
    this.#changed = new Map();
    await mirrors.put(dirty);
    await mirrors.putConditions(conditions);
    await past?.said(said);
    await wanted.observedDevices(changed);
  }

  /** A device was declared, moved or removed: what is known of it is looked up again. */
  async refresh(device: Id): Promise<void> {
    const [owned] = await this.tx.objects.owned([device]);
    this.#owners.set(device, owned);
    await this.#lookAt(this.#properties.filter((row) => row.device === device));
  }

  /** A model changed: properties of its devices may have come back. */
  remodelled(): Promise<void> {
    return this.#lookAt(this.#properties);
  }
}

class PageReader {
  readonly ignored: Ignored = { foreign: 0, unknown: 0, invalid: 0 };
  readonly #draft: Draft;
  readonly #page: ReportPage;
  #strays: number;

  constructor(draft: Draft, page: ReportPage) {
    this.#draft = draft;
    this.#page = page;
    this.#strays = page.strays;
  }

  async take(): Promise<PageTaken> {
    const { node, rows } = this.#page;
    for (const row of rows) {
      if (row.kind !== 'resource') await this.#said(row);
      else if (row.rev > MAX_REV) this.ignored.invalid++;
      else await this.#resource(node, row);
    }
    return { strays: this.#strays, ignored: this.ignored };
  }

  async #resource(node: string, row: ResourceRow): Promise<void> {
    const { tx } = this.#draft;
    const outcome = await applyResource({ tx, node, changes: this.#draft }, row);
    if (outcome === 'foreign' || outcome === 'invalid') this.ignored[outcome]++;
    if (outcome !== 'changed') return;
    if (row.type === 'Device') await this.#draft.refresh(row.id);
    else await this.#draft.remodelled();
  }

  /** An edge speaks for its own devices only; of what is not declared (a device, a property) the cloud listens for a while. */
  async #said(row: PropertyRow | DeviceRow): Promise<void> {
    const owned = this.#draft.owner(row.device);
    if (owned?.node === this.#page.node) {
      if (row.kind === 'device') return this.#draft.putCondition(owned, conditionOf(row));
      const has = await this.#draft.tx.declared.of(owned.model);
      if (has?.has(row.property) !== false) return this.#property(owned, row);
    } else if (owned !== undefined) {
      this.ignored.foreign++;
      return;
    }
    await this.#stray(row);
  }

  async #property(owned: Owned, row: PropertyRow): Promise<void> {
    const { tx } = this.#draft;
    const prop = await tx.names.number(row.property);
    if (prop === undefined || (row.desired && row.desired.rev > MAX_REV)) {
      this.ignored.invalid++;
      return;
    }
    const spot = { dev: owned.n, prop };
    const held = this.#draft.mirror(spot);
    const merged = this.#merge(row, held);
    if (merged.changed) {
      this.#draft.putMirror(owned, spot, merged.mirror);
      const { reported } = merged.mirror;
      const { property, seq } = row;
      const { model } = owned;
      if (reported)
        this.#draft.said({ ...spot, property, model, reported, before: held?.reported, seq });
    }
    if (merged.adopted) await this.#adopt(row, merged.adopted);
  }

  /** What is kept already may change without end; of what is not, so much is taken. */
  async #stray(row: PropertyRow | DeviceRow): Promise<void> {
    const { mirrors } = this.#draft.tx;
    const { node } = this.#page;
    const { device } = row;
    if (row.kind === 'property' && row.desired && row.desired.rev > MAX_REV) {
      this.ignored.invalid++;
      return;
    }
    const place = { node, device, property: row.kind === 'device' ? WHOLE : row.property };
    const held = await mirrors.stray(place);
    if (held === undefined && this.#strays <= 0) {
      this.ignored.unknown++;
      return;
    }
    if (held === undefined) this.#strays--;
    if (row.kind === 'device') return mirrors.putStray(place, conditionOf(row));
    const merged = this.#merge(row, held);
    if (merged.changed) await mirrors.putStray(place, merged.mirror);
    if (merged.adopted) await this.#adopt(row, merged.adopted);
  }

  #merge(row: PropertyRow, mirror: Mirror | undefined): ReturnType<typeof mergeProperty> {
    return mergeProperty(row, { mirror, rev: this.#draft.rev(row.device, row.property) });
  }

  async #adopt(
    { device, property }: PropertyRow,
    { value, rev, expires, stages }: NonNullable<PropertyRow['desired']>,
  ): Promise<void> {
    const { wanted, line } = this.#draft.tx;
    line.saw(rev);
    const order = { device, property, node: this.#page.node, value, rev, expires };
    await wanted.order({ ...order, accepted: stages.accepted });
    this.#draft.ordered(device, property, rev);
  }
}

function conditionOf({ state, reason, lastSeen }: DeviceRow): Condition {
  return { state, ...(reason && { reason }), ...(lastSeen !== undefined && { lastSeen }) };
}

function orderKey(device: Id, property: string): string {
  return `${device} ${property}`;
}
