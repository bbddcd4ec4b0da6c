/** Formats of advertisements that are published and common: how each is told, and the model that reads it. The files in `models/` say the same. */
import type { SuggestedModel } from '@limpet/dmi';
import { type Advertisement, type Element, manufacturerKey, serviceKey } from './advertisement.ts';
import { bthomeKind, bthomeValue } from './bthome.ts';

export interface Format {
  /** Of its model, and of its file. */
  readonly name: string;
  readonly description: string;
  /** Which piece of an advertisement is of this format. */
  is(element: Element): boolean;
  readonly properties: SuggestedModel['properties'];
}

type Property = SuggestedModel['properties'][number];
type Fields = Property['visitor'];

const EVERY = '10s';

/** A property read out of what `common` names. */
const reader =
  (common: Fields) =>
  (
    name: string,
    unit: string | undefined,
    visitor: Fields,
    type: Property['type'] = 'float',
  ): Property => ({
    name,
    type,
    ...(unit !== undefined && { unit }),
    every: EVERY,
    visitor: { ...common, ...visitor },
  });

/** Of any device: how strongly it is heard. */
const SIGNAL: Property = {
  name: 'signal',
  type: 'int',
  unit: 'dBm',
  every: '1m',
  visitor: { from: 'rssi' },
};

const RUUVI = reader({
  from: 'manufacturer',
  company: 0x0499,
  match: '05',
  size: 24,
  endian: 'big',
});
const TLM = reader({ from: 'service', uuid: 'feaa', match: '2000', size: 14, endian: 'big' });
const ATC = reader({ from: 'service', uuid: '181a', size: 13, endian: 'big' });
const PVVX = reader({ from: 'service', uuid: '181a', size: 15 });
const BEACON = reader({
  from: 'manufacturer',
  company: 0x004c,
  match: '0215',
  size: 23,
  endian: 'big',
});

export const FORMATS: readonly Format[] = [
  {
    name: 'ruuvi-rawv2',
    description: 'RuuviTag, data format 5 (RAWv2)',
    is: ({ key, bytes }) =>
      key === manufacturerKey(0x0499) && bytes[0] === 5 && bytes.length === 24,
    properties: [
      RUUVI('temperature', 'Cel', { offset: 1, type: 'int16', scale: 0.005, invalid: -32_768 }),
      RUUVI('humidity', '%', { offset: 3, type: 'uint16', scale: 0.0025, invalid: 65_535 }),
      RUUVI('pressure', 'Pa', { offset: 5, type: 'uint16', add: 50_000, invalid: 65_535 }),
      RUUVI('accelerationX', 'g', { offset: 7, type: 'int16', scale: 0.001, invalid: -32_768 }),
      RUUVI('accelerationY', 'g', { offset: 9, type: 'int16', scale: 0.001, invalid: -32_768 }),
      RUUVI('accelerationZ', 'g', { offset: 11, type: 'int16', scale: 0.001, invalid: -32_768 }),
      RUUVI('battery', 'V', {
        offset: 13,
        type: 'uint16',
        mask: 0xffe0,
        shift: 5,
        scale: 0.001,
        add: 1.6,
        invalid: 2047,
      }),
      RUUVI(
        'txPower',
        'dBm',
        { offset: 13, type: 'uint16', mask: 0x1f, scale: 2, add: -40, invalid: 31 },
        'int',
      ),
      RUUVI('movements', undefined, { offset: 15, type: 'uint8', invalid: 255 }, 'int'),
      RUUVI('sequence', undefined, { offset: 16, type: 'uint16', invalid: 65_535 }, 'int'),
      SIGNAL,
    ],
  },
  {
    name: 'eddystone-tlm',
    description: 'Eddystone beacon, unencrypted telemetry',
    is: ({ key, bytes }) => key === serviceKey('feaa') && bytes[0] === 0x20 && bytes[1] === 0,
    properties: [
      TLM('battery', 'V', { offset: 2, type: 'uint16', scale: 0.001, invalid: 0 }),
      // 8.8 fixed point.
      TLM('temperature', 'Cel', {
        offset: 4,
        type: 'int16',
        scale: 0.003_906_25,
        invalid: -32_768,
      }),
      TLM('advertisements', undefined, { offset: 6, type: 'uint32' }, 'int'),
      TLM('uptime', 's', { offset: 10, type: 'uint32', scale: 0.1 }),
      SIGNAL,
    ],
  },
  {
    name: 'atc-thermometer',
    description: 'Xiaomi thermometer with ATC firmware, atc1441 format',
    is: ({ key, bytes }) => key === serviceKey('181a') && bytes.length === 13,
    properties: [
      ATC('temperature', 'Cel', { offset: 6, type: 'int16', scale: 0.1 }),
      ATC('humidity', '%', { offset: 8, type: 'uint8' }, 'int'),
      ATC('batteryLevel', '%', { offset: 9, type: 'uint8' }, 'int'),
      ATC('battery', 'V', { offset: 10, type: 'uint16', scale: 0.001 }),
      SIGNAL,
    ],
  },
  {
    name: 'pvvx-thermometer',
    description: 'Xiaomi thermometer with pvvx firmware, custom format',
    is: ({ key, bytes }) => key === serviceKey('181a') && bytes.length === 15,
    properties: [
      PVVX('temperature', 'Cel', { offset: 6, type: 'int16', scale: 0.01 }),
      PVVX('humidity', '%', { offset: 8, type: 'uint16', scale: 0.01 }),
      PVVX('battery', 'V', { offset: 10, type: 'uint16', scale: 0.001 }),
      PVVX('batteryLevel', '%', { offset: 12, type: 'uint8' }, 'int'),
      PVVX('measurements', undefined, { offset: 13, type: 'uint8' }, 'int'),
      PVVX('contact', undefined, { offset: 14, type: 'bool', bit: 0 }, 'bool'),
      SIGNAL,
    ],
  },
  {
    name: 'ibeacon',
    description: 'iBeacon',
    is: ({ key, bytes }) =>
      key === manufacturerKey(0x004c) && bytes[0] === 2 && bytes[1] === 0x15 && bytes.length === 23,
    properties: [
      BEACON('uuid', undefined, { offset: 2, type: 'bytes', length: 16 }, 'bytes'),
      BEACON('major', undefined, { offset: 18, type: 'uint16' }, 'int'),
      BEACON('minor', undefined, { offset: 20, type: 'uint16' }, 'int'),
      BEACON('power', 'dBm', { offset: 22, type: 'int8' }, 'int'),
      SIGNAL,
    ],
  },
];

/** Objects of BTHome v2 that get a property where a device tells them: id, name, unit. */
const OBJECTS: readonly (readonly [id: number, name: string, unit?: string])[] = [
  [0x02, 'temperature', 'Cel'],
  [0x45, 'temperature', 'Cel'],
  [0x03, 'humidity', '%'],
  [0x2e, 'humidity', '%'],
  [0x04, 'pressure', 'hPa'],
  [0x05, 'illuminance', 'lx'],
  [0x01, 'batteryLevel', '%'],
  [0x0c, 'voltage', 'V'],
  [0x4a, 'voltage', 'V'],
  [0x43, 'current', 'A'],
  [0x0b, 'power', 'W'],
  [0x5c, 'power', 'W'],
  [0x0a, 'energy', 'kW.h'],
  [0x4d, 'energy', 'kW.h'],
  [0x12, 'co2', '[ppm]'],
  [0x13, 'tvoc', 'ug/m3'],
  [0x14, 'moisture', '%'],
  [0x2f, 'moisture', '%'],
  [0x21, 'motion'],
  [0x2d, 'window'],
  [0x11, 'opening'],
  [0x09, 'count'],
];

const BTHOME = serviceKey('fcd2');

/** A model of what this advertisement holds; `undefined`: nothing that is known here. */
export function formatOf(
  advertisement: Advertisement,
): { readonly name: string; readonly model: SuggestedModel } | undefined {
  for (const element of advertisement.elements) {
    const known = FORMATS.find((format) => format.is(element));
    if (known !== undefined) {
      const { name, description, properties } = known;
      return { name, model: { description, properties } };
    }
    if (element.key !== BTHOME) continue;
    const properties = bthomeProperties((id) => bthomeValue(element.bytes, id, 0) !== undefined);
    return { name: 'bthome', model: { description: 'BTHome version 2', properties } };
  }
  return undefined;
}

/** Properties for the objects that are present, each name once. */
export function bthomeProperties(present: (id: number) => boolean): SuggestedModel['properties'] {
  const read = reader({ from: 'service', uuid: 'fcd2' });
  const found = new Map<string, Property>();
  for (const [id, name, unit] of OBJECTS) {
    const kind = bthomeKind(id);
    if (kind === undefined || found.has(name) || !present(id)) continue;
    found.set(name, read(name, unit, { object: id }, kind));
  }
  return [...found.values(), SIGNAL];
}
