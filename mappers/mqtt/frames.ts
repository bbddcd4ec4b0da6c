/** Cuts what a broker sends into control packets (pure), and never holds more of one than its ceiling. */
import { Garbled } from '@limpet/dmi';

/** One control packet. Its bytes are a view of what came in: who keeps them copies them. */
export interface Frame {
  /** Type and flags: the packet's first byte. */
  readonly first: number;
  readonly body: Buffer;
  /** How much of a large PUBLISH was left out; its topic and number are there. */
  readonly skipped: number;
}

const PUBLISH = 3;
/** What is kept of a PUBLISH that is too large. */
const HEAD_BYTES = 4_096;
/** No packet but PUBLISH has a reason to be larger. */
const MAX_OTHER_BYTES = 65_536;

export class FrameReader {
  readonly #maxBytes: number;
  #held: Buffer = Buffer.alloc(0);
  /** Bytes of a large packet that are still to come, and not wanted. */
  #skip = 0;

  /** `maxBytes`: the largest PUBLISH that is taken as a whole. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** @throws Garbled */
  push(chunk: Buffer): readonly Frame[] {
    const frames: Frame[] = [];
    let rest = this.#unskipped(chunk);
    if (this.#held.length > 0) rest = Buffer.concat([this.#held, rest]);
    for (;;) {
      const taken = this.#take(rest);
      if (taken === undefined) break;
      frames.push(taken.frame);
      rest = rest.subarray(taken.end);
    }
    // A copy: the chunk it lies in is much larger.
    this.#held = rest.length === 0 ? rest : Buffer.from(rest);
    return frames;
  }

  #unskipped(chunk: Buffer): Buffer {
    const skipped = Math.min(this.#skip, chunk.length);
    this.#skip -= skipped;
    return skipped === 0 ? chunk : chunk.subarray(skipped);
  }

  #take(bytes: Buffer): { readonly frame: Frame; readonly end: number } | undefined {
    const header = headerOf(bytes);
    if (header === undefined) return undefined;
    const { first, start, length } = header;
    const publish = first >> 4 === PUBLISH;
    const large = length > (publish ? this.#maxBytes : MAX_OTHER_BYTES);
    if (large && !publish) {
      throw new Garbled('MQTT_PACKET', `a control packet of ${length} bytes: no broker sends such`);
    }
    const kept = large ? Math.min(length, HEAD_BYTES) : length;
    const end = start + kept;
    if (bytes.length < end) return undefined;
    const body = bytes.subarray(start, end);
    const missing = length - kept;
    // Of what is left out some may be here already.
    const here = Math.min(missing, bytes.length - end);
    this.#skip = missing - here;
    return { frame: { first, body, skipped: missing }, end: end + here };
  }
}

/** MQTT 3.1.1, 2.2: type and flags, then the remaining length in 1 to 4 bytes of 7 bits. */
function headerOf(
  bytes: Buffer,
): { readonly first: number; readonly start: number; readonly length: number } | undefined {
  let length = 0;
  for (let at = 1; at <= 4; at++) {
    const byte = bytes[at];
    if (byte === undefined) return undefined;
    length += (byte & 0x7f) * 128 ** (at - 1);
    if (byte < 0x80) return { first: bytes[0] as number, start: at + 1, length };
  }
  throw new Garbled('MQTT_PACKET', 'what comes is no MQTT: check that the address is a broker');
}
