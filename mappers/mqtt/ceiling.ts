/**
 * A ceiling for what a broker sends (pure): the library would gather packets of up to 256 MB. Of a larger PUBLISH the
 * topic and the number go on, so that it is acknowledged and does not come again for ever.
 */
import { Garbled } from '@limpet/dmi';
import type { Level } from './messages.ts';

const PUBLISH = 3;
/** No packet but PUBLISH has a reason to be larger. */
const MAX_OTHER_BYTES = 65_536;
/** Stands in place of a payload that was left out, before its size: known to nobody outside this process. */
const MARK = Buffer.from(Array.from({ length: 16 }, () => Math.floor(Math.random() * 256)));
const NOTHING = Buffer.alloc(0);

interface Header {
  readonly first: number;
  /** Where the packet's body begins. */
  readonly start: number;
  readonly length: number;
}

export class Ceiling {
  readonly #maxBytes: number;
  readonly #level: Level;
  /** The beginning of a packet that cannot be judged yet. */
  #held: Buffer = NOTHING;
  /** Bytes of the packet under way that are still to come and go on, or are left out. */
  #rest = 0;
  #skips = false;

  /** `maxBytes`: the largest PUBLISH that goes on as a whole. */
  constructor(maxBytes: number, level: Level) {
    this.#maxBytes = maxBytes;
    this.#level = level;
  }

  /** What of `chunk` goes on: views of it, but for what was held. @throws Garbled */
  take(chunk: Buffer): readonly Buffer[] {
    const bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    this.#held = NOTHING;
    const parts: Buffer[] = [];
    let from = 0;
    for (let at = 0; at < bytes.length;) {
      if (this.#rest > 0) {
        const here = Math.min(this.#rest, bytes.length - at);
        this.#rest -= here;
        at += here;
        if (this.#skips) from = at;
        continue;
      }
      const header = headerOf(bytes, at);
      if (header !== undefined && this.#fits(header)) {
        this.#skips = false;
        this.#rest = header.length;
        at = header.start;
        continue;
      }
      if (at > from) parts.push(bytes.subarray(from, at));
      const head = header && headOf(bytes, header);
      from = bytes.length;
      if (header === undefined || head === undefined) {
        // A copy: the chunk it lies in is much larger.
        this.#held = Buffer.from(bytes.subarray(at));
      } else {
        parts.push(this.#emptied(header, head));
        from = header.start + head.length;
      }
      at = from;
    }
    if (bytes.length > from) parts.push(bytes.subarray(from));
    return parts;
  }

  #fits({ first, length }: Header): boolean {
    if (first >> 4 === PUBLISH) return length <= this.#maxBytes;
    if (length <= MAX_OTHER_BYTES) return true;
    throw new Garbled('MQTT_PACKET', `a control packet of ${length} bytes: no broker sends such`);
  }

  /** The same PUBLISH with a mark as its payload; the rest is left out as it comes. */
  #emptied({ first, length }: Header, head: Buffer): Buffer {
    this.#skips = true;
    this.#rest = length - head.length;
    const size = Buffer.alloc(4);
    size.writeUInt32BE(this.#rest);
    const properties = this.#level === 5 ? Buffer.from([0]) : NOTHING;
    const body = Buffer.concat([head, properties, MARK, size]);
    return Buffer.concat([Buffer.from([first]), varint(body.length), body]);
  }
}

/** How many bytes were left out of the message with this payload: none of most. */
export function skippedOf(payload: Buffer): number {
  if (payload.length !== MARK.length + 4 || !payload.subarray(0, MARK.length).equals(MARK))
    return 0;
  return payload.readUInt32BE(MARK.length);
}

/** MQTT 3.1.1, 2.2: type and flags, then the remaining length in 1 to 4 bytes of 7 bits. @throws Garbled */
function headerOf(bytes: Buffer, from: number): Header | undefined {
  let length = 0;
  for (let at = 1; at <= 4; at++) {
    const byte = bytes[from + at];
    if (byte === undefined) return undefined;
    length += (byte & 0x7f) * 128 ** (at - 1);
    if (byte < 0x80) return { first: bytes[from] as number, start: from + at + 1, length };
  }
  throw new Garbled('MQTT_PACKET', 'what comes is no MQTT: check that the address is a broker');
}

/** MQTT 3.1.1, 3.3.2: the topic, and above QoS 0 a number. `undefined` until it is there. @throws Garbled */
function headOf(bytes: Buffer, { first, start, length }: Header): Buffer | undefined {
  if (bytes.length < start + 2) return undefined;
  const size = 2 + bytes.readUInt16BE(start) + ((first & 6) === 0 ? 0 : 2);
  if (size > length) throw new Garbled('MQTT_PACKET', 'a message whose topic is longer than it is');
  return bytes.length < start + size ? undefined : bytes.subarray(start, start + size);
}

/** Seven bits a byte, the lowest first; of no more than two million. */
function varint(value: number): Buffer {
  const bytes = [value % 128, Math.floor(value / 128) % 128, Math.floor(value / 16_384)];
  const used = bytes[2] ? 3 : bytes[1] ? 2 : 1;
  return Buffer.from(bytes.slice(0, used).map((byte, at) => (at < used - 1 ? byte | 0x80 : byte)));
}
