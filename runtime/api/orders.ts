/** A merge patch of a device, as the orders it stands for. On the edge nothing but `spec.desired` can be set. */
import type { Json } from '@limpet/dmi';
import { checkOrder, type Device, type DeviceModel } from '@limpet/dmi/manifest';
import { type Cause, type Document, mergePatch } from '#protocol/api';

export type PatchedOrders =
  | { readonly ok: true; readonly orders: readonly (readonly [property: string, value: Json])[] }
  | { readonly ok: false; readonly causes: readonly Cause[] };

const ELSEWHERE =
  "only spec.desired can be set here; the rest comes from the node's manifests folder or its cloud";

/** All faults at once; a patch with one fault places no order at all. */
export function ordersOf(patch: Document, device: Device, model: DeviceModel): PatchedOrders {
  const causes = foreignMembers(patch);
  const orders: (readonly [string, Json])[] = [];
  for (const [property, wanted] of desiredOf(patch, device)) {
    const checked = checkOrder(model, property, wanted);
    if (checked.ok) orders.push([property, checked.value]);
    else {
      const { code, message } = checked;
      causes.push({ field: `spec.desired.${property}`, reason: code, message });
    }
  }
  return causes.length > 0 ? { ok: false, causes } : { ok: true, orders };
}

function foreignMembers(patch: Document): Cause[] {
  const { spec, metadata } = patch;
  const fields = [
    ...unlike(Object.keys(patch), ['apiVersion', 'kind', 'metadata', 'spec'], ''),
    ...unlike(membersOf(metadata), ['name', 'namespace', 'resourceVersion'], 'metadata.'),
    ...unlike(membersOf(spec), ['desired'], 'spec.'),
  ];
  if (spec !== undefined && !isObject(spec)) fields.push('spec');
  const desired = isObject(spec) ? spec['desired'] : undefined;
  const causes: Cause[] = fields.map((field) => {
    return { field, reason: 'FieldValueForbidden', message: ELSEWHERE };
  });
  if (desired !== undefined && desired !== null && !isObject(desired)) {
    const message = 'expected an object of property names and values';
    causes.push({ field: 'spec.desired', reason: 'FieldValueInvalid', message });
  }
  return causes;
}

function desiredOf(patch: Document, device: Device): (readonly [string, Json])[] {
  const desired = isObject(patch['spec']) ? patch['spec']['desired'] : undefined;
  const current = new Map(Object.entries(device.spec.desired ?? {}));
  // null for the whole withdraws everything.
  if (desired === null) return [...current.keys()].map((property) => [property, null] as const);
  if (!isObject(desired)) return [];
  return Object.entries(desired).map(([property, value]) => {
    // A value of type json is merged like everything else.
    return [property, isObject(value) ? mergePatch(current.get(property), value) : value] as const;
  });
}

function unlike(names: readonly string[], known: readonly string[], prefix: string): string[] {
  return names.filter((name) => !known.includes(name)).map((name) => prefix + name);
}

function membersOf(value: Json | undefined): readonly string[] {
  return isObject(value) ? Object.keys(value) : [];
}

function isObject(value: Json | undefined): value is Document {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
