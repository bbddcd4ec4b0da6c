/** Devices that announce themselves on tasmota/discovery/MAC/config and …/sensors. */
import type { Found, Json, SuggestedModel } from '@limpet/dmi';
import { pathText } from '../json-path.ts';
import { type HeardTopics, isObject, jsonOf, type JsonObject, text, unitOf } from './heard.ts';

type Property = SuggestedModel['properties'][number];

const CONFIG = /^tasmota\/discovery\/([^/]+)\/config$/;
/** Kinds of relays: 1 a switch, 2 a light. */
const LIGHT = 2;
const MAX_DEPTH = 3;
const UNIT_OF: Readonly<Record<string, string>> = {
  Humidity: '%',
  Power: 'W',
  Voltage: 'V',
  Current: 'A',
  Pressure: 'hPa',
  Total: 'kWh',
};

/** Their topics, so that nobody takes them for others. */
export function tasmotaTopics(heard: HeardTopics): readonly string[] {
  return configs(heard).map(({ topic }) => topic);
}

/** `odd` is told of those whose topics are laid out in another way than by default. */
export function* tasmotaDevices(heard: HeardTopics, odd: (name: string) => void): Generator<Found> {
  for (const { config, topic, mac } of configs(heard)) {
    const name = text(config['dn']) ?? topic;
    const usual =
      text(config['ft']) === '%prefix%/%topic%/' &&
      JSON.stringify(config['tp']) === '["cmnd","stat","tele"]';
    if (!usual) {
      odd(name);
      continue;
    }
    const sensors = jsonOf(heard.bytes(`tasmota/discovery/${mac}/sensors`));
    yield {
      name,
      about: `${text(config['md']) ?? 'Tasmota'}, ${text(config['ip']) ?? mac}`,
      settings: { dialect: 'tasmota', topic, ...willOf(config) },
      model: {
        description: text(config['md']) ?? 'Tasmota device',
        properties: [...relays(config), ...sensed(isObject(sensors) ? sensors['sn'] : undefined)],
      },
    };
  }
}

/** Unless its words are the usual ones. */
function willOf({ ofln, onln }: JsonObject): JsonObject {
  const [online, offline] = [text(onln) ?? 'Online', text(ofln) ?? 'Offline'];
  if (online === 'Online' && offline === 'Offline') return {};
  return { availability: { topic: 'tele/{topic}/LWT', online, offline } };
}

function configs(
  heard: HeardTopics,
): readonly { readonly config: JsonObject; readonly topic: string; readonly mac: string }[] {
  return heard.all.flatMap(([name, payload]) => {
    const [, mac] = CONFIG.exec(name) ?? [];
    const config = mac === undefined ? undefined : jsonOf(payload);
    const topic = isObject(config) ? text(config['t']) : undefined;
    return mac !== undefined && isObject(config) && topic !== undefined
      ? [{ config, topic, mac }]
      : [];
  });
}

function relays({ rl, state }: JsonObject): Property[] {
  const kinds = Array.isArray(rl) ? (rl as readonly Json[]).map(Number) : [];
  const [off, on] = Array.isArray(state) ? (state as readonly Json[]).map(String) : [];
  const words = on !== undefined && off !== undefined && on !== 'ON' ? { on, off } : {};
  const present = kinds.flatMap((kind, index) => (kind > 0 ? [{ kind, number: index + 1 }] : []));
  const switches = present.map(({ number }): Property => {
    const name = present.length === 1 ? 'POWER' : `POWER${number}`;
    return {
      name,
      type: 'bool',
      access: 'readWrite',
      visitor: { state: name, type: 'bool', ...words },
    };
  });
  const dims = present.some(({ kind }) => kind === LIGHT);
  const dimmer: Property = {
    name: 'Dimmer',
    type: 'int',
    access: 'readWrite',
    unit: '%',
    minimum: 0,
    maximum: 100,
    visitor: { state: 'Dimmer' },
  };
  return dims ? [...switches, dimmer] : switches;
}

function* sensed(json: Json | undefined, path: readonly string[] = []): Generator<Property> {
  if (!isObject(json) || path.length >= MAX_DEPTH) return;
  for (const [key, value] of Object.entries(json)) {
    const steps = [...path, key];
    if (isObject(value)) yield* sensed(value, steps);
    else if (typeof value === 'number') {
      yield {
        name: steps.join('_'),
        path,
        type: 'float',
        access: 'read',
        ...unitOf(/^(Temperature|DewPoint)/.test(key) ? 'C' : UNIT_OF[key]),
        visitor: { sensor: pathText(steps) },
      };
    }
  }
}
