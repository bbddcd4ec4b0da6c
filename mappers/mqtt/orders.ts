/** What a client says to a broker (pure): control packets of MQTT 3.1.1 and 5 as bytes. */
import type { Level } from './packets.ts';
import { type Properties, sized, varintBytes, writeProperties } from './properties.ts';

export interface Connect {
  readonly clientId: string;
  readonly username?: string;
  readonly password?: string;
  readonly keepaliveSeconds: number;
  /** Begin afresh: nothing is kept of an earlier session. */
  readonly clean: boolean;
  /** How long the broker keeps the session after the connection ended; MQTT 5 only. */
  readonly expirySeconds: number;
  /** The largest packet that is taken; told to a broker of MQTT 5. */
  readonly maximumPacket: number;
}

/** A topic filter, and the highest QoS wanted of its messages. */
export interface Filter {
  readonly topic: string;
  readonly qos: 0 | 1 | 2;
}

export interface Message {
  readonly topic: string;
  readonly payload: Buffer;
  readonly qos: 0 | 1 | 2;
  readonly retain: boolean;
  /** MQTT 5 only. */
  readonly properties?: Properties;
}

/** At most so many messages of QoS 1 and 2 may be under way to us; MQTT 5 only. */
const RECEIVE_MAXIMUM = 100;

export function connect(order: Connect, level: Level): Buffer {
  const { clientId, username, password, keepaliveSeconds, clean } = order;
  const flags =
    (clean ? 2 : 0) | (username === undefined ? 0 : 0x80) | (password === undefined ? 0 : 0x40);
  return packet(0x10, [
    sized('MQTT'),
    Buffer.from([level, flags]),
    two(keepaliveSeconds),
    propertiesOf(level, {
      expirySeconds: order.expirySeconds,
      receiveMaximum: RECEIVE_MAXIMUM,
      maximumPacket: order.maximumPacket,
    }),
    sized(clientId),
    ...[username, password].flatMap((text) => (text === undefined ? [] : [sized(text)])),
  ]);
}

export function publish(message: Message, id: number, level: Level): Buffer {
  const { topic, payload, qos, retain, properties = {} } = message;
  return packet(0x30 | (qos << 1) | (retain ? 1 : 0), [
    sized(topic),
    qos > 0 ? two(id) : NOTHING,
    propertiesOf(level, properties),
    payload,
  ]);
}

export function subscribe(filters: readonly Filter[], id: number, level: Level): Buffer {
  const parts = filters.flatMap(({ topic, qos }) => [sized(topic), Buffer.from([qos])]);
  return packet(0x82, [two(id), propertiesOf(level, {}), ...parts]);
}

export function unsubscribe(topics: readonly string[], id: number, level: Level): Buffer {
  return packet(0xa2, [two(id), propertiesOf(level, {}), ...topics.map((topic) => sized(topic))]);
}

const FIRST = { puback: 0x40, pubrec: 0x50, pubrel: 0x62, pubcomp: 0x70 } as const;

export function acknowledge(kind: keyof typeof FIRST, id: number): Buffer {
  return packet(FIRST[kind], [two(id)]);
}

export const PINGREQ: Buffer = Buffer.from([0xc0, 0]);
export const DISCONNECT: Buffer = Buffer.from([0xe0, 0]);

const NOTHING = Buffer.alloc(0);

function propertiesOf(level: Level, properties: Properties): Buffer {
  return level === 5 ? writeProperties(properties) : NOTHING;
}

function two(value: number): Buffer {
  return Buffer.from([value >> 8, value & 0xff]);
}

function packet(first: number, parts: readonly Buffer[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return Buffer.concat([Buffer.from([first]), varintBytes(length), ...parts]);
}
