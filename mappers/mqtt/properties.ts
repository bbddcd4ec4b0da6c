/** The properties of MQTT 5 packets (pure), as far as a client of devices has a use for them. */
import { Garbled } from '@limpet/dmi';

export interface Properties {
  readonly expirySeconds?: number;
  readonly keepaliveSeconds?: number;
  readonly reason?: string;
  readonly responseTopic?: string;
  readonly correlation?: Buffer;
  readonly receiveMaximum?: number;
  readonly maximumPacket?: number;
  readonly maximumQos?: number;
}

type Kind = 'byte' | 'two' | 'four' | 'varint' | 'text' | 'binary' | 'pair';

/** MQTT 5, 2.2.2.2: identifier, kind of value, and under which name it is of use here. */
const KNOWN: Readonly<Record<number, readonly [kind: Kind, name?: keyof Properties]>> = {
  0x01: ['byte'],
  0x02: ['four'],
  0x03: ['text'],
  0x08: ['text', 'responseTopic'],
  0x09: ['binary', 'correlation'],
  0x0b: ['varint'],
  0x11: ['four', 'expirySeconds'],
  0x12: ['text'],
  0x13: ['two', 'keepaliveSeconds'],
  0x15: ['text'],
  0x16: ['binary'],
  0x17: ['byte'],
  0x18: ['four'],
  0x19: ['byte'],
  0x1a: ['text'],
  0x1c: ['text'],
  0x1f: ['text', 'reason'],
  0x21: ['two', 'receiveMaximum'],
  0x22: ['two'],
  0x23: ['two'],
  0x24: ['byte', 'maximumQos'],
  0x25: ['byte'],
  0x26: ['pair'],
  0x27: ['four', 'maximumPacket'],
  0x28: ['byte'],
  0x29: ['byte'],
  0x2a: ['byte'],
};

/** The properties that begin at `at`, and where they end. Absent at a packet's end: none. @throws Garbled, RangeError */
export function readProperties(
  body: Buffer,
  at: number,
): { readonly properties: Properties; readonly end: number } {
  const properties: Record<string, unknown> = {};
  if (at === body.length) return { properties, end: at };
  const [length, start] = varint(body, at);
  const end = start + length;
  if (end > body.length) throw new RangeError('properties end beyond their packet');
  for (let next = start; next < end;) {
    const known = KNOWN[body.readUInt8(next)];
    if (known === undefined) {
      throw new Garbled('MQTT_PACKET', `an unknown property 0x${body[next]?.toString(16)}`);
    }
    const [value, after] = valueAt(body, next + 1, known[0]);
    if (known[1] !== undefined) properties[known[1]] = value;
    next = after;
  }
  return { properties, end };
}

/** The same on the way out. */
export function writeProperties(properties: Properties): Buffer {
  const parts: Buffer[] = [];
  for (const [id, [kind, name]] of Object.entries(KNOWN)) {
    const value = name === undefined ? undefined : properties[name];
    if (value !== undefined) parts.push(Buffer.from([Number(id)]), valueBytes(kind, value));
  }
  const body = Buffer.concat(parts);
  return Buffer.concat([varintBytes(body.length), body]);
}

/** Seven bits a byte, the lowest first. */
export function varintBytes(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  do {
    const byte = rest % 128;
    rest = Math.floor(rest / 128);
    bytes.push(rest > 0 ? byte | 0x80 : byte);
  } while (rest > 0);
  return Buffer.from(bytes);
}

/** Two bytes of length, then the bytes. @throws RangeError when they are more than 65,535 */
export function sized(value: string | Buffer): Buffer {
  const bytes = typeof value === 'string' ? Buffer.from(value) : value;
  const head = Buffer.alloc(2);
  head.writeUInt16BE(bytes.length);
  return Buffer.concat([head, bytes]);
}

function varint(body: Buffer, at: number): readonly [value: number, end: number] {
  let value = 0;
  for (let index = 0; index < 4; index++) {
    const byte = body.readUInt8(at + index);
    value += (byte & 0x7f) * 128 ** index;
    if (byte < 0x80) return [value, at + index + 1];
  }
  throw new Garbled('MQTT_PACKET', 'a length of more than four bytes');
}

function valueAt(body: Buffer, at: number, kind: Kind): readonly [value: unknown, end: number] {
  switch (kind) {
    case 'byte':
      return [body.readUInt8(at), at + 1];
    case 'two':
      return [body.readUInt16BE(at), at + 2];
    case 'four':
      return [body.readUInt32BE(at), at + 4];
    case 'varint':
      return varint(body, at);
    case 'text':
    case 'binary': {
      const end = at + 2 + body.readUInt16BE(at);
      if (end > body.length) throw new RangeError('a property ends beyond its packet');
      const bytes = Buffer.from(body.subarray(at + 2, end));
      return [kind === 'text' ? bytes.toString() : bytes, end];
    }
    case 'pair': {
      const [, middle] = valueAt(body, at, 'text');
      return valueAt(body, middle, 'text');
    }
  }
}

function valueBytes(kind: Kind, value: number | string | Buffer): Buffer {
  if (typeof value !== 'number') return sized(value);
  const bytes = Buffer.alloc(kind === 'byte' ? 1 : kind === 'two' ? 2 : 4);
  bytes.writeUIntBE(value, 0, bytes.length);
  return bytes;
}
