/** One simulated Modbus unit: its four tables, and what it answers to a request. */
import { EventEmitter } from 'node:events';
import type { Table } from './visitor.ts';

/** A register that a master wrote. */
export interface Written {
  readonly table: Table;
  readonly address: number;
  readonly value: number;
}

/** A register that was never set does not exist: asking for it is refused with exception 2. */
export class SimulatedUnit {
  /** Function codes the unit does not know, answered with exception 1. */
  readonly lacks = new Set<number>();
  /** Vendor, product and revision, where it identifies itself. */
  identity: readonly string[] | undefined;
  readonly #tables: Readonly<Record<Table, Map<number, number>>> = {
    coil: new Map(),
    discrete: new Map(),
    input: new Map(),
    holding: new Map(),
  };
  readonly #events = new EventEmitter<{ written: [Written] }>();

  /** Sets registers from `address` on: numbers (bits are 0 and 1), or the bytes of whole registers. */
  set(table: Table, address: number, values: readonly number[] | Buffer): void {
    const raw = Buffer.isBuffer(values) ? registersOf(values) : values;
    for (const [i, value] of raw.entries()) this.#tables[table].set(address + i, value & 0xffff);
  }

  /** What the registers from `address` on hold; `undefined` where one does not exist. */
  get(table: Table, address: number, count = 1): number[] | undefined {
    const values: number[] = [];
    for (let at = address; at < address + count; at++) {
      const value = this.#tables[table].get(at);
      if (value === undefined) return undefined;
      values.push(value);
    }
    return values;
  }

  /** Called for each register that a master writes, after it is written. */
  onWritten(listener: (written: Written) => void): void {
    this.#events.on('written', listener);
  }

  /** As a master does; false when one of the registers does not exist. */
  write(table: Table, address: number, values: readonly number[]): boolean {
    if (this.get(table, address, values.length) === undefined) return false;
    this.set(table, address, values);
    for (const [i, value] of values.entries())
      this.#events.emit('written', { table, address: address + i, value });
    return true;
  }
}

const READS: Readonly<Record<number, Table>> = {
  1: 'coil',
  2: 'discrete',
  3: 'holding',
  4: 'input',
};

/** The PDU that `unit` answers to the PDU of a request. */
export function answer(unit: SimulatedUnit, pdu: Buffer): Buffer {
  const code = pdu.readUInt8();
  const refuse = (exception: number) => Buffer.from([code | 0x80, exception]);
  if (unit.lacks.has(code)) return refuse(1);
  if (code === 0x2b) return identify(unit, pdu) ?? refuse(unit.identity === undefined ? 1 : 3);
  if (pdu.length < 5) return refuse(3);
  const table = READS[code];
  if (table !== undefined) return read(unit, table, pdu) ?? refuse(badRead(table, pdu) ? 3 : 2);
  const outcome = WRITES[code]?.(unit, pdu.readUInt16BE(1), pdu) ?? 1;
  return typeof outcome === 'number' ? refuse(outcome) : outcome;
}

/** MODBUS application protocol V1.1b3, §6.21: each object in a reply of its own, as large ones are sent. */
function identify({ identity }: SimulatedUnit, pdu: Buffer): Buffer | undefined {
  const [, mei, code, from = 0] = pdu;
  const text = identity?.[from];
  if (identity === undefined || text === undefined || mei !== 0x0e || code !== 1) return undefined;
  const last = from === identity.length - 1;
  const head = [0x2b, 0x0e, 1, 1, last ? 0 : 0xff, last ? 0 : from + 1, 1];
  return Buffer.concat([Buffer.from([...head, from, text.length]), Buffer.from(text, 'latin1')]);
}

function badRead(table: Table, pdu: Buffer): boolean {
  const count = pdu.readUInt16BE(3);
  return count < 1 || count > (table === 'coil' || table === 'discrete' ? 2000 : 125);
}

function read(unit: SimulatedUnit, table: Table, pdu: Buffer): Buffer | undefined {
  if (badRead(table, pdu)) return undefined;
  const values = unit.get(table, pdu.readUInt16BE(1), pdu.readUInt16BE(3));
  if (values === undefined) return undefined;
  const payload =
    table === 'coil' || table === 'discrete'
      ? packed(values)
      : Buffer.from(values.flatMap(bytesOf));
  return Buffer.concat([Buffer.from([pdu.readUInt8(), payload.length]), payload]);
}

/** The PDU that confirms a write, or the exception that refuses it. */
type Write = (unit: SimulatedUnit, address: number, pdu: Buffer) => Buffer | number;

const WRITES: Readonly<Record<number, Write>> = {
  5(unit, address, pdu) {
    const state = pdu.readUInt16BE(3);
    if (state !== 0 && state !== 0xff00) return 3;
    return unit.write('coil', address, [state ? 1 : 0]) ? pdu : 2;
  },
  6: (unit, address, pdu) => (unit.write('holding', address, [pdu.readUInt16BE(3)]) ? pdu : 2),
  15(unit, address, pdu) {
    const count = pdu.readUInt16BE(3);
    const bytes = pdu.subarray(6);
    if (count < 1 || count > 1968 || bytes.length !== Math.ceil(count / 8)) return 3;
    return unit.write('coil', address, unpacked(bytes, count)) ? pdu.subarray(0, 5) : 2;
  },
  16(unit, address, pdu) {
    const count = pdu.readUInt16BE(3);
    const bytes = pdu.subarray(6);
    if (count < 1 || count > 123 || bytes.length !== count * 2) return 3;
    return unit.write('holding', address, registersOf(bytes)) ? pdu.subarray(0, 5) : 2;
  },
  22(unit, address, pdu) {
    if (pdu.length !== 7) return 3;
    const [before] = unit.get('holding', address) ?? [];
    if (before === undefined) return 2;
    const and = pdu.readUInt16BE(3);
    const or = pdu.readUInt16BE(5);
    return unit.write('holding', address, [(before & and) | (or & ~and)]) ? pdu : 2;
  },
};

function registersOf(bytes: Buffer): number[] {
  return Array.from({ length: bytes.length >> 1 }, (_, i) => bytes.readUInt16BE(i * 2));
}

function bytesOf(value: number): number[] {
  return [value >> 8, value & 0xff];
}

function packed(bits: readonly number[]): Buffer {
  const bytes = Buffer.alloc(Math.ceil(bits.length / 8));
  for (const [i, bit] of bits.entries())
    if (bit !== 0) bytes.writeUInt8(bytes.readUInt8(i >> 3) | (1 << (i & 7)), i >> 3);
  return bytes;
}

function unpacked(bytes: Buffer, count: number): number[] {
  return Array.from({ length: count }, (_, i) => (bytes.readUInt8(i >> 3) >> (i & 7)) & 1);
}
