/**
 * Changes of what is wanted: resources and desired values, from the API (with a rev of ours) or brought by an edge
 * (with the rev it came with). Keeps everything that hangs on them true: positions, versions, tombstones, who
 * has to be told. Runs inside a transaction.
 */
import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { Json } from '@limpet/dmi';
import type { Device, DeviceModel, FieldOwner, Kind } from '@limpet/dmi/manifest';
import { type Declared, namesOf } from './declared.ts';
import type { DesiredValues } from './desired.ts';
import type { Fit } from './fit.ts';
import type { Line } from './line.ts';
import type { Mirrors } from './mirrors.ts';
import type { Deletions } from './deletions.ts';
import type { Objects, Owned, StoredDoc, StoredObject } from './objects.ts';
import type { Touched } from './touched.ts';
import { ANY_NODE, type Tombstones } from './tombstones.ts';

export interface WantedParts {
  readonly now: () => number;
  readonly line: Line;
  readonly objects: Objects;
  readonly declared: Declared;
  readonly fit: Fit;
  readonly deletions: Deletions;
  readonly desired: DesiredValues;
  readonly mirrors: Mirrors;
  readonly tombstones: Tombstones;
  readonly touched: Touched;
}

/** An order to place. Without `rev` it gets one of ours. Times in ms since 1970. */
export interface NewOrder {
  readonly device: string;
  readonly property: string;
  readonly node: string;
  readonly value: Json;
  readonly rev?: number;
  readonly accepted: number;
  readonly expires?: number | undefined;
}

export class Wanted {
  readonly #parts: WantedParts;

  constructor(parts: WantedParts) {
    this.#parts = parts;
  }

  /** Creates or replaces a resource. */
  async put(id: string, doc: StoredDoc, rev?: number): Promise<StoredObject> {
    const { line, objects, deletions, desired, now } = this.#parts;
    const old = await objects.get(doc.kind, id);
    const pos = line.next();
    const lasting = old ?? {
      n: await objects.nextNumber(),
      uid: randomUUID(),
      born: pos,
      created: now(),
    };
    const object: StoredObject = {
      ...lasting,
      kind: doc.kind,
      id,
      doc,
      pos,
      version: pos,
      rev: rev ?? pos,
      generation: nextGeneration(old, doc),
    };
    await objects.put(object);
    await deletions.drop(doc.kind, id);
    this.#parts.touched.resource(doc.kind, id);
    if (doc.kind === 'Device') {
      // An edge brings back a device that was only forgotten; a user begins anew.
      const kept = rev === undefined ? 'dropped' : 'kept';
      if (!old) await desired.dropForeign(id, doc.spec.node, kept);
      await this.#placed(object, doc, old);
    }
    if (doc.kind === 'DeviceModel') await this.#modelChanged(id, doc, old);
    return object;
  }

  /** Who has set which fields of it: shown by the API, told to no edge. */
  async own(kind: Kind, id: string, owners: readonly FieldOwner[]): Promise<void> {
    const { objects, line, touched } = this.#parts;
    const object = await objects.get(kind, id);
    if (object === undefined || !(await objects.putOwners(object.n, owners))) return;
    await objects.touch(kind, object.n, line.next());
    touched.resource(kind, id);
  }

  /** Deletes a resource; its node lets go of it. */
  async remove(object: StoredObject, rev?: number): Promise<number> {
    const { line, objects, declared, deletions, desired, mirrors, tombstones, touched } =
      this.#parts;
    const { kind, id, uid, doc } = object;
    const version = line.next();
    const gone = rev ?? version;
    await objects.remove(object);
    for (const device of await deletions.keep({ kind, id, uid, doc, rev: gone, version })) {
      if (!(await objects.has('Device', device))) await desired.drop(device);
    }
    touched.resource(kind, id);
    if (doc.kind === 'Device') {
      await desired.withdraw(id, gone, this.#parts.now());
      await mirrors.drop(object.n);
      await mirrors.dropStrays(id, doc.spec.node);
      await this.bury(doc.spec.node, 'Device', id, gone);
    } else if (doc.kind === 'DeviceModel') {
      declared.forget(id);
      const kindless = { node: ANY_NODE, id, rev: gone, pos: line.next() };
      await tombstones.put({ ...kindless, kind: 'DeviceModel' });
      touched.everyNode();
    }
    return version;
  }

  /** The node is to let go of this resource. */
  async bury(node: string, kind: 'Device' | 'DeviceModel', id: string, rev: number) {
    await this.#parts.tombstones.put({ node, kind, id, rev, pos: this.#parts.line.next() });
    this.#parts.touched.node(node);
  }

  async order({ device, property, node, value, rev, accepted, expires }: NewOrder) {
    const { line, objects, desired, touched } = this.#parts;
    const pos = line.next();
    const order = { device, property, node, value, pos, accepted, rev: rev ?? pos };
    await desired.put({ ...order, ...(expires !== undefined && { expires }) });
    const [owned] = await objects.owned([device]);
    if (owned) await objects.touch('Device', owned.n, pos);
    touched.resource('Device', device);
    touched.node(node);
    return order.rev;
  }

  /** Something beside the wanted part of a node changed: its status. */
  async observed(name: string): Promise<void> {
    const { objects, line, touched } = this.#parts;
    const node = await objects.get('Node', name);
    if (node === undefined) return;
    await objects.touch('Node', node.n, line.next());
    touched.resource('Node', name);
  }

  /** The same of a rollout: how far it has come. */
  async observedRollout({ n, id }: { readonly n: number; readonly id: string }): Promise<void> {
    const { objects, line, touched } = this.#parts;
    await objects.touch('Rollout', n, line.next());
    touched.resource('Rollout', id);
  }

  /** The same of devices. */
  async observedDevices(devices: readonly Pick<Owned, 'id' | 'n'>[]): Promise<void> {
    const { objects, line, touched } = this.#parts;
    await objects.touchDevices(devices.map(({ n }) => ({ n, version: line.next() })));
    for (const { id } of devices) touched.resource('Device', id);
  }

  /** The node came or went, and what its devices show goes with it. */
  async presence(node: string): Promise<void> {
    // Each with a version of its own: who has seen a version has seen all of it.
    await this.observedDevices(await this.#parts.objects.ofNode(node));
    await this.observed(node);
  }

  async #placed({ id, n, rev }: StoredObject, doc: Device, old: StoredObject | undefined) {
    const { desired, tombstones, touched, mirrors, declared, fit } = this.#parts;
    const { node } = doc.spec;
    await tombstones.drop('Device', id, node);
    const was = old?.doc.kind === 'Device' ? old.doc.spec : undefined;
    const before = was?.node;
    const model = modelIn(doc);
    if (before !== node) {
      await desired.move(id, node);
      if (before !== undefined) await mirrors.leave({ n, id, node: before });
      await mirrors.enter({ n, id, node, model });
    }
    const has = await declared.of(model);
    if (has && (before !== node || was?.model !== doc.spec.model)) await fit.device(n, has);
    // The rev of the move itself, so that the former node's copy loses and coming back wins.
    if (before !== undefined && before !== node) await this.bury(before, 'Device', id, rev);
    touched.node(node);
  }

  async #modelChanged(id: string, doc: DeviceModel, old: StoredObject | undefined): Promise<void> {
    const { objects, tombstones, touched, declared, fit } = this.#parts;
    declared.forget(id);
    await tombstones.drop('DeviceModel', id, ANY_NODE);
    const { namespace = 'default', name } = doc.metadata;
    for (const node of await objects.nodesOfModel(namespace, name)) touched.node(node);
    const before = old?.doc.kind === 'DeviceModel' ? namesOf(old.doc) : undefined;
    await this.observedDevices(await fit.model([namespace, name], before, namesOf(doc)));
  }
}

/** `namespace/name` of the device's model. */
function modelIn({ metadata: { namespace = 'default' }, spec }: Device): string {
  return `${namespace}/${spec.model}`;
}

function nextGeneration(old: StoredObject | undefined, doc: StoredDoc): number {
  if (old === undefined) return 1;
  return isDeepStrictEqual(old.doc.spec, doc.spec) ? old.generation : old.generation + 1;
}
