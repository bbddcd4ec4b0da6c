/** Modbus TCP framing. MODBUS Messaging on TCP/IP Implementation Guide V1.0b, §3.1. */
import { type DmiError, Garbled, Unreachable } from '@limpet/dmi';
import { type Framing, type Outcome, WAITING } from './framing.ts';
import { mismatch, type Request } from './pdu.ts';

/** One MBAP frame. */
export interface TcpFrame {
  readonly transaction: number;
  readonly unit: number;
  readonly pdu: Buffer;
}

/** Transaction id, protocol id, length, unit. */
const HEADER = 7;
/** Frames that answer somebody else, in one exchange, after which the stream is given up. */
const MAX_STRAYS = 32;
/** How far back a transaction id counts as an answer to one of our own requests that we gave up. */
const OWN_PAST = 64;

/** A frame as bytes. */
export function encodeTcp({ transaction, unit, pdu }: TcpFrame): Buffer {
  const header = Buffer.alloc(HEADER);
  header.writeUInt16BE(transaction, 0);
  header.writeUInt16BE(pdu.length + 1, 4);
  header.writeUInt8(unit, 6);
  return Buffer.concat([header, pdu]);
}

/**
 * Takes whole frames off the front of `bytes`; what is left waits for more.
 * @throws Garbled when the header cannot be Modbus: from there on the stream has lost its frames.
 */
export function decodeTcp(bytes: Buffer): { frames: TcpFrame[]; rest: Buffer } {
  const frames: TcpFrame[] = [];
  let rest = bytes;
  while (rest.length >= HEADER - 1) {
    const protocol = rest.readUInt16BE(2);
    const length = rest.readUInt16BE(4);
    if (protocol !== 0)
      throw new Garbled('MODBUS_PROTOCOL', `protocol id ${protocol} in a frame, expected 0`);
    // unit and function at least; a PDU has at most 253 bytes
    if (length < 2 || length > 254)
      throw new Garbled('MODBUS_LENGTH', `a frame length of ${length}, expected 2 to 254`);
    if (rest.length < 6 + length) break;
    frames.push({
      transaction: rest.readUInt16BE(0),
      unit: rest.readUInt8(6),
      pdu: rest.subarray(HEADER, 6 + length),
    });
    rest = rest.subarray(6 + length);
  }
  return { frames, rest };
}

/**
 * One connection's half of a Modbus TCP conversation.
 *
 * Invariant: an answer counts only with the transaction id of the request in flight. Ids start at a
 * random number, because a gateway's connection is shared by devices that count independently: an
 * answer meant for another of them must not look like one of ours.
 */
export class TcpFraming implements Framing {
  #held: Buffer = Buffer.alloc(0);
  #transaction: number;
  #request: Request = { unit: 0, pdu: Buffer.alloc(1) };
  #strays = 0;
  #foreign = 0;
  #broken: Garbled | undefined;

  constructor(firstTransaction: number) {
    this.#transaction = firstTransaction;
  }

  begin(request: Request): Buffer {
    if (this.#broken !== undefined) throw this.#broken;
    this.#transaction = (this.#transaction + 1) & 0xffff;
    this.#request = request;
    this.#strays = 0;
    this.#foreign = 0;
    return encodeTcp({ transaction: this.#transaction, ...request });
  }

  receive(chunk: Buffer): Outcome {
    try {
      for (const frame of this.#take(chunk)) {
        const outcome = this.#judge(frame);
        if (outcome.kind !== 'waiting') return outcome;
      }
      return WAITING;
    } catch (error) {
      if (error instanceof Garbled) return { kind: 'broken', error };
      throw error;
    }
  }

  /** Late answers are dropped here; the first half of one is held, so that the stream keeps its frames. */
  idle(chunk: Buffer): void {
    try {
      this.#take(chunk);
    } catch (error) {
      if (!(error instanceof Garbled)) throw error;
      this.#broken = error; // reported to whoever asks next
    }
  }

  overdue(timeoutMs: number): DmiError {
    if (this.#held.length > 0)
      return new Garbled('MODBUS_TRUNCATED', `half an answer came within ${timeoutMs} ms`);
    if (this.#foreign > 0)
      return new Garbled('MODBUS_TRANSACTION', 'answers came, but with other transaction ids');
    return new Unreachable('MODBUS_TIMEOUT', `no answer within ${timeoutMs} ms`);
  }

  #take(chunk: Buffer): TcpFrame[] {
    const { frames, rest } = decodeTcp(Buffer.concat([this.#held, chunk]));
    this.#held = Buffer.from(rest);
    return frames;
  }

  #judge({ transaction, unit, pdu }: TcpFrame): Outcome {
    if (transaction !== this.#transaction) return this.#stray(transaction, unit);
    if (unit !== this.#request.unit) {
      const message = `unit ${unit} answered, expected ${this.#request.unit}`;
      return { kind: 'broken', error: new Garbled('MODBUS_UNIT', message) };
    }
    const wrong = mismatch(this.#request.pdu, pdu);
    if (wrong === undefined) return { kind: 'reply', pdu };
    return { kind: 'broken', error: new Garbled('MODBUS_REPLY', wrong) };
  }

  /** An answer to a request that we gave up, or to another device of a shared connection. */
  #stray(transaction: number, unit: number): Outcome {
    const age = (this.#transaction - transaction) & 0xffff;
    if (unit === this.#request.unit && age > OWN_PAST) this.#foreign++;
    this.#strays++;
    if (this.#strays <= MAX_STRAYS) return WAITING;
    const message = `${this.#strays} answers that nobody asked for`;
    return { kind: 'broken', error: new Garbled('MODBUS_FLOOD', message) };
  }
}
