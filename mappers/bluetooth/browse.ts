/** The model of a connected device, as its services and characteristics suggest it. */
import type { SuggestedModel } from '@limpet/dmi';
import type { LinkedDevice } from './attributes.ts';
import { type Characteristic, PROPERTY, type Service } from './attribute.ts';
import { uuidText } from './uuid.ts';
import { characteristicName, serviceName } from './uuid-names.ts';

type Property = SuggestedModel['properties'][number];

/** Generic Access and Generic Attribute are of the link, not of the thing. */
const PLUMBING = new Set(['1800', '1801']);

/** What can be read, written or heard of it. */
export async function modelOf(linked: LinkedDevice, signal: AbortSignal): Promise<SuggestedModel> {
  const properties: Property[] = [];
  const names = new Map<string, number>();
  for (const service of await linked.services(signal)) {
    if (PLUMBING.has(service.uuid)) continue;
    for (const each of await linked.characteristics(service, signal)) {
      const suggested = propertyOf(service, each);
      if (suggested === undefined) continue;
      const count = (names.get(suggested.name) ?? 0) + 1;
      names.set(suggested.name, count);
      properties.push(
        count === 1 ? suggested : { ...suggested, name: `${suggested.name}${count}` },
      );
    }
  }
  return { properties };
}

/** A layout and unit that the specification gives to a well-known characteristic: GATT Specification Supplement, 3. */
interface Known {
  readonly type: Property['type'];
  readonly unit?: string;
  readonly layout: { readonly [key: string]: string | number };
}

const TEXT: Known = { type: 'string', layout: { type: 'text' } };
const UNKNOWN: Known = { type: 'bytes', layout: { type: 'bytes' } };
const KNOWN: Readonly<Record<string, Known>> = {
  '2a19': { type: 'int', unit: '%', layout: { type: 'uint8' } },
  '2a24': TEXT,
  '2a25': TEXT,
  '2a26': TEXT,
  '2a27': TEXT,
  '2a28': TEXT,
  '2a29': TEXT,
  '2a6d': { type: 'float', unit: 'Pa', layout: { type: 'uint32', scale: 0.1 } },
  '2a6e': { type: 'float', unit: 'Cel', layout: { type: 'int16', scale: 0.01, invalid: -32_768 } },
  '2a6f': { type: 'float', unit: '%', layout: { type: 'uint16', scale: 0.01, invalid: 65_535 } },
  '2a76': { type: 'int', layout: { type: 'uint8' } },
  '2a7a': { type: 'int', unit: 'Cel', layout: { type: 'int8' } },
  '2a7b': { type: 'int', unit: 'Cel', layout: { type: 'int8' } },
  '2bd0': { type: 'int', unit: '[ppm]', layout: { type: 'uint16' } },
};

function propertyOf(service: Service, { uuid, properties }: Characteristic): Property | undefined {
  const has = (bits: number): boolean => (properties & bits) !== 0;
  const writes = has(PROPERTY.write | PROPERTY.command);
  const tells = has(PROPERTY.notify | PROPERTY.indicate);
  if (!has(PROPERTY.read) && !writes && !tells) return undefined;
  const { type, unit, layout } = KNOWN[uuid] ?? UNKNOWN;
  return {
    name: camel(characteristicName(uuid) ?? `characteristic ${uuid.slice(0, 8)}`),
    type,
    ...(writes && { access: 'readWrite' as const }),
    ...(unit !== undefined && { unit }),
    every: tells ? '1s' : '1m',
    path: [serviceName(service.uuid) ?? uuidText(service.uuid)],
    visitor: {
      service: uuidText(service.uuid),
      characteristic: uuidText(uuid),
      ...ways(properties),
      ...layout,
    },
  };
}

/** How it is told and written, where that is not the usual way. */
function ways(properties: number): { readonly [key: string]: string } {
  const has = (bits: number): boolean => (properties & bits) !== 0;
  const written = has(PROPERTY.command) && !has(PROPERTY.write);
  const via = has(PROPERTY.notify) ? 'notify' : has(PROPERTY.indicate) ? 'indicate' : undefined;
  return { ...(via !== undefined && { via }), ...(written && { write: 'withoutResponse' }) };
}

function camel(text: string): string {
  const words = text.split(/[^A-Za-z0-9]+/).filter((word) => word !== '');
  return words
    .map((word, index) =>
      index === 0
        ? word.toLowerCase()
        : (word[0] ?? '').toUpperCase() + word.slice(1).toLowerCase(),
    )
    .join('');
}
