/** Devices of no convention that is known here: suggested from their topics and what was said there. */
import { isUtf8 } from 'node:buffer';
import type { Found, Json, PropertyType, SuggestedModel } from '@limpet/dmi';
import { pathText } from '../json-path.ts';
import { type HeardTopics, isObject, jsonOf } from './heard.ts';

type Property = SuggestedModel['properties'][number];

const MAX_DEPTH = 3;
const MAX_PROPERTIES = 200;

/** A topic with a JSON object is a device; topics with single values are one by the level above them. */
export function* plainDevices(
  heard: HeardTopics,
  known: (topic: string) => boolean,
): Generator<Found> {
  const groups = new Map<string, Property[]>();
  const add = (topic: string, properties: Iterable<Property>): void => {
    const group = groups.get(topic) ?? [];
    for (const property of properties) if (group.length < MAX_PROPERTIES) group.push(property);
    groups.set(topic, group);
  };
  for (const [topic, payload] of heard.all) {
    if (known(topic) || /[{}]/.test(topic)) continue;
    const json = jsonOf(payload);
    if (isObject(json)) add(topic, inside(json, []));
    else {
      const [, above = topic, name = topic] = /^(.+)\/([^/]*)$/.exec(topic) ?? [];
      const own = above === topic ? '{topic}' : `{topic}/${name}`;
      add(above, [property({ name, visitor: { topic: own } }, json ?? wordOf(payload))]);
    }
  }
  for (const [topic, properties] of groups) {
    yield {
      name: topic.split('/').slice(-2).join('-'),
      about: `topic ${topic}`,
      settings: { topic },
      model: { properties },
    };
  }
}

/** Text; `undefined` where it is none. */
function wordOf(payload: Buffer): string | undefined {
  return isUtf8(payload) ? payload.toString() : undefined;
}

function* inside(
  json: { readonly [key: string]: Json },
  path: readonly string[],
): Generator<Property> {
  for (const [key, value] of Object.entries(json)) {
    const steps = [...path, key];
    if (isObject(value) && steps.length < MAX_DEPTH) yield* inside(value, steps);
    else if (value !== null) {
      const at = { name: steps.join('_'), path, visitor: { path: pathText(steps) } };
      yield property(at, value);
    }
  }
}

function property(
  at: Pick<Property, 'name' | 'path' | 'visitor'>,
  value: Json | undefined,
): Property {
  const [type, layout] = typesOf(value);
  const visitor = { ...at.visitor, ...(layout !== 'number' && { type: layout }) };
  return { ...at, type, access: 'read', visitor };
}

function typesOf(value: Json | undefined): readonly [PropertyType, string] {
  if (value === undefined) return ['bytes', 'bytes'];
  if (typeof value === 'number') return ['float', 'number'];
  if (typeof value === 'boolean') return ['bool', 'bool'];
  if (typeof value !== 'string') return ['json', 'json'];
  if (/^(on|off|true|false|online|offline)$/i.test(value)) return ['bool', 'bool'];
  return value.trim() !== '' && Number.isFinite(Number(value))
    ? ['float', 'number']
    : ['string', 'text'];
}
