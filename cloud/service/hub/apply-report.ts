/** Writes one page of an edge's state into the store, inside a transaction. */
import { API_VERSION, checkResource, type Device } from '@limpet/dmi/manifest';
import type { DeviceRow, Id, PropertyRow, ResourceRow, StateRow } from '#protocol';
import { MAX_REV } from '../store/line.ts';
import type { StoredDoc } from '../store/objects.ts';
import type { CloudStore } from '../store/store.ts';
import { mergeProperty } from './merge.ts';

/** Rows that were not taken, by reason. */
export interface Ignored {
  /** About devices of other nodes. */
  foreign: number;
  /** About devices that nobody declared, beyond what is kept until somebody does. */
  unknown: number;
  /** Documents that are not well formed, or revs from a future that cannot be. */
  invalid: number;
}

/** Rows about undeclared devices that are kept per node; a device's own row may come after those of its properties. */
export const MAX_STRAYS = 50_000;

export class ReportPage {
  readonly ignored: Ignored = { foreign: 0, unknown: 0, invalid: 0 };
  readonly #store: CloudStore;
  readonly #node: string;
  readonly #changed = new Set<Id>();
  /** Rows of undeclared devices that this node still may leave. */
  #strays: number;

  constructor(store: CloudStore, node: string, strays: number) {
    this.#store = store;
    this.#node = node;
    this.#strays = strays;
  }

  /** Returns how many rows about undeclared devices the node may leave after this page. */
  apply(rows: readonly StateRow[]): number {
    for (const row of rows) this.#apply(row);
    for (const device of this.#changed) this.#store.wanted.observed('Device', device);
    return this.#strays;
  }

  #apply(row: StateRow): void {
    switch (row.kind) {
      case 'property':
        if (this.#mine(row.device)) this.#property(row);
        return;
      case 'device':
        if (this.#mine(row.device)) this.#device(row);
        return;
      case 'resource':
        if (row.rev > MAX_REV) this.ignored.invalid++;
        else if (row.type === 'Device') this.#deviceDoc(row);
        else this.#modelDoc(row);
    }
  }

  /** An edge speaks for its own devices only; of an undeclared one the cloud listens for a while. */
  #mine(device: Id): boolean {
    const owner = this.#store.objects.nodeOf(device);
    if (owner === this.#node) return true;
    if (owner !== undefined) {
      this.ignored.foreign++;
      return false;
    }
    if (this.#strays <= 0) {
      this.ignored.unknown++;
      return false;
    }
    this.#strays--;
    return true;
  }

  #property(row: PropertyRow): void {
    const { mirrors, desired, wanted, line } = this.#store;
    const { device, property } = row;
    if (row.desired && row.desired.rev > MAX_REV) {
      this.ignored.invalid++;
      return;
    }
    const rev = desired.get(device, property)?.rev;
    const merged = mergeProperty(this.#node, row, { mirror: mirrors.get(device, property), rev });
    if (merged.changed) {
      mirrors.put(device, property, merged.mirror);
      this.#changed.add(device);
    }
    if (!merged.adopted) return;
    const { value, rev: adopted, expires, stages } = merged.adopted;
    line.saw(adopted);
    const order = { device, property, node: this.#node, value, rev: adopted, expires };
    wanted.order({ ...order, accepted: stages.accepted });
  }

  #device({ device, state, reason, lastSeen }: DeviceRow): void {
    this.#store.mirrors.putCondition(device, {
      node: this.#node,
      state,
      ...(reason && { reason }),
      ...(lastSeen !== undefined && { lastSeen }),
    });
    this.#changed.add(device);
  }

  #deviceDoc(row: ResourceRow): void {
    const { objects, wanted } = this.#store;
    const owner = objects.nodeOf(row.id);
    if (row.doc === null) {
      // Of a device elsewhere this is only the echo of its having moved away.
      if (owner === this.#node) this.#gone(row);
      return;
    }
    const { doc } = row;
    const allowed = doc.kind === 'Device' && this.#mayDeclare(row, doc, owner);
    if (!allowed) this.ignored.foreign++;
    else if (this.#newer(row)) {
      this.#adopt(row.id, withoutDesired(doc), row.rev);
      return;
    }
    const rev = objects.get('Device', row.id)?.rev ?? 0;
    const moved = owner !== undefined && owner !== this.#node && rev > row.rev;
    if (moved) wanted.bury(this.#node, 'Device', row.id, rev);
  }

  /** Another node's device only with a rev of ours (even): a move that the cloud made and lost, restored from an older copy. */
  #mayDeclare({ rev }: ResourceRow, { spec }: Device, owner: string | undefined): boolean {
    if (spec.node !== this.#node) return false;
    return owner === undefined || owner === this.#node || rev % 2 === 0;
  }

  #modelDoc(row: ResourceRow): void {
    const { doc } = row;
    if (doc === null) this.#gone(row);
    else if (this.#newer(row)) this.#adopt(row.id, doc, row.rev);
  }

  /** At the same rev a document beats its deletion: the one is the move to a node, the other the move away from the last. */
  #newer({ type, id, rev }: ResourceRow): boolean {
    const { objects, deletions, wanted } = this.#store;
    const held = objects.get(type, id);
    if (held) return rev > held.rev;
    const deletion = deletions.get(type, id);
    if (deletion === undefined || rev >= deletion.rev) return true;
    // It was deleted while this edge, or its disk, was elsewhere.
    wanted.bury(this.#node, type, id, deletion.rev);
    return false;
  }

  #gone({ type, id, rev }: ResourceRow): void {
    const { objects, wanted, line } = this.#store;
    const held = objects.get(type, id);
    if (held === undefined || rev <= held.rev) return;
    line.saw(rev);
    const { namespace = 'default', name } = held.doc.metadata;
    const users = type === 'DeviceModel' ? objects.nodesOfModel(namespace, name) : [];
    // What other nodes use is not one node's to delete: with a new rev it goes out again.
    if (users.some((node) => node !== this.#node)) wanted.put(id, held.doc);
    else wanted.remove(held, rev);
  }

  #adopt(id: Id, doc: StoredDoc, rev: number): void {
    const checked = checkResource(doc);
    const { name, namespace = 'default' } = doc.metadata;
    if (!checked.ok || id !== `${namespace}/${name}`) {
      this.ignored.invalid++;
      return;
    }
    this.#store.line.saw(rev);
    this.#store.wanted.put(id, doc, rev);
  }
}

function withoutDesired({ metadata, spec }: Device): Device {
  const { desired: _, ...rest } = spec;
  return { apiVersion: API_VERSION, kind: 'Device', metadata, spec: rest };
}
