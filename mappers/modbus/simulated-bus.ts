/** Modbus devices behind one address or on one line, TCP or RTU framed, with faults on request. */
import type { Duplex } from 'node:stream';
import type { Clock } from '@limpet/dmi';
import { crc16, encodeRtu } from './rtu.ts';
import { answer, SimulatedUnit } from './simulated-unit.ts';
import { decodeTcp, encodeTcp, type TcpFrame } from './tcp.ts';

/** What goes wrong with one request. Those of them that touch bytes leave the device's registers as a good answer would. */
export type Fault =
  /** Answers this exception instead of doing anything. */
  | { readonly kind: 'exception'; readonly code: number }
  /** Does what was asked and says nothing. */
  | { readonly kind: 'silence' }
  /** Is busy for this long: this answer, and those to requests that come meanwhile, go out in order afterwards. */
  | { readonly kind: 'delay'; readonly ms: number }
  /** Adds to the transaction id (TCP), the unit or the function code of the answer. */
  | { readonly kind: 'transaction' | 'unit' | 'function'; readonly by: number }
  /** Sends the answer as these bytes: for wrong lengths, halves, duplicates, checksums. */
  | { readonly kind: 'bytes'; readonly change: (frame: Buffer) => Buffer }
  /** Sends the answer one byte at a time, so many milliseconds apart. */
  | { readonly kind: 'trickle'; readonly ms: number }
  /** Cuts the stream, after this many bytes of the answer. */
  | { readonly kind: 'cut'; readonly after: number };

type Send = (bytes: Buffer) => void;

/** Several units behind one address, or on one line. */
export class ModbusSimulator {
  readonly #clock: Clock;
  readonly #units = new Map<number, SimulatedUnit>();
  readonly #faults: Fault[] = [];
  #requests = 0;
  #busyUntilMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How many requests came for units that exist. */
  get requests(): number {
    return this.#requests;
  }

  /** The unit of this number, made when first asked for. */
  unit(number: number): SimulatedUnit {
    const known = this.#units.get(number) ?? new SimulatedUnit();
    this.#units.set(number, known);
    return known;
  }

  /** Lets this happen to the next requests, after faults injected earlier. */
  inject(fault: Fault, times = 1): void {
    for (let i = 0; i < times; i++) this.#faults.push(fault);
  }

  /** Answers on `stream` until it ends. */
  serve(stream: Duplex, framing: 'tcp' | 'rtu'): void {
    let held: Buffer = Buffer.alloc(0);
    const take = framing === 'tcp' ? takeTcp : takeRtu;
    const send: Send = (bytes) => {
      if (!stream.writableEnded && !stream.destroyed) stream.write(bytes);
    };
    stream.on('data', (chunk: Buffer) => {
      held = Buffer.concat([held, chunk]);
      try {
        const { frames, rest } = take(held);
        held = rest;
        for (const frame of frames) this.#serve(frame, framing, { send, stream });
      } catch (error) {
        stream.destroy(error instanceof Error ? error : undefined);
      }
    });
    stream.on('error', () => stream.destroy());
    stream.on('end', () => stream.end());
  }

  #serve(frame: TcpFrame, framing: 'tcp' | 'rtu', to: { send: Send; stream: Duplex }): void {
    if (frame.unit === 0 && framing === 'rtu') {
      for (const unit of this.#units.values()) answer(unit, frame.pdu);
      return;
    }
    const unit = this.#units.get(frame.unit);
    if (unit === undefined) return; // like a line: nobody there, nothing said
    this.#requests++;
    const fault = this.#faults.shift();
    const reply = { ...frame, pdu: respond(unit, frame.pdu, fault) };
    if (fault?.kind === 'transaction') reply.transaction = (frame.transaction + fault.by) & 0xffff;
    if (fault?.kind === 'unit') reply.unit = (frame.unit + fault.by) & 0xff;
    if (fault?.kind === 'function') reply.pdu.writeUInt8((frame.pdu.readUInt8() + fault.by) & 0xff);
    this.#send(framing === 'tcp' ? encodeTcp(reply) : encodeRtu(reply), fault, to);
  }

  #send(bytes: Buffer, fault: Fault | undefined, to: { send: Send; stream: Duplex }): void {
    const now = this.#clock.monotonic();
    if (fault?.kind === 'delay') this.#busyUntilMs = now + fault.ms;
    if (now < this.#busyUntilMs) this.#clock.after(this.#busyUntilMs - now, () => to.send(bytes));
    else if (fault === undefined) to.send(bytes);
    else this.#spoil(bytes, fault, to);
  }

  #spoil(bytes: Buffer, fault: Fault, to: { send: Send; stream: Duplex }): void {
    if (fault.kind === 'silence') return;
    if (fault.kind === 'bytes') to.send(fault.change(bytes));
    else if (fault.kind === 'trickle') this.#trickle(bytes, fault.ms, to.send);
    else to.send(fault.kind === 'cut' ? bytes.subarray(0, fault.after) : bytes);
    if (fault.kind === 'cut') to.stream.destroy();
  }

  #trickle(bytes: Buffer, ms: number, send: Send): void {
    send(bytes.subarray(0, 1));
    if (bytes.length > 1) this.#clock.after(ms, () => this.#trickle(bytes.subarray(1), ms, send));
  }
}

function respond(unit: SimulatedUnit, pdu: Buffer, fault: Fault | undefined): Buffer {
  if (fault?.kind === 'exception') return Buffer.from([pdu.readUInt8() | 0x80, fault.code]);
  return Buffer.from(answer(unit, pdu));
}

type Taken = { frames: TcpFrame[]; rest: Buffer };

function takeTcp(bytes: Buffer): Taken {
  const { frames, rest } = decodeTcp(bytes);
  return { frames, rest: Buffer.from(rest) };
}

/** Requests carry no length either: their function says it; what is no request is skipped by the byte. */
function takeRtu(bytes: Buffer): Taken {
  const frames: TcpFrame[] = [];
  let rest = bytes;
  while (rest.length >= 4) {
    const length = requestLength(rest);
    if (length !== undefined && rest.length < length && rest.length < 256) break;
    const frame = length === undefined ? undefined : rest.subarray(0, length);
    if (frame && frame.readUInt16LE(frame.length - 2) === crc16(frame.subarray(0, -2))) {
      frames.push({ transaction: 0, unit: frame.readUInt8(), pdu: frame.subarray(1, -2) });
      rest = rest.subarray(frame.length);
    } else rest = rest.subarray(1);
  }
  return { frames, rest: Buffer.from(rest) };
}

function requestLength(bytes: Buffer): number | undefined {
  const code = bytes.readUInt8(1);
  if (code >= 1 && code <= 6) return 8;
  if (code === 22) return 10;
  if (code === 0x2b) return 7;
  if (code === 15 || code === 16) return bytes.length < 7 ? 9 : 9 + bytes.readUInt8(6);
  return undefined;
}
