/** Modbus RTU framing. MODBUS over serial line V1.02, §2.5.1. */
import { type DmiError, Garbled, Unreachable } from '@limpet/dmi';
import { type Framing, type Outcome, WAITING } from './framing.ts';
import { impliedLength, longestReply, mismatch, replyLength, type Request } from './pdu.ts';
import type { Line } from './settings.ts';

/** Bytes held while looking for an answer; the longest frame is 256. More than this is a babbling line. */
const MAX_HELD = 1024;
/** Unit and CRC around a PDU. */
const OVERHEAD = 3;
/** The shortest frame, an exception. Fewer bytes after an answer are the glitch of a line driver letting go. */
export const SHORTEST = 5;

/** The check over a frame; sent low byte first (§2.5.1.2). */
export function crc16(bytes: Uint8Array): number {
  let crc = 0xffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >> 1) ^ 0xa001 : crc >> 1;
  }
  return crc;
}

/** A PDU as one RTU frame. */
export function encodeRtu({ unit, pdu }: Request): Buffer {
  const frame = Buffer.alloc(pdu.length + OVERHEAD);
  frame.writeUInt8(unit, 0);
  pdu.copy(frame, 1);
  frame.writeUInt16LE(crc16(frame.subarray(0, -2)), frame.length - 2);
  return frame;
}

/** The silence between frames in whole milliseconds: 3.5 characters, and 1.75 ms above 19,200 Bd (§2.5.1.1). */
export function silenceMs(line: Line | undefined): number {
  if (line === undefined || line.baud > 19_200) return 2;
  return Math.ceil((3.5 * line.bits * 1000) / line.baud);
}

/** How long `bytes` take on the line. */
export function transferMs(line: Line | undefined, bytes: number): number {
  return line === undefined ? 0 : Math.ceil((bytes * line.bits * 1000) / line.baud);
}

/** The bytes on the line for a request and its answer. */
export function exchangeBytes(pdu: Buffer): number {
  return pdu.length + longestReply(pdu) + 2 * OVERHEAD;
}

/**
 * One connection's half of a conversation in RTU frames.
 *
 * An RTU frame carries no length and no number: what ends it is known from the request, and nothing
 * but unit, function and size tells one answer from another. So every byte from before the request is
 * forgotten, and frames of other units or sizes are passed over, never returned.
 */
export class RtuFraming implements Framing {
  #held: Buffer = Buffer.alloc(0);
  #request: Request = { unit: 0, pdu: Buffer.alloc(1) };
  #wrong: string | undefined;
  #received = 0;

  begin(request: Request): Buffer {
    this.#held = Buffer.alloc(0);
    this.#request = request;
    this.#wrong = undefined;
    this.#received = 0;
    return encodeRtu(request);
  }

  receive(chunk: Buffer): Outcome {
    this.#received += chunk.length;
    this.#held = Buffer.concat([this.#held, chunk]);
    if (this.#received > MAX_HELD) {
      const message = `${this.#received} bytes without an answer: the line babbles`;
      return { kind: 'broken', error: new Unreachable('MODBUS_NOISE', message) };
    }
    const found = this.#scan();
    if (found !== undefined) return found;
    const expected = replyLength(this.#request.pdu) + OVERHEAD;
    return this.#received < expected ? WAITING : { kind: 'spoilt', error: this.#spoilt() };
  }

  idle(): void {
    this.#held = Buffer.alloc(0);
  }

  overdue(timeoutMs: number): DmiError {
    if (this.#wrong !== undefined) return this.#spoilt();
    const message =
      this.#received === 0
        ? `no answer within ${timeoutMs} ms`
        : `${this.#received} bytes but no whole answer within ${timeoutMs} ms`;
    return new Unreachable('MODBUS_TIMEOUT', message);
  }

  #spoilt(): DmiError {
    if (this.#wrong !== undefined) return new Garbled('MODBUS_REPLY', this.#wrong);
    return new Unreachable('MODBUS_CRC', 'the answer came with a wrong checksum');
  }

  /** The awaited PDU, found behind noise and frames of others. Two that fit mean that the first one is late. */
  #scan(): Outcome | undefined {
    let start = 0;
    while (start < this.#held.length) {
      const frame = wholeFrame(this.#held.subarray(start));
      if (frame === undefined) {
        start++;
        continue;
      }
      const pdu = frame.subarray(1, -2);
      if (frame[0] === this.#request.unit) {
        const wrong = mismatch(this.#request.pdu, pdu);
        const more = this.#held.length - start - frame.length;
        if (wrong === undefined)
          return more < SHORTEST ? { kind: 'reply', pdu } : { kind: 'broken', error: tooMany() };
        this.#wrong = wrong;
      }
      start += frame.length;
      this.#held = this.#held.subarray(start);
      start = 0;
    }
    return undefined;
  }
}

/** More came back than was asked for. */
export function tooMany(): Unreachable {
  return new Unreachable('MODBUS_LATE', 'more than one answer came to one request');
}

/** The frame at the front of `bytes`, if a whole one with a good checksum stands there. */
function wholeFrame(bytes: Buffer): Buffer | undefined {
  const length = impliedLength(bytes.subarray(1));
  if (length === undefined || bytes.length < length + OVERHEAD) return undefined;
  const frame = bytes.subarray(0, length + OVERHEAD);
  return frame.readUInt16LE(length + 1) === crc16(frame.subarray(0, -2)) ? frame : undefined;
}
