/**
 * `@limpet/mapper-bluetooth/simulator`: a device made of its settings and visitors alone, behind a controller on an H4
 * stream. It advertises what visitors read out of advertisements, and has the attributes that others name.
 */
import { defineSimulator, type SimulatedProperty, type Simulator, type Value } from '@limpet/dmi';
import { PROPERTY } from './attribute.ts';
import { bthomeObject } from './bthome.ts';
import { decode, encode } from './layout.ts';
import { AttributeTable, type Wanted } from './simulated-attributes.ts';
import { SimulatedController } from './simulated-controller.ts';
import type { Settings } from './settings.ts';
import type { FactSource, GattSource, HeardSource, Visitor } from './visitor.ts';

type Property = SimulatedProperty<Visitor>;

export const simulator: Simulator<Settings, Visitor> = defineSimulator({
  simulate({ settings, properties }, { clock }) {
    const values = new Map(properties.map(({ name, value }) => [name, value]));
    const attributes = new AttributeTable(wanted(properties));
    const controllers = new Set<SimulatedController>();
    const advertised = properties.filter(({ visitor }) => visitor.source.kind !== 'gatt');
    const find = (name: string): Property => {
      const found = properties.find((each) => each.name === name);
      if (found === undefined) throw new Error(`the simulated device has no property "${name}"`);
      return found;
    };
    const handleOf = ({ service, characteristic, descriptor }: GattSource): number =>
      attributes.handle(service, characteristic, descriptor);
    const options = {
      address: settings.address,
      random: settings.random ?? false,
      attributes,
      rssi: rssiOf(advertised, values),
      advertisement: () => advertisement(advertised, values),
      written: (handle: number) => {
        for (const each of controllers) each.changed(handle);
      },
    };
    return {
      accept: (wire) => {
        const controller = new SimulatedController(wire, options, clock);
        controllers.add(controller);
        wire.once('close', () => controllers.delete(controller));
      },
      get: (name) => {
        const { visitor } = find(name);
        if (visitor.source.kind !== 'gatt') return values.get(name) ?? null;
        const value = decode(visitor.layout, attributes.value(handleOf(visitor.source)));
        if (value instanceof Error) throw value;
        return value;
      },
      set: (name, value) => {
        const { visitor } = find(name);
        values.set(name, value);
        if (visitor.source.kind === 'gatt') {
          const handle = handleOf(visitor.source);
          attributes.set(handle, encode(visitor.layout, value, attributes.value(handle)));
          for (const each of controllers) each.changed(handle);
        } else for (const each of controllers) each.advertise();
      },
      close: () => {
        for (const each of controllers) each.close();
      },
    };
  },
});

/** Each characteristic once, however many properties lie in it. */
function wanted(properties: readonly Property[]): Wanted[] {
  const found = new Map<
    string,
    Wanted & { properties: number; value: Buffer; descriptors: Map<string, Buffer> }
  >();
  for (const property of properties) {
    const { source, layout } = property.visitor;
    if (source.kind !== 'gatt') continue;
    const { service, characteristic: uuid, descriptor } = source;
    const key = `${service} ${uuid}`;
    const empty = {
      service,
      uuid,
      properties: PROPERTY.read,
      value: Buffer.alloc(0),
      descriptors: new Map<string, Buffer>(),
    };
    const each = found.get(key) ?? empty;
    found.set(key, each);
    each.properties |= bitsOf(property, source);
    if (descriptor === undefined) each.value = encode(layout, property.value, each.value);
    else {
      const before = each.descriptors.get(descriptor);
      each.descriptors.set(descriptor, encode(layout, property.value, before));
    }
  }
  return [...found.values()];
}

function bitsOf({ access }: Property, { via, write }: GattSource): number {
  const told = via === 'notify' ? PROPERTY.notify : via === 'indicate' ? PROPERTY.indicate : 0;
  const way = write === 'withResponse' ? PROPERTY.write : PROPERTY.command;
  return told | (access === 'readWrite' ? way : 0);
}

function rssiOf(properties: readonly Property[], values: ReadonlyMap<string, Value>): number {
  const found = properties.find(({ visitor }) => isFact(visitor, 'rssi'));
  return found === undefined ? -60 : Number(values.get(found.name) ?? -60);
}

function isFact({ source }: Visitor, fact: FactSource['fact']): boolean {
  return source.kind === 'fact' && source.fact === fact;
}

/** Its AD structures: name, power, and one for each manufacturer or service. */
function advertisement(
  properties: readonly Property[],
  values: ReadonlyMap<string, Value>,
): Buffer {
  const structures: Buffer[] = [Buffer.from([2, 0x01, 0x06])];
  const held = new Map<string, Buffer>();
  for (const { name, visitor } of properties) {
    const value = values.get(name) ?? null;
    const { source, layout } = visitor;
    if (source.kind === 'heard') {
      const before = held.get(source.key);
      held.set(source.key, data(source, layout, value, before));
    } else if (isFact(visitor, 'name'))
      structures.push(structure(0x09, Buffer.from(value as string)));
    else if (isFact(visitor, 'txPower'))
      structures.push(structure(0x0a, Buffer.from([Number(value) & 0xff])));
  }
  for (const [key, bytes] of held) {
    const [kind, whose = ''] = key.split(':');
    const head = kind === 'm' ? numberBytes(Number(whose)) : Buffer.from(whose, 'hex').reverse();
    const type = kind === 'm' ? 0xff : head.length === 2 ? 0x16 : 0x21;
    structures.push(structure(type, Buffer.concat([head, bytes])));
  }
  return Buffer.concat(structures);
}

function data(
  { object }: HeardSource,
  layout: Visitor['layout'],
  value: Value,
  before: Buffer | undefined,
): Buffer {
  if (object !== undefined)
    return Buffer.concat([before ?? Buffer.from([0x40]), bthomeObject(object.id, value)]);
  const { match, size = 0 } = layout;
  const empty = Buffer.alloc(
    Math.max(size, match === undefined ? 0 : match.at + match.bytes.length),
  );
  const base = before ?? empty;
  if (match !== undefined) base.set(match.bytes, match.at);
  return encode(layout, value, base);
}

function numberBytes(value: number): Buffer {
  return Buffer.from([value & 0xff, value >> 8]);
}

function structure(type: number, bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from([bytes.length + 1, type]), bytes]);
}
