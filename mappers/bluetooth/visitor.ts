/** Where a property lives on a Bluetooth device, and whether it can serve what the model says of it. */
import type { PropertyShape } from '@limpet/dmi';
import { bthomeKind } from './bthome.ts';
import type { Layout } from './layout.ts';
import { isWhole } from './numbers.ts';
import { uuidText } from './uuid.ts';

/** Part of what a device advertises, heard without a connection. */
export interface HeardSource {
  readonly kind: 'heard';
  /** As in {@link Element}. */
  readonly key: string;
  /** An object of BTHome, the `nth` of its id. */
  readonly object?: { readonly id: number; readonly nth: number };
}

/** Something about the device rather than of it. */
export interface FactSource {
  readonly kind: 'fact';
  readonly fact: 'name' | 'rssi' | 'txPower' | 'waited';
}

/** An attribute of a connected device. */
export interface GattSource {
  readonly kind: 'gatt';
  readonly service: string;
  readonly characteristic: string;
  readonly descriptor?: string;
  readonly via: 'read' | 'notify' | 'indicate';
  readonly write: 'withResponse' | 'withoutResponse';
  /** Silence of a notified value after which it is subscribed anew. */
  readonly silenceMs?: number;
}

export interface Visitor {
  readonly source: HeardSource | FactSource | GattSource;
  readonly layout: Layout;
}

/** Why this visitor can never serve this property; `undefined` when it can. */
export function fits({ source, layout }: Visitor, property: PropertyShape): string | undefined {
  if (property.access === 'readWrite' && source.kind !== 'gatt')
    return 'what a device advertises cannot be written; use access: read';
  const wants = propertyTypes({ source, layout });
  if (wants.includes(property.type)) return undefined;
  if (property.type === 'int' && wants.includes('float'))
    return `${layout.type} with scale ${layout.scale} and add ${layout.add} has fractions; declare the property's type as float`;
  return `it holds ${wants.join(' or ')}, not ${property.type}`;
}

/** A visitor in words, for messages. */
export function placeOf({ source }: Visitor): string {
  if (source.kind === 'fact') return source.fact;
  if (source.kind === 'heard') {
    const [kind, whose] = source.key.split(':');
    return kind === 'm' ? `data of manufacturer ${whose}` : `data of service ${whose}`;
  }
  const { service, characteristic, descriptor } = source;
  const place = `characteristic ${uuidText(characteristic)} of service ${uuidText(service)}`;
  return descriptor === undefined ? place : `descriptor ${uuidText(descriptor)} of ${place}`;
}

type Types = readonly PropertyShape['type'][];

function propertyTypes({ source, layout }: Visitor): Types {
  if (source.kind === 'fact') return source.fact === 'name' ? ['string'] : ['int', 'float'];
  if (source.kind === 'gatt' || source.object === undefined) return layoutTypes(layout);
  const kind = bthomeKind(source.object.id) ?? 'int';
  return kind === 'int' ? ['int', 'float'] : [kind];
}

function layoutTypes({ type, scale, add }: Layout): Types {
  if (type === 'bool' || type === 'bytes') return [type];
  if (type === 'text') return ['string'];
  const whole = isWhole(type) && Number.isInteger(scale) && Number.isInteger(add);
  return whole ? ['int', 'float'] : ['float'];
}
