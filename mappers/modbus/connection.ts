/** One open Modbus device: visitors to requests and replies to readings. */
import { type Connection, Misconfigured, type Reading, Refused, type Value } from '@limpet/dmi';
import type { ModbusClient } from './client.ts';
import { ILLEGAL_RANGE, ModbusException } from './exceptions.ts';
import { type Block, ceiling, cut, plan } from './planner.ts';
import type { Settings } from './settings.ts';
import { decode } from './values.ts';
import type { Visitor } from './visitor.ts';
import { Writer } from './writer.ts';

export class ModbusConnection implements Connection<Visitor> {
  readonly #client: ModbusClient;
  readonly #settings: Settings;
  readonly #writer: Writer;
  /** Grows with refusals only; at most one entry per register that a visitor names. */
  readonly #cuts = new Set<string>();
  #plans = new WeakMap<readonly Visitor[], Block[]>();

  constructor(client: ModbusClient, settings: Settings) {
    this.#client = client;
    this.#settings = settings;
    this.#writer = new Writer(client, settings.write);
  }

  async read(visitors: readonly Visitor[], signal: AbortSignal): Promise<readonly Reading[]> {
    const readings = visitors.map((visitor) => this.#unreadable(visitor));
    if (this.#isBroadcast()) return readings;
    const blocks = this.#plan(visitors).toReversed();
    for (let block = blocks.pop(); block !== undefined; block = blocks.pop()) {
      blocks.push(...(await this.#readBlock({ block, visitors, readings }, signal)));
    }
    return readings;
  }

  async write(visitor: Visitor, value: Value, signal: AbortSignal): Promise<Value> {
    try {
      return await this.#writer.write(visitor, value, signal);
    } catch (error) {
      throw error instanceof ModbusException ? error.reaction(name(visitor)) : error;
    }
  }

  async close(): Promise<void> {
    this.#client.close();
  }

  /** Fills in the readings of one block; returns its parts when the device refused it as a whole. */
  async #readBlock({ block, visitors, readings }: Batch, signal: AbortSignal): Promise<Block[]> {
    try {
      const bytes = await this.#client.read(block.table, block, signal);
      for (const index of block.members) {
        const visitor = visitors[index] as Visitor;
        readings[index] = decode(visitor, part(bytes, block, visitor));
      }
      return [];
    } catch (error) {
      if (!(error instanceof ModbusException)) throw error;
      const place = ILLEGAL_RANGE.has(error.exception) ? cut(block, visitors) : undefined;
      if (place !== undefined) return this.#split(block, visitors, place);
      const reaction = error.reaction(`${block.table} ${block.address}, ${block.count} long`);
      if (!(reaction instanceof Refused)) throw reaction;
      for (const index of block.members) readings[index] = { ok: false, error: reaction };
      return [];
    }
  }

  /** Remembers the place, so that the next reads ask for the parts at once. */
  #split(block: Block, visitors: readonly Visitor[], place: string): Block[] {
    this.#cuts.add(place);
    this.#plans = new WeakMap();
    const members = block.members.map((index) => visitors[index] as Visitor);
    return plan(members, this.#settings, this.#cuts)
      .map((part) => ({
        ...part,
        members: part.members.map((index) => block.members[index] as number),
      }))
      .toReversed();
  }

  #plan(visitors: readonly Visitor[]): Block[] {
    const known = this.#plans.get(visitors);
    if (known !== undefined) return known;
    const blocks = plan(visitors, this.#settings, this.#cuts);
    this.#plans.set(visitors, blocks);
    return blocks;
  }

  #isBroadcast(): boolean {
    return this.#settings.unit === 0 && this.#settings.framing === 'rtu';
  }

  /** What stands in for a visitor until its block is read, and for one that no block can serve. */
  #unreadable(visitor: Visitor): Reading {
    const message = this.#isBroadcast()
      ? 'unit 0 addresses every device of the line and none of them answers; set unit to read'
      : `${name(visitor)} spans ${visitor.count}, more than one request may ask for (${ceiling(visitor.register, this.#settings)}); raise maxRegisters`;
    const code = this.#isBroadcast() ? 'MODBUS_BROADCAST' : 'MODBUS_TOO_WIDE';
    return { ok: false, error: new Misconfigured(code, message) };
  }
}

interface Batch {
  readonly block: Block;
  readonly visitors: readonly Visitor[];
  readonly readings: Reading[];
}

/** A visitor's registers out of its block's; a bit as a register of 0 or 1. */
function part(bytes: Buffer, block: Block, { address, count }: Visitor): Buffer {
  const from = address - block.address;
  if (block.table === 'holding' || block.table === 'input')
    return bytes.subarray(from * 2, (from + count) * 2);
  return Buffer.from([0, (bytes.readUInt8(from >> 3) >> (from & 7)) & 1]);
}

function name({ register, address }: Visitor): string {
  return `${register} ${address}`;
}
