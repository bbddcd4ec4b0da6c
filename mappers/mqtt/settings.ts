/** How a device is reached over MQTT: what a manifest's `settings` may say, checked once and made explicit. */
import { duration, range, unknownField } from '@limpet/dmi/schema';
import * as v from 'valibot';
import { oneOf, qos, type Retained, retained, text, topic } from './schema.ts';

/** Which convention the device follows for its topics and payloads. */
export type Dialect = 'plain' | 'sparkplug-b' | 'zigbee2mqtt' | 'tasmota';

/** PEM text, or the name of a file in the mapper's folder. */
export interface Tls {
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly servername?: string | undefined;
}

/** What the connection with the broker depends on: devices for which it is equal share one. */
export interface Link {
  readonly host: string;
  readonly port: number;
  readonly tls?: Tls;
  readonly username?: string;
  readonly password?: string;
  readonly passwordFile?: string;
  readonly clientId?: string;
  readonly keepaliveSeconds: number;
  readonly level: 4 | 5;
  /** How long the broker keeps the session; 0: a clean one each time. */
  readonly sessionSeconds: number;
  readonly maxPayload: number;
  readonly timeoutMs: number;
}

export interface Availability {
  readonly topic: string;
  readonly online: string;
  readonly offline: string;
}

/** Where a Sparkplug device is: an edge node, or a device behind one. */
export interface Sparkplug {
  readonly group: string;
  readonly node: string;
  readonly device?: string;
}

/** Settings after validation. */
export interface Settings {
  readonly link: Link;
  readonly dialect: Dialect;
  /** A template; see `template.ts`. */
  readonly topic: string;
  readonly variables: Readonly<Record<string, string>>;
  readonly availability?: Availability;
  readonly sparkplug?: Sparkplug;
  readonly qos: 0 | 1 | 2;
  readonly retained: Retained;
  readonly expireMs: number;
}

const ADDRESS = 'expected mqtt://HOST[:1883] or mqtts://HOST[:8883]';
const KNOWN =
  'broker, tls, username, password, passwordFile, clientId, keepalive, version, session, maxPayload, timeout, dialect, topic, variables, availability, sparkplug, qos, retained, expireAfter';

const broker = v.pipe(
  v.string(ADDRESS),
  v.rawTransform<string, { secure: boolean; host: string; port: number }>((context) => {
    const { dataset, addIssue, NEVER } = context;
    const [, scheme, host, digits] =
      /^(mqtts?):\/\/(\[[0-9a-fA-F:.]+\]|[^/:?#@[\]\s]+)(?::(\d{1,5}))?\/?$/.exec(dataset.value) ??
      [];
    const port = Number(digits ?? (scheme === 'mqtts' ? 8883 : 1883));
    if (host !== undefined && port > 0 && port < 65_536) {
      return { secure: scheme === 'mqtts', host, port };
    }
    addIssue({ message: `${ADDRESS}; user and password have fields of their own` });
    return NEVER;
  }),
);

/** A name with its own `/`, `+` or `#` would be another topic. */
const level = v.pipe(text, v.regex(/^[^/+#]+$/, 'expected one level of a topic, without / + #'));
const pem = v.pipe(
  v.string('expected PEM text, or the name of a file'),
  v.maxLength(65_536, 'expected at most 64 KiB'),
  v.regex(
    /^(?:[\w-][\w.-]{0,99}|[^]*-----BEGIN [^]*)$/,
    "expected PEM text (-----BEGIN …), or the name of a file in the mapper's folder, without a path",
  ),
);
const file = v.pipe(
  v.string('expected the name of a file'),
  v.regex(
    /^[\w-][\w.-]{0,99}$/,
    "expected the name of a file in the mapper's folder, without a path",
  ),
);

const fields = v.strictObject(
  {
    broker,
    tls: v.optional(
      v.strictObject(
        {
          ca: v.optional(pem),
          cert: v.optional(pem),
          key: v.optional(pem),
          servername: v.optional(text),
        },
        unknownField('ca, cert, key, servername', 'missing'),
      ),
    ),
    username: v.optional(text),
    password: v.optional(text),
    passwordFile: v.optional(file),
    clientId: v.optional(v.pipe(text, v.maxLength(128, 'expected at most 128 characters'))),
    keepalive: v.optional(duration('1s', '1h'), '30s'),
    version: v.optional(oneOf('3.1.1', '5'), '3.1.1'),
    session: v.optional(duration('0s', '168h'), '0s'),
    maxPayload: v.optional(range(64, 1_048_576), 65_536),
    timeout: v.optional(duration('100ms', '60s'), '5s'),
    dialect: v.optional(oneOf('plain', 'sparkplug-b', 'zigbee2mqtt', 'tasmota'), 'plain'),
    topic: v.optional(topic),
    variables: v.optional(
      v.record(v.pipe(text, v.regex(/^\w+$/, 'expected letters and digits')), text),
      {},
    ),
    availability: v.optional(
      v.strictObject(
        { topic, online: v.optional(text, 'online'), offline: v.optional(text, 'offline') },
        unknownField('topic, online, offline', 'availability needs topic'),
      ),
    ),
    sparkplug: v.optional(
      v.strictObject(
        { group: level, node: level, device: v.optional(level) },
        unknownField('group, node, device', 'sparkplug needs group and node'),
      ),
    ),
    qos: v.optional(qos, 1),
    retained: v.optional(retained, 'stale'),
    expireAfter: v.optional(duration('1s', '168h')),
  },
  unknownField(KNOWN, `broker: required; ${ADDRESS}`),
);
type Fields = v.InferOutput<typeof fields>;

/** The schema of an MQTT device's settings. */
export const settings = v.pipe(
  fields,
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return;
    for (const message of faults(dataset.value)) addIssue({ message });
  }),
  v.transform(explicit),
);

function faults(fields: Fields): string[] {
  const { broker, tls, session, clientId, dialect } = fields;
  const checks: readonly (readonly [wrong: boolean, message: string])[] = [
    [tls !== undefined && !broker.secure, 'tls: counts with mqtts:// only; write the broker so'],
    [(tls?.cert === undefined) !== (tls?.key === undefined), 'tls: cert and key go together'],
    [
      fields.password !== undefined && fields.passwordFile !== undefined,
      'password: give either password or passwordFile',
    ],
    [
      fields.username === undefined && (fields.password ?? fields.passwordFile) !== undefined,
      'username: a password needs a username',
    ],
    [
      session > 0 && clientId === undefined,
      'clientId: a session that outlives its connection needs one of its own',
    ],
    [
      (dialect === 'sparkplug-b') !== (fields.sparkplug !== undefined),
      'sparkplug: {group, node, device} goes with dialect sparkplug-b',
    ],
    [
      dialect === 'tasmota' && fields.topic === undefined,
      'topic: a tasmota device needs its topic',
    ],
  ];
  return checks.flatMap(([wrong, message]) => (wrong ? [message] : []));
}

function explicit(fields: Fields): Settings {
  const { dialect, sparkplug, expireAfter } = fields;
  const availability = fields.availability ?? AVAILABILITY[dialect];
  return {
    link: linkOf(fields),
    dialect,
    topic: fields.topic ?? (dialect === 'zigbee2mqtt' ? 'zigbee2mqtt/{name}' : '{name}'),
    variables: fields.variables,
    ...(availability && { availability }),
    ...(sparkplug && { sparkplug: sparkplug as Sparkplug }),
    qos: fields.qos,
    retained: fields.retained,
    expireMs: expireAfter ?? Infinity,
  };
}

/** What each convention has for the device's last will. */
const AVAILABILITY: Readonly<Record<Dialect, Availability | undefined>> = {
  plain: undefined,
  'sparkplug-b': undefined,
  zigbee2mqtt: { topic: '{topic}/availability', online: 'online', offline: 'offline' },
  tasmota: { topic: 'tele/{topic}/LWT', online: 'Online', offline: 'Offline' },
};

function linkOf(fields: Fields): Link {
  const { broker, tls, username, password, passwordFile, clientId } = fields;
  return {
    host: broker.host,
    port: broker.port,
    ...(broker.secure && { tls: tls ?? {} }),
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(passwordFile !== undefined && { passwordFile }),
    ...(clientId !== undefined && { clientId }),
    keepaliveSeconds: Math.round(fields.keepalive / 1000),
    level: fields.version === '5' ? 5 : 4,
    sessionSeconds: Math.round(fields.session / 1000),
    maxPayload: fields.maxPayload,
    timeoutMs: fields.timeout,
  };
}
