/** What a user sent, as what the cloud stores: checked, without what the server sets, `desired` apart. */
import type { Json } from '@limpet/dmi';
import {
  API_VERSION,
  checkOrder,
  checkResource,
  checkValue,
  type DeviceModel,
  type FieldOwner,
  type Resource,
} from '@limpet/dmi/manifest';
import { type Cause, type Document, invalid, type Target } from '#protocol/api';
import type { StoredDoc } from './store/objects.ts';

export interface Taken {
  readonly doc: StoredDoc;
  /** `spec.desired` as sent; nulls withdraw. */
  readonly desired: ReadonlyMap<string, Json>;
  /** Who has set what; `undefined` when the document does not say. */
  readonly owners: readonly FieldOwner[] | undefined;
}

/** @throws ApiError Invalid with every fault. */
export function takeDocument(target: Target, doc: Document): Taken {
  // Not the user's words: they do not count for what a document may be.
  const { managedFields, ...metadata } = (doc['metadata'] ?? {}) as Document;
  const checked = checkResource({ ...doc, metadata });
  if (!checked.ok) {
    const causes = checked.faults.map(({ path, code, message }) => {
      return { field: path, reason: code, message };
    });
    throw invalid(target, causes);
  }
  const { resource } = checked;
  const moved = movedFields(target, resource);
  if (moved.length > 0) throw invalid(target, moved);
  const owners = managedFields as unknown as readonly FieldOwner[] | undefined;
  return { ...split(target, resource), owners };
}

/** The values in their exact form. @throws ApiError Invalid with every fault. */
export function checkOrders(
  target: Target,
  orders: Iterable<readonly [string, Json]>,
  model: DeviceModel | undefined,
): ReadonlyMap<string, Json> {
  const causes: Cause[] = [];
  const exact = new Map<string, Json>();
  for (const [property, value] of orders) {
    const checked = model ? checkOrder(model, property, value) : checkUnmodelled(property, value);
    if (checked.ok) exact.set(property, checked.value);
    else {
      const { code, message } = checked;
      causes.push({ field: `spec.desired.${property}`, reason: code, message });
    }
  }
  if (causes.length > 0) throw invalid(target, causes);
  return exact;
}

/** A device may come before its model: then only what holds for every model is checked. The edge judges the rest. */
function checkUnmodelled(property: string, value: Json): ReturnType<typeof checkOrder> {
  if (!/^[A-Za-z_][\w-]{0,62}$/.test(property)) {
    const message = `a property name is a letter or "_", then letters, digits, "_" and "-", at most 63.`;
    return { ok: false, code: 'PROPERTY_UNKNOWN', message };
  }
  if (value === null) return { ok: true, value };
  return checkValue({ name: property, type: 'json' }, value);
}

function movedFields(target: Target, { kind, metadata }: Resource): Cause[] {
  const fields = [
    ['kind', kind, target.kind],
    ['metadata.name', metadata.name, target.name],
    ['metadata.namespace', metadata.namespace ?? target.namespace, target.namespace],
  ] as const;
  return fields
    .filter(([, found, expected]) => found !== expected)
    .map(([field, , expected]) => {
      const message = `must stay "${expected ?? ''}": to rename a resource, create another and delete this one`;
      return { field, reason: 'FieldValueInvalid', message };
    });
}

function split({ name, namespace }: Target, resource: Resource): Omit<Taken, 'owners'> {
  const { labels, annotations } = resource.metadata;
  const metadata = {
    name,
    ...(namespace !== undefined && { namespace }),
    ...(labels && { labels }),
    ...(annotations && { annotations }),
  };
  switch (resource.kind) {
    case 'Device': {
      const { desired = {}, ...spec } = resource.spec;
      const doc: StoredDoc = { apiVersion: API_VERSION, kind: 'Device', metadata, spec };
      return { doc, desired: new Map(Object.entries(desired)) };
    }
    case 'DeviceModel': {
      const { spec } = resource;
      const doc: StoredDoc = { apiVersion: API_VERSION, kind: 'DeviceModel', metadata, spec };
      return { doc, desired: new Map() };
    }
    case 'Node': {
      const { spec } = resource;
      const doc: StoredDoc = { apiVersion: API_VERSION, kind: 'Node', metadata, spec };
      return { doc, desired: new Map() };
    }
    case 'Rollout': {
      const { spec } = resource;
      const doc: StoredDoc = { apiVersion: API_VERSION, kind: 'Rollout', metadata, spec };
      return { doc, desired: new Map() };
    }
  }
}
