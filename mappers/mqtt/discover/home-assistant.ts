/** Devices that announce themselves to Home Assistant, on homeassistant/COMPONENT/…/config. */
import type { Found, Json, SuggestedModel } from '@limpet/dmi';
import { type HeardTopics, isObject, jsonOf, type JsonObject, text, unitOf } from './heard.ts';

type Property = SuggestedModel['properties'][number];

const CONFIG = /^homeassistant\/(\w+)\/(?:([^/]+)\/)?([^/]+)\/config$/;
/** Short names that the announcements may use: https://www.home-assistant.io/integrations/mqtt/ */
const SHORT: Readonly<Record<string, string>> = {
  stat_t: 'state_topic',
  cmd_t: 'command_topic',
  val_tpl: 'value_template',
  unit_of_meas: 'unit_of_measurement',
  avty_t: 'availability_topic',
  pl_on: 'payload_on',
  pl_off: 'payload_off',
  pl_avail: 'payload_available',
  pl_not_avail: 'payload_not_available',
  dev: 'device',
  ids: 'identifiers',
  mf: 'manufacturer',
  mdl: 'model',
  stat_cla: 'state_class',
};
/** The value alone, or one place in JSON; with filters that only make a number of it. */
const TEMPLATE =
  /^\{\{\s*value(_json((?:\.\w+|\[\d+\]|\['[^']+'\])+))?\s*(?:\|\s*(?:float|int|is_defined|round\(\d+\))\s*)*\}\}$/;

interface Group {
  readonly first: JsonObject;
  readonly device: JsonObject;
  readonly properties: Property[];
}

/** Topics that belong to them, so that nobody takes them for others. */
export function announcedTopics(heard: HeardTopics): ReadonlySet<string> {
  return new Set(
    entities(heard).flatMap(({ config }) => [
      text(config['state_topic']) ?? '',
      text(config['availability_topic']) ?? '',
    ]),
  );
}

/** `odd` is told of those whose values are found by a program, not at a place. */
export function* announcedDevices(
  heard: HeardTopics,
  odd: (name: string) => void,
): Generator<Found> {
  const groups = new Map<string, Group>();
  for (const { component, config, name, key } of entities(heard)) {
    const property = propertyOf(component, config, name);
    if (property === undefined) {
      odd(name);
      continue;
    }
    const device = isObject(config['device']) ? lengthened(config['device']) : {};
    const group = groups.get(key) ?? { first: config, device, properties: [] };
    group.properties.push(property);
    groups.set(key, group);
  }
  for (const [key, { first, device, properties }] of groups) {
    const maker = [device['manufacturer'], device['model']].flatMap((each) => text(each) ?? []);
    yield {
      name: text(device['name']) ?? key,
      about: `${maker.join(' ')} (announced to Home Assistant)`.trim(),
      settings: availability(first),
      model: { properties },
    };
  }
}

function entities(heard: HeardTopics): readonly {
  readonly component: string;
  readonly config: JsonObject;
  readonly name: string;
  readonly key: string;
}[] {
  return heard.all.flatMap(([topic, payload]) => {
    const [, component, node, object = ''] = CONFIG.exec(topic) ?? [];
    const json = component === undefined ? undefined : jsonOf(payload);
    if (component === undefined || !isObject(json)) return [];
    const config = lengthened(json);
    const device = isObject(config['device']) ? lengthened(config['device']) : {};
    const ids = device['identifiers'];
    const id = Array.isArray(ids) ? (ids as readonly Json[])[0] : ids;
    const key = text(id) ?? node ?? object;
    return [
      { component, config, key, name: text(config['object_id']) ?? text(config['name']) ?? object },
    ];
  });
}

/** Long names, and `~` filled in. */
function lengthened(json: JsonObject): JsonObject {
  const base = text(json['~']) ?? '';
  return Object.fromEntries(
    Object.entries(json).map(([key, value]) => [
      SHORT[key] ?? key,
      typeof value === 'string' && base !== ''
        ? value.replace(/^~/, () => base).replace(/~$/, () => base)
        : value,
    ]),
  );
}

function availability(config: JsonObject): Found['settings'] {
  const topic = text(config['availability_topic']);
  if (topic === undefined) return {};
  const online = text(config['payload_available']) ?? 'online';
  const offline = text(config['payload_not_available']) ?? 'offline';
  return { availability: { topic, online, offline } };
}

function propertyOf(component: string, config: JsonObject, name: string): Property | undefined {
  const topic = text(config['state_topic']);
  const template = text(config['value_template']) ?? '{{ value }}';
  const place = TEMPLATE.exec(template);
  const [type, layout] = typesOf(component, config) ?? [];
  if (topic === undefined || place === null || type === undefined || layout === undefined) {
    return undefined;
  }
  const command = text(config['command_topic']);
  return {
    name,
    type,
    access: command === undefined ? 'read' : 'readWrite',
    ...unitOf(config['unit_of_measurement']),
    visitor: {
      topic,
      ...(place[2] !== undefined && { path: `$${place[2]}` }),
      ...layout,
      ...(command !== undefined && { command: { topic: command } }),
    },
  };
}

function typesOf(
  component: string,
  config: JsonObject,
): readonly [Property['type'], JsonObject] | undefined {
  switch (component) {
    case 'binary_sensor':
    case 'switch': {
      const on = text(config['payload_on']) ?? 'ON';
      return ['bool', { type: 'bool', on, off: text(config['payload_off']) ?? 'OFF' }];
    }
    case 'sensor': {
      const numeric = config['unit_of_measurement'] ?? config['state_class'];
      return numeric === undefined ? ['string', { type: 'text' }] : ['float', {}];
    }
    case 'number':
      return ['float', {}];
    case 'select':
    case 'text':
      return ['string', { type: 'text' }];
    default:
      return undefined;
  }
}
