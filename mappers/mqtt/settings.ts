/** How a device is reached over MQTT: what a manifest's `settings` may say, checked once and made explicit. */
import { duration, range, together, told, unknownField } from '@limpet/dmi/schema';
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
    broker: told(broker, 'where the broker is', 'mqtt://10.0.0.5', 'mqtts://broker.example:8883'),
    tls: v.optional(
      told(
        v.strictObject(
          {
            ca: v.optional(told(pem, 'PEM or file: the authority of the broker', 'ca.pem')),
            cert: v.optional(told(pem, 'PEM or file: our certificate, if the broker wants one')),
            key: v.optional(told(pem, 'PEM or file: its private key')),
            servername: v.optional(
              told(text, 'the name in the certificate, if it is not the host'),
            ),
          },
          unknownField('ca, cert, key, servername', 'missing'),
        ),
        'certificates, with mqtts://',
      ),
    ),
    username: v.optional(told(text, 'of the broker')),
    password: v.optional(told(text, 'better in a file: settings travel to the cloud')),
    passwordFile: v.optional(
      told(file, "a file in the mapper's folder that holds the password", 'broker.password'),
    ),
    clientId: v.optional(
      told(
        v.pipe(text, v.maxLength(128, 'expected at most 128 characters')),
        'our name at the broker; default: a random one',
      ),
    ),
    keepalive: v.optional(
      told(duration('1s', '1h'), 'how often the broker hears of us at least'),
      '30s',
    ),
    version: v.optional(told(oneOf('3.1.1', '5'), 'of the protocol'), '3.1.1'),
    session: v.optional(
      told(duration('0s', '168h'), 'how long the broker keeps what we missed; 0s: not'),
      '0s',
    ),
    maxPayload: v.optional(
      told(range(64, 1_048_576), 'the longest payload that is taken, in bytes'),
      65_536,
    ),
    timeout: v.optional(
      told(duration('100ms', '60s'), 'how long the broker, or a confirmation, may take'),
      '5s',
    ),
    dialect: v.optional(
      told(oneOf('plain', 'sparkplug-b', 'zigbee2mqtt', 'tasmota'), 'the convention of the device'),
      'plain',
    ),
    topic: v.optional(
      told(topic, "the device's own topic; {name} is the device's name", 'shellies/{name}'),
    ),
    variables: v.optional(
      told(
        v.record(v.pipe(text, v.regex(/^\w+$/, 'expected letters and digits')), text),
        'more names for topics',
        { line: 'a' },
      ),
      {},
    ),
    availability: v.optional(
      told(
        v.strictObject(
          {
            topic: told(topic, 'its last will', '{topic}/availability'),
            online: v.optional(told(text, 'what it says there when it comes'), 'online'),
            offline: v.optional(told(text, 'and when it goes'), 'offline'),
          },
          unknownField('topic, online, offline', 'availability needs topic'),
        ),
        'where the device says whether it is there',
      ),
    ),
    sparkplug: v.optional(
      told(
        v.strictObject(
          {
            group: told(level, 'its group', 'plant-1'),
            node: told(level, 'its edge node', 'press-4'),
            device: v.optional(told(level, 'behind that node; default: the node itself')),
          },
          unknownField('group, node, device', 'sparkplug needs group and node'),
        ),
        'where the device is, with dialect sparkplug-b',
      ),
    ),
    qos: v.optional(told(qos, 'of orders'), 1),
    retained: v.optional(told(retained, 'what becomes of values that the broker kept'), 'stale'),
    expireAfter: v.optional(
      told(duration('1s', '168h'), 'when a value that was not told again goes stale', '10m'),
    ),
  },
  unknownField(KNOWN, `broker: required; ${ADDRESS}`),
);
type Fields = v.InferOutput<typeof fields>;

/** The schema of an MQTT device's settings. */
export const settings = v.pipe(fields, together(faults), v.transform(explicit));

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
