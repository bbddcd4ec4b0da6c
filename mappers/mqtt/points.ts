/** What a visitor comes to on the wire (pure): topics and payloads, whatever convention the device follows. */
import { type Json, Misconfigured } from '@limpet/dmi';
import { type Steps, wrap } from './json-path.ts';
import type { Retained } from './schema.ts';
import type { Dialect, Settings } from './settings.ts';
import type { Fill } from './template.ts';
import type { Command, Layout, Place, Visitor } from './visitor.ts';

/** A topic on which the value is told, and where in its payload. */
interface Source {
  readonly topic: string;
  /** Absent: the payload alone. */
  readonly path?: Steps;
}

/** A message that makes the device tell. */
interface Ask {
  readonly topic: string;
  readonly payload: string;
}

export interface Point {
  readonly sources: readonly Source[];
  readonly layout: Layout;
  readonly command?: Command;
  readonly ask?: Ask;
  readonly time?: Steps;
  readonly expireMs: number;
  readonly retained: Retained;
}

type TopicPlace = Exclude<Place, { kind: 'metric' }>;

/** @throws Misconfigured when the visitor is of another convention than the device, or a topic cannot be filled in */
export function pointOf(visitor: Visitor, settings: Settings, fill: Fill): Point {
  const { place, layout, command, time } = visitor;
  if (place.kind === 'metric') throw misfit('metric', settings.dialect);
  const { sources, ask, command: own } = placed(place, settings.dialect, fill);
  const given = command && filled(command, fill);
  const usual = own && { qos: settings.qos, retain: false, confirm: 'state' as const, ...own };
  const used = given ?? usual;
  return {
    sources,
    layout: place.kind === 'topic' ? layout : switched(layout),
    ...(used && { command: used }),
    ...(ask && { ask }),
    ...(time && { time }),
    expireMs: visitor.expireMs ?? settings.expireMs,
    retained: visitor.retained ?? settings.retained,
  };
}

/** Zigbee2MQTT and Tasmota say ON and OFF, unless told otherwise. */
function switched(layout: Layout): Layout {
  return layout.type === 'bool' && layout.on === undefined
    ? { ...layout, on: 'ON', off: 'OFF' }
    : layout;
}

type Placed = Pick<Point, 'sources' | 'ask'> & {
  readonly command?: Pick<Command, 'topic' | 'payload'>;
};

function placed(place: TopicPlace, dialect: Dialect, fill: Fill): Placed {
  switch (place.kind) {
    case 'topic':
      return {
        sources: [{ topic: fill(place.topic), ...(place.path && { path: place.path }) }],
      };
    case 'expose':
      if (dialect !== 'zigbee2mqtt') throw misfit('expose', dialect);
      return exposed(place.path, fill);
    case 'state':
    case 'sensor':
      if (dialect !== 'tasmota') throw misfit(place.kind, dialect);
      return place.kind === 'state'
        ? tasmotaState(place.path, fill)
        : tasmotaSensor(place.path, fill);
  }
}

/** https://www.zigbee2mqtt.io/guide/usage/mqtt_topics_and_messages.html */
function exposed(path: Steps, fill: Fill): Placed {
  return {
    sources: [{ topic: fill('{topic}'), path }],
    ask: { topic: fill('{topic}/get'), payload: JSON.stringify(wrap('', path)) },
    command: { topic: fill('{topic}/set'), payload: template(path) },
  };
}

/** The state as it is told now and then, as it answers a command, and as it answers STATUS 11. */
function tasmotaState(path: Steps, fill: Fill): Placed {
  return {
    sources: [
      { topic: fill('tele/{topic}/STATE'), path },
      { topic: fill('stat/{topic}/RESULT'), path },
      { topic: fill('stat/{topic}/STATUS11'), path: ['StatusSTS', ...path] },
    ],
    ask: { topic: fill('cmnd/{topic}/STATUS'), payload: '11' },
    command: { topic: fill(`cmnd/{topic}/${String(path[0])}`), payload: '{value}' },
  };
}

function tasmotaSensor(path: Steps, fill: Fill): Placed {
  return {
    sources: [
      { topic: fill('tele/{topic}/SENSOR'), path },
      { topic: fill('stat/{topic}/STATUS10'), path: ['StatusSNS', ...path] },
    ],
    ask: { topic: fill('cmnd/{topic}/STATUS'), payload: '10' },
  };
}

const HOLE = '{json}';

/** JSON with a hole for the value. */
function template(path: Steps): string {
  return JSON.stringify(wrap(HOLE as Json, path)).replace(`"${HOLE}"`, HOLE);
}

function filled(command: Command, fill: Fill): Command {
  const { response } = command;
  return {
    ...command,
    topic: fill(command.topic),
    ...(response && { response: { ...response, topic: fill(response.topic) } }),
  };
}

function misfit(kind: Place['kind'], dialect: Dialect): Misconfigured {
  const wants = {
    expose: 'zigbee2mqtt',
    state: 'tasmota',
    sensor: 'tasmota',
    metric: 'sparkplug-b',
  };
  const wanted = kind === 'topic' ? 'plain' : wants[kind];
  return new Misconfigured(
    'MQTT_DIALECT',
    `the visitor says ${kind}, which goes with dialect ${wanted}; this device's settings say ${dialect}`,
  );
}
