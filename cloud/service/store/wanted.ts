/**
 * Changes of what is wanted: resources and desired values, from the API (with a rev of ours) or brought by an edge
 * (with the rev it came with). Keeps everything that hangs on them true: positions, versions, tombstones, who
 * has to be told. Runs inside a transaction.
 */
import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { Json } from '@limpet/dmi';
import type { Device, FieldOwner, Kind } from '@limpet/dmi/manifest';
import type { DesiredValues } from './desired.ts';
import type { Line } from './line.ts';
import type { Mirrors } from './mirrors.ts';
import type { Deletions } from './deletions.ts';
import type { Objects, StoredDoc, StoredObject } from './objects.ts';
import type { Owners } from './owners.ts';
import type { Touched } from './touched.ts';
import { ANY_NODE, type Tombstones } from './tombstones.ts';

export interface WantedParts {
  readonly now: () => number;
  readonly line: Line;
  readonly objects: Objects;
  readonly deletions: Deletions;
  readonly desired: DesiredValues;
  readonly mirrors: Mirrors;
  readonly owners: Owners;
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
  put(id: string, doc: StoredDoc, rev?: number): StoredObject {
    const { line, objects, deletions, desired, now } = this.#parts;
    const old = objects.get(doc.kind, id);
    const pos = line.next();
    const object: StoredObject = {
      kind: doc.kind,
      id,
      doc,
      pos,
      version: pos,
      rev: rev ?? pos,
      uid: old?.uid ?? randomUUID(),
      born: old?.born ?? pos,
      created: old?.created ?? now(),
      generation: nextGeneration(old, doc),
    };
    objects.put(object);
    deletions.drop(doc.kind, id);
    this.#parts.touched.resource(doc.kind, id);
    if (doc.kind === 'Device') {
      // An edge brings back a device that was only forgotten; a user begins anew.
      if (!old) desired.dropForeign(id, doc.spec.node, rev === undefined ? 'dropped' : 'kept');
      this.#placed(id, doc, old);
    }
    if (doc.kind === 'DeviceModel') this.#modelChanged(id, doc);
    return object;
  }

  /** Who has set which fields of it: shown by the API, told to no edge. */
  own(kind: Kind, id: string, owners: readonly FieldOwner[]): void {
    if (this.#parts.owners.put(kind, id, owners)) this.observed(kind, id);
  }

  /** Deletes a resource; its node lets go of it. */
  remove(object: StoredObject, rev?: number): number {
    const { line, objects, owners, deletions, desired, mirrors, tombstones, touched } = this.#parts;
    const { kind, id, uid, doc } = object;
    const version = line.next();
    const gone = rev ?? version;
    objects.remove(kind, id);
    owners.drop(kind, id);
    for (const device of deletions.keep({ kind, id, uid, doc, rev: gone, version })) {
      if (!objects.has('Device', device)) desired.drop(device);
    }
    touched.resource(kind, id);
    if (doc.kind === 'Device') {
      desired.withdraw(id, gone, this.#parts.now());
      mirrors.drop(id);
      this.bury(doc.spec.node, 'Device', id, gone);
    } else if (doc.kind === 'DeviceModel') {
      tombstones.put({ node: ANY_NODE, kind: 'DeviceModel', id, rev: gone, pos: line.next() });
      touched.everyNode();
    }
    return version;
  }

  /** The node is to let go of this resource. */
  bury(node: string, kind: 'Device' | 'DeviceModel', id: string, rev: number): void {
    this.#parts.tombstones.put({ node, kind, id, rev, pos: this.#parts.line.next() });
    this.#parts.touched.node(node);
  }

  order({ device, property, node, value, rev, accepted, expires }: NewOrder): number {
    const { line, objects, desired, touched } = this.#parts;
    const pos = line.next();
    desired.put({
      device,
      property,
      node,
      value,
      pos,
      accepted,
      rev: rev ?? pos,
      ...(expires !== undefined && { expires }),
    });
    objects.touch('Device', device, pos);
    touched.resource('Device', device);
    touched.node(node);
    return rev ?? pos;
  }

  /** Something beside the wanted part of a resource changed: its status. */
  observed(kind: Kind, id: string): void {
    this.#parts.objects.touch(kind, id, this.#parts.line.next());
    this.#parts.touched.resource(kind, id);
  }

  /** The node came or went, and what its devices show goes with it. */
  presence(node: string): void {
    // Each with a version of its own: who has seen a version has seen all of it.
    const ids = this.#parts.objects.devicesOfNode(node, Number.MAX_SAFE_INTEGER);
    for (const id of ids) this.observed('Device', id);
    this.observed('Node', node);
  }

  #placed(id: string, doc: Device, old: StoredObject | undefined): void {
    const { desired, tombstones, touched } = this.#parts;
    const { node } = doc.spec;
    tombstones.drop('Device', id, node);
    const before = old?.doc.kind === 'Device' ? old.doc.spec.node : undefined;
    if (before !== node) desired.move(id, node);
    if (before !== undefined && before !== node) {
      // The rev of the move itself, so that the former node's copy loses and coming back wins.
      this.bury(before, 'Device', id, this.#parts.objects.get('Device', id)?.rev ?? 0);
    }
    touched.node(node);
  }

  #modelChanged(id: string, doc: StoredDoc): void {
    const { objects, tombstones, touched } = this.#parts;
    tombstones.drop('DeviceModel', id, ANY_NODE);
    const { namespace = 'default', name } = doc.metadata;
    for (const node of objects.nodesOfModel(namespace, name)) touched.node(node);
  }
}

function nextGeneration(old: StoredObject | undefined, doc: StoredDoc): number {
  if (old === undefined) return 1;
  return isDeepStrictEqual(old.doc.spec, doc.spec) ? old.generation : old.generation + 1;
}
