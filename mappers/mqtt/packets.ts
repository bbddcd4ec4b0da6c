/** What a broker says (pure): control packets of MQTT 3.1.1 and 5 to messages. */
import { Garbled } from '@limpet/dmi';
import type { Frame } from './frames.ts';
import { type Properties, readProperties } from './properties.ts';

/** The protocol level of CONNECT: 3.1.1 or 5. */
export type Level = 4 | 5;

/** A message as it came. Its payload is a view of what came in. */
export interface Publish {
  readonly kind: 'publish';
  readonly topic: string;
  readonly payload: Buffer;
  readonly qos: number;
  readonly retain: boolean;
  readonly dup: boolean;
  /** Only with QoS 1 and 2. */
  readonly id: number;
  /** Bytes that were left out as the payload is too large; then it is not to be used. */
  readonly skipped: number;
  readonly correlation?: Buffer;
}

export type Incoming =
  | Publish
  | {
      readonly kind: 'connack';
      readonly code: number;
      readonly present: boolean;
      readonly properties: Properties;
    }
  | {
      readonly kind: 'puback' | 'pubrec' | 'pubrel' | 'pubcomp';
      readonly id: number;
      readonly code: number;
    }
  | { readonly kind: 'suback' | 'unsuback'; readonly id: number; readonly codes: readonly number[] }
  | { readonly kind: 'pingresp' }
  | { readonly kind: 'disconnect'; readonly code: number; readonly properties: Properties };

const ACKS = { 4: 'puback', 5: 'pubrec', 6: 'pubrel', 7: 'pubcomp' } as const;
/** MQTT 3.1.1, 2.2.2: of PUBREL the flags are 2, of all others but PUBLISH 0. */
const PUBREL = 6;

/** @throws Garbled */
export function decode(frame: Frame, level: Level): Incoming {
  try {
    return packet(frame, level);
  } catch (error) {
    if (error instanceof Garbled) throw error;
    // A length that points beyond the packet.
    throw new Garbled('MQTT_PACKET', 'a control packet that ends too early', { cause: error });
  }
}

function packet(frame: Frame, level: Level): Incoming {
  const { first, body } = frame;
  const type = first >> 4;
  if (type === 3) return publish(frame, level);
  if (!isFlaggedRight(first)) throw garbled(first);
  if (isAck(type)) {
    // MQTT 5, 3.4.2.1: without a reason code it is 0.
    return { kind: ACKS[type], id: body.readUInt16BE(0), code: body[2] ?? 0 };
  }
  if (type === 13) return { kind: 'pingresp' };
  if (type === 2) return connack(body, level);
  if (type === 9) return granted(body, 'suback', level);
  if (type === 11) return granted(body, 'unsuback', level);
  if (type !== 14 || level !== 5) throw garbled(first);
  return disconnect(body);
}

/** MQTT 5, 3.14.2: without a reason code it is 0. */
function disconnect(body: Buffer): Incoming {
  const properties = body.length > 1 ? readProperties(body, 1).properties : {};
  return { kind: 'disconnect', code: body[0] ?? 0, properties };
}

function isFlaggedRight(first: number): boolean {
  return (first & 0xf) === (first >> 4 === PUBREL ? 2 : 0);
}

function isAck(type: number): type is keyof typeof ACKS {
  return type >= 4 && type <= 7;
}

function connack(body: Buffer, level: Level): Incoming {
  return {
    kind: 'connack',
    present: (body.readUInt8(0) & 1) === 1,
    code: body.readUInt8(1),
    properties: level === 5 ? readProperties(body, 2).properties : {},
  };
}

function publish({ first, body, skipped }: Frame, level: Level): Incoming {
  const qos = (first >> 1) & 3;
  if (qos === 3) throw garbled(first);
  const end = 2 + body.readUInt16BE(0);
  if (end > body.length) throw garbled(first);
  const topic = body.toString('utf8', 2, end);
  let at = end;
  let id = 0;
  if (qos > 0) {
    id = body.readUInt16BE(at);
    at += 2;
  }
  let correlation: Buffer | undefined;
  if (level === 5 && skipped === 0) {
    const read = readProperties(body, at);
    at = read.end;
    correlation = read.properties.correlation;
  }
  return {
    kind: 'publish',
    topic,
    payload: body.subarray(at),
    qos,
    retain: (first & 1) === 1,
    dup: (first & 8) === 8,
    id,
    skipped,
    ...(correlation && { correlation }),
  };
}

function granted(body: Buffer, kind: 'suback' | 'unsuback', level: Level): Incoming {
  const id = body.readUInt16BE(0);
  const start = level === 5 ? readProperties(body, 2).end : 2;
  return { kind, id, codes: [...body.subarray(start)] };
}

function garbled(first: number): Garbled {
  return new Garbled('MQTT_PACKET', `a control packet that begins with 0x${first.toString(16)}`);
}
