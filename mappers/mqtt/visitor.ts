/** Where a property lives on an MQTT device, and whether it can serve what the model says of it. */
import type { PropertyShape, PropertyType } from '@limpet/dmi';
import { duration, range, together, told, unknownField } from '@limpet/dmi/schema';
import * as v from 'valibot';
import { BINARY, type BinaryType, isBinary } from './binary.ts';
import { parsePath, type Steps } from './json-path.ts';
import { oneOf, qos, type Retained, retained, text, topic } from './schema.ts';

type Scalar = string | number | boolean;

/** How a value stands in a payload, or in the JSON of one. */
export interface Layout {
  readonly type: 'number' | 'bool' | 'text' | 'enum' | 'json' | 'bytes' | BinaryType;
  /** What is true and what is false, of a bool; without them the usual words are. */
  readonly on?: Scalar;
  readonly off?: Scalar;
  /** What the device says, and what it means. */
  readonly map?: ReadonlyMap<string, Scalar>;
  /** Where the bytes begin. */
  readonly byte: number;
  readonly bit?: number;
  readonly length?: number;
  readonly scale: number;
  readonly offset: number;
}

interface Response {
  readonly topic: string;
  readonly path?: Steps;
  readonly timeoutMs?: number;
}

export interface Command {
  readonly topic: string;
  /** With `{value}`: as text, and `{json}`: as JSON. Without: the value alone. */
  readonly payload?: string;
  readonly qos: 0 | 1 | 2;
  readonly retain: boolean;
  readonly response?: Response;
  /** What says that the device took it. */
  readonly confirm: 'response' | 'state' | 'broker';
}

/** Where the value comes from, by the convention of the device. */
export type Place =
  | { readonly kind: 'topic'; readonly topic: string; readonly path?: Steps }
  | { readonly kind: 'expose' | 'state' | 'sensor'; readonly path: Steps }
  | { readonly kind: 'metric'; readonly metric: string };

/** A visitor after validation. */
export interface Visitor {
  readonly place: Place;
  readonly layout: Layout;
  /** Where in the payload the device says when. */
  readonly time?: Steps;
  readonly expireMs?: number;
  readonly retained?: Retained;
  readonly command?: Command;
}

const TYPES = [
  'number',
  'bool',
  'text',
  'enum',
  'json',
  'bytes',
  ...(Object.keys(BINARY) as BinaryType[]),
] as const;
const KNOWN =
  'topic, path, expose, state, sensor, metric, type, on, off, map, byte, bit, length, scale, offset, time, expireAfter, retained, command';

const number = v.pipe(v.number('expected a number'), v.finite('expected a finite number'));
const scalar = v.union([v.string(), number, v.boolean()], 'expected text, a number, true or false');
const path = v.pipe(
  text,
  v.rawTransform<string, Steps>(({ dataset, addIssue, NEVER }) => {
    const steps = parsePath(dataset.value);
    if (typeof steps !== 'string') return steps;
    addIssue({ message: steps });
    return NEVER;
  }),
);

const response = v.strictObject(
  {
    topic: told(topic, 'where the device answers'),
    path: v.optional(told(path, 'where in its JSON the value stands')),
    timeout: v.optional(told(duration('100ms', '60s'), 'how long that may take')),
  },
  unknownField('topic, path, timeout', 'a response needs topic'),
);
const command = v.strictObject(
  {
    topic: told(topic, 'where it is published', '{topic}/relay/0/command'),
    payload: v.optional(
      told(v.pipe(text, v.maxLength(4096)), 'with {value} as text, or {json}', '{"level":{json}}'),
    ),
    qos: v.optional(told(qos, 'of the publication'), 1),
    retain: v.optional(
      told(v.boolean('expected true or false'), 'whether the broker keeps it'),
      false,
    ),
    response: v.optional(told(response, 'what the device answers')),
    confirm: v.optional(
      told(
        oneOf('response', 'state', 'broker'),
        'what says that the device took it; default: its response, or its state',
      ),
    ),
  },
  unknownField('topic, payload, qos, retain, response, confirm', 'a command needs topic'),
);

const fields = v.strictObject(
  {
    topic: v.optional(
      told(topic, "where it is told; default: the device's topic", '{topic}/relay/0'),
    ),
    path: v.optional(
      told(path, 'where in the JSON of the payload', '$.sensors[0].value', '/energy/total'),
    ),
    expose: v.optional(
      told(path, 'Zigbee2MQTT: the name of what the device exposes', 'temperature'),
    ),
    state: v.optional(told(path, 'Tasmota: the path in its state', 'POWER')),
    sensor: v.optional(told(path, 'Tasmota: the path in what its sensors tell', 'ENERGY.Power')),
    metric: v.optional(told(text, 'Sparkplug: the name of the metric', 'Inputs/Temperature')),
    type: v.optional(told(oneOf(...TYPES), 'how the value is written'), 'number'),
    on: v.optional(told(scalar, 'of a bool: what is true', 'ON')),
    off: v.optional(told(scalar, 'of a bool: what is false', 'OFF')),
    map: v.optional(
      told(
        v.record(v.string(), scalar, 'expected pairs of what the device says and what it means'),
        'of an enum: what the device says, and what it means',
        { '0': 'idle', '1': 'running' },
      ),
    ),
    byte: v.optional(told(range(0, 65_535), 'where its bytes begin')),
    bit: v.optional(told(range(0, 63), 'of a bool in a whole number; 0 is the least')),
    length: v.optional(told(range(1, 65_536), 'of bytes: how many')),
    scale: v.optional(
      told(
        v.pipe(number, v.notValue(0, 'a scale of 0 loses the value')),
        'the value is raw times scale plus offset',
        0.1,
      ),
    ),
    offset: v.optional(told(number, 'see scale')),
    time: v.optional(told(path, 'where in the JSON the device says when', '$.time')),
    expireAfter: v.optional(told(duration('1s', '168h'), 'as in the settings, for this one')),
    retained: v.optional(told(retained, 'as in the settings, for this one')),
    command: v.optional(told(command, 'how it is written')),
  },
  unknownField(KNOWN, 'missing'),
);
type Fields = v.InferOutput<typeof fields>;

/** The schema of an MQTT visitor. */
export const visitor = v.pipe(fields, together(faults), v.transform(explicit));

/** Why this visitor can never serve this property; `undefined` when it can. */
export function fits(
  { place, layout, command }: Visitor,
  property: PropertyShape,
): string | undefined {
  const { type } = layout;
  if (property.access === 'readWrite') {
    if (command === undefined && (place.kind === 'topic' || place.kind === 'sensor')) {
      return 'nothing says how it is written: add command: {topic}, or use access: read';
    }
    if (isBinary(type) && (layout.byte !== 0 || layout.bit !== undefined)) {
      return 'a part of a payload cannot be written alone; use access: read';
    }
  }
  if (type === 'enum') return enumMisfit(layout, property);
  const wants = propertyTypes(layout);
  if (wants.includes(property.type)) return undefined;
  return `type ${type} holds ${wants.join(' or ')}, not ${property.type}; set type`;
}

function enumMisfit({ map }: Layout, { type }: PropertyShape): string | undefined {
  const kinds: Partial<Record<PropertyType, string>> = {
    string: 'string',
    int: 'number',
    float: 'number',
    bool: 'boolean',
  };
  const wrong = [...(map?.values() ?? [])].some((meaning) => typeof meaning !== kinds[type]);
  return wrong ? `map: what the values mean must be of the property's type, ${type}` : undefined;
}

function propertyTypes({ type, bit }: Layout): readonly PropertyType[] {
  if (bit !== undefined) return ['bool'];
  if (type === 'number') return ['float', 'int'];
  if (type === 'text') return ['string'];
  if (type === 'bool' || type === 'json' || type === 'bytes') return [type];
  return type.startsWith('float') ? ['float'] : ['int', 'float'];
}

type Checks = readonly (readonly [wrong: boolean, message: string])[];

function faults(fields: Fields): string[] {
  const checks = [...placeFaults(fields), ...wordFaults(fields), ...byteFaults(fields)];
  return [...checks, ...commandFaults(fields)].flatMap(([wrong, message]) =>
    wrong ? [message] : [],
  );
}

function placeFaults({ expose, state, sensor, metric, topic, path }: Fields): Checks {
  const named = [expose, state, sensor, metric].filter((place) => place !== undefined).length;
  return [
    [named > 1, 'give one of expose (Zigbee2MQTT), state, sensor (Tasmota), metric (Sparkplug)'],
    [
      named > 0 && (topic ?? path) !== undefined,
      'topic, path: not with expose, state, sensor or metric',
    ],
  ];
}

function wordFaults({ type, map, on, off }: Fields): Checks {
  return [
    [(type === 'enum') !== (map !== undefined), 'map: goes with type enum'],
    [type !== 'bool' && (on ?? off) !== undefined, 'on, off: go with type bool'],
    [(on === undefined) !== (off === undefined), 'on, off: give both'],
  ];
}

function byteFaults({ type, byte, length, bit, path, scale, offset }: Fields): Checks {
  const binary = isBinary(type);
  const sliced = binary || type === 'bytes';
  const numeric = type === 'number' || (binary && bit === undefined);
  return [
    [!sliced && (byte ?? length) !== undefined, 'byte, length: go with bytes and numbers of bytes'],
    [binary && length !== undefined, `length: ${type} has its own`],
    [!hasBit(type, bit), 'bit: goes with a whole number of bytes that has it'],
    [sliced && path !== undefined, `path: ${type} lies in bytes, not in JSON`],
    [!numeric && (scale ?? offset) !== undefined, `scale, offset: not with ${type}`],
  ];
}

function hasBit(type: Layout['type'], bit = -1): boolean {
  return bit < 0 || (isBinary(type) && !type.startsWith('float') && bit < BINARY[type] * 8);
}

function commandFaults({ type, command }: Fields): Checks {
  const { payload, confirm, response } = command ?? {};
  const sliced = isBinary(type) || type === 'bytes';
  return [
    [
      payload !== undefined && (sliced || !/\{(value|json)\}/.test(payload)),
      'command: payload needs {value} or {json}, and goes with neither bytes nor numbers of bytes',
    ],
    [
      confirm === 'response' && response === undefined,
      'command: confirm response needs response: {topic}',
    ],
  ];
}

function explicit(fields: Fields): Visitor {
  const { time, expireAfter, retained } = fields;
  return {
    place: placeOf(fields),
    layout: layoutOf(fields),
    ...(time && { time }),
    ...(expireAfter !== undefined && { expireMs: expireAfter }),
    ...(retained && { retained }),
    ...(fields.command && { command: commandOf(fields.command) }),
  };
}

function placeOf({ expose, state, sensor, metric, topic = '{topic}', path }: Fields): Place {
  if (metric !== undefined) return { kind: 'metric', metric };
  if (expose !== undefined) return { kind: 'expose', path: expose };
  if (state !== undefined) return { kind: 'state', path: state };
  if (sensor !== undefined) return { kind: 'sensor', path: sensor };
  return { kind: 'topic', topic, ...(path && { path }) };
}

function layoutOf({
  type,
  on,
  off,
  map,
  byte = 0,
  bit,
  length,
  scale = 1,
  offset = 0,
}: Fields): Layout {
  return {
    type,
    ...(on !== undefined && off !== undefined && { on, off }),
    ...(map && { map: new Map(Object.entries(map)) }),
    byte,
    ...(bit !== undefined && { bit }),
    ...(length !== undefined && { length }),
    scale,
    offset,
  };
}

function commandOf({
  response,
  confirm,
  payload,
  ...rest
}: NonNullable<Fields['command']>): Command {
  return {
    ...rest,
    ...(payload !== undefined && { payload }),
    ...(response && {
      response: {
        topic: response.topic,
        ...(response.path && { path: response.path }),
        ...(response.timeout !== undefined && { timeoutMs: response.timeout }),
      },
    }),
    confirm: confirm ?? (response === undefined ? 'state' : 'response'),
  };
}
