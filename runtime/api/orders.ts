/** A device as a user wants it, as the orders it stands for. On the edge nothing but `spec.desired` can be set. */
import { isDeepStrictEqual } from 'node:util';
import type { Json } from '@limpet/dmi';
import { checkOrder, type Device, type DeviceModel } from '@limpet/dmi/manifest';
import type { Cause, Document } from '#protocol/api';

export type WantedOrders =
  | {
      readonly ok: true;
      readonly orders: readonly (readonly [property: string, value: Json])[];
      /** What is desired once they are placed. */
      readonly desired: Readonly<Record<string, Json>>;
    }
  | { readonly ok: false; readonly causes: readonly Cause[] };

interface Standing {
  /** As it is. */
  readonly device: Device;
  readonly model: DeviceModel;
  /** Properties to order even if they are desired so already. */
  readonly orders: readonly string[];
}

const ELSEWHERE =
  "only spec.desired can be set here; the rest comes from the node's manifests folder or its cloud";
/** Set by whoever serves. */
const SERVED = ['resourceVersion', 'uid', 'generation', 'creationTimestamp', 'managedFields'];

/** All faults at once; a document with one fault places no order at all. */
export function ordersOf(doc: Document, { device, model, orders }: Standing): WantedOrders {
  const causes = foreignChanges(doc, device);
  const { spec } = doc;
  const given = isObject(spec) ? spec['desired'] : undefined;
  const wanted = isObject(given) ? given : {};
  const placed: (readonly [string, Json])[] = [];
  for (const [property, value] of ordered(wanted, device.spec.desired ?? {}, orders)) {
    const checked = checkOrder(model, property, value);
    if (checked.ok) placed.push([property, checked.value]);
    else {
      const { code, message } = checked;
      causes.push({ field: `spec.desired.${property}`, reason: code, message });
    }
  }
  if (causes.length > 0) return { ok: false, causes };
  const all = [...new Map([...Object.entries(wanted), ...placed])];
  const left = Object.fromEntries(all.filter(([, value]) => value !== null));
  return { ok: true, orders: placed, desired: left };
}

/** What is set, differs, or is no longer given; the last two in the order of the documents. */
function ordered(
  wanted: Document,
  desired: Readonly<Record<string, Json>>,
  orders: readonly string[],
): ReadonlyMap<string, Json> {
  const now = new Map(Object.entries(desired));
  const then = new Map(Object.entries(wanted));
  const names = [...orders, ...then.keys(), ...now.keys()].filter((name) => {
    return orders.includes(name) || !isDeepStrictEqual(then.get(name), now.get(name));
  });
  return new Map(names.map((name) => [name, then.get(name) ?? null]));
}

function foreignChanges(doc: Document, device: Device): Cause[] {
  const { metadata, spec } = device;
  const { status: _, ...members } = doc;
  const fields = [
    ...changed(members, { ...device }, ['metadata', 'spec', 'status'], ''),
    ...changed(doc['metadata'], { ...metadata }, SERVED, 'metadata.'),
    ...changed(doc['spec'], { ...spec }, ['desired'], 'spec.'),
  ];
  const causes: Cause[] = fields.map((field) => {
    return { field, reason: 'FieldValueForbidden', message: ELSEWHERE };
  });
  const desired = isObject(doc['spec']) ? doc['spec']['desired'] : undefined;
  if (desired !== undefined && desired !== null && !isObject(desired)) {
    const message = 'expected an object of property names and values';
    causes.push({ field: 'spec.desired', reason: 'FieldValueInvalid', message });
  }
  return causes;
}

/** Members, `but` some, that are not what they were. */
function changed(
  then: Json | undefined,
  now: Readonly<Record<string, unknown>>,
  but: readonly string[],
  prefix: string,
): string[] {
  if (!isObject(then)) return [prefix.replace(/\.$/, '')];
  const names = new Set([...Object.keys(then), ...Object.keys(now)]);
  return [...names]
    .filter((name) => !but.includes(name) && !isDeepStrictEqual(then[name], now[name]))
    .map((name) => prefix + name);
}

function isObject(value: Json | undefined): value is Document {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
