/** Devices that Zigbee2MQTT lists on BASE/bridge/devices, with what they expose. */
import type { Found, Json, SuggestedModel } from '@limpet/dmi';
import { pathText } from '../json-path.ts';
import {
  type HeardTopics,
  isObject,
  jsonOf,
  type JsonObject,
  objects,
  text,
  unitOf,
} from './heard.ts';

type Property = SuggestedModel['properties'][number];

const LIST = '/bridge/devices';
/** Bits of an expose's access: https://www.zigbee2mqtt.io/guide/usage/exposes.html */
const TOLD = 1;
const SET = 2;
const ASKED = 4;

/** The topics under these bases are Zigbee2MQTT's. */
export function basesOf(heard: HeardTopics): readonly string[] {
  return heard.all.flatMap(([topic]) =>
    topic.endsWith(LIST) ? [topic.slice(0, -LIST.length)] : [],
  );
}

export function* zigbeeDevices(heard: HeardTopics): Generator<Found> {
  for (const base of basesOf(heard)) {
    for (const device of objects(jsonOf(heard.bytes(base + LIST)))) {
      const name = text(device['friendly_name']);
      if (name === undefined || device['type'] === 'Coordinator' || /[+#]/.test(name)) continue;
      yield found(device, `${base}/${name}`, name);
    }
  }
}

function found(device: JsonObject, topic: string, name: string): Found {
  const definition = isObject(device['definition'] ?? null)
    ? (device['definition'] as JsonObject)
    : {};
  const { vendor, model, description, exposes } = definition;
  const kind = [vendor, model, description].flatMap((each) => text(each) ?? []).join(' ');
  const about = [kind === '' ? 'not supported by Zigbee2MQTT' : kind, text(device['ieee_address'])];
  return {
    name,
    about: about.filter(Boolean).join(', '),
    settings: { dialect: 'zigbee2mqtt', topic },
    model: {
      ...(text(description) !== undefined && { description: text(description) as string }),
      properties: [...unlike(properties(exposes))],
    },
  };
}

/** One property may be exposed twice, by a feature and alone. */
function unlike(all: Iterable<Property>): Iterable<Property> {
  return new Map([...all].map((each) => [each.name, each])).values();
}

function* properties(exposes: Json | undefined, path: readonly string[] = []): Generator<Property> {
  for (const expose of objects(exposes)) {
    const own = text(expose['property']);
    if (expose['features'] !== undefined) {
      const composite = expose['type'] === 'composite' && own !== undefined;
      yield* properties(expose['features'], composite ? [...path, own] : path);
    } else if (own !== undefined) {
      const property = propertyOf(expose, [...path, own]);
      if (property !== undefined) yield property;
    }
  }
}

const TYPES: Readonly<Record<string, readonly [type: Property['type'], layout: string]>> = {
  binary: ['bool', 'bool'],
  numeric: ['float', 'number'],
  enum: ['string', 'text'],
  text: ['string', 'text'],
  list: ['json', 'json'],
};

function propertyOf(expose: JsonObject, path: readonly string[]): Property | undefined {
  const [type, layout] = TYPES[text(expose['type']) ?? ''] ?? [];
  const access = Number(expose['access']);
  if (type === undefined || layout === undefined || (access & (TOLD | ASKED)) === 0)
    return undefined;
  const settable = (access & SET) !== 0;
  const description = text(expose['description']);
  return {
    name: path.join('_'),
    type,
    access: settable ? 'readWrite' : 'read',
    ...(description !== undefined && { description }),
    ...unitOf(expose['unit']),
    ...(settable ? limitsOf(expose) : {}),
    visitor: {
      expose: pathText(path),
      ...(layout !== 'number' && { type: layout }),
      ...(layout === 'bool' && wordsOf(expose)),
    },
  };
}

function limitsOf({ value_min: minimum, value_max: maximum }: JsonObject): Partial<Property> {
  return {
    ...(typeof minimum === 'number' && { minimum }),
    ...(typeof maximum === 'number' && { maximum }),
  };
}

/** Unless they are the usual ones. */
function wordsOf({ value_on: on, value_off: off }: JsonObject): JsonObject {
  return on === undefined || off === undefined || on === 'ON' ? {} : { on, off };
}
