/** One open Modbus device: visitors to requests and replies to readings. */
import {
  type Connection,
  Misconfigured,
  type Order,
  type Reading,
  Refused,
  type Value,
} from '@limpet/dmi';
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
  /** The runtime asks for the same lists again and again. */
  #plans = new WeakMap<readonly Visitor[], Block[]>();

  constructor(client: ModbusClient, settings: Settings) {
    this.#client = client;
    this.#settings = settings;
    this.#writer = new Writer(client, settings);
  }

  async read(visitors: readonly Visitor[], signal: AbortSignal): Promise<readonly Reading[]> {
    if (this.#isBroadcast()) return visitors.map((visitor) => this.#unreadable(visitor));
    const readings: Reading[] = [];
    readings.length = visitors.length;
    for (const block of this.#plan(visitors)) {
      await this.#readBlock({ block, visitors, readings }, signal);
    }
    // Those that no block can serve.
    for (const [index, visitor] of visitors.entries())
      readings[index] ??= this.#unreadable(visitor);
    return readings;
  }

  async write(visitor: Visitor, value: Value, signal: AbortSignal): Promise<Value> {
    try {
      return await this.#writer.write(visitor, value, signal);
    } catch (error) {
      throw error instanceof ModbusException ? error.reaction(name(visitor)) : error;
    }
  }

  /**
   * Registers that follow each other go in one request; the rest one by one. Where one of them is refused fewer are tried, so
   * that no more than a few requests take the line.
   */
  async writeMany(orders: readonly Order<Visitor>[], signal: AbortSignal): Promise<Reading[]> {
    const run = this.#writer.joined(orders);
    if (run !== undefined) {
      if (await this.#writer.writeRun(run, signal)) return run.readings;
      return this.writeMany(orders.slice(0, run.readings.length >> 1), signal);
    }
    const [{ visitor, value }] = orders as [Order<Visitor>];
    return [await this.write(visitor, value, signal).then(good, refusal)];
  }

  async close(): Promise<void> {
    this.#client.close();
  }

  /** Fills in the readings of one block; of its parts, when the device refuses it as a whole. */
  async #readBlock({ block, visitors, readings }: Batch, signal: AbortSignal): Promise<void> {
    try {
      const bytes = await this.#client.read(block.table, block, signal);
      for (const index of block.members) {
        readings[index] = decodeIn(block, bytes, visitors[index] as Visitor);
      }
    } catch (error) {
      if (!(error instanceof ModbusException)) throw error;
      const place = ILLEGAL_RANGE.has(error.exception) ? cut(block, visitors) : undefined;
      if (place !== undefined) {
        for (const part of this.#split(block, visitors, place)) {
          await this.#readBlock({ block: part, visitors, readings }, signal);
        }
        return;
      }
      const reaction = error.reaction(`${block.table} ${block.address}, ${block.count} long`);
      if (!(reaction instanceof Refused)) throw reaction;
      for (const index of block.members) readings[index] = { ok: false, error: reaction };
    }
  }

  /** Remembers the place, so that the next reads ask for the parts at once. */
  #split(block: Block, visitors: readonly Visitor[], place: string): Block[] {
    this.#cuts.add(place);
    this.#plans = new WeakMap();
    const members = block.members.map((index) => visitors[index] as Visitor);
    return plan(members, this.#settings, this.#cuts).map((part) => ({
      ...part,
      members: part.members.map((index) => block.members[index] as number),
    }));
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

  /** The reading of a visitor that no request can serve. */
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

const good = (value: Value): Reading => ({ ok: true, value });

/** What is wrong with one of several orders; anything else is wrong with all. */
function refusal(error: unknown): Reading {
  if (error instanceof Refused || error instanceof Misconfigured) return { ok: false, error };
  throw error;
}

/** A visitor's value out of its block's bytes. */
function decodeIn(block: Block, bytes: Buffer, visitor: Visitor): Reading {
  const from = visitor.address - block.address;
  if (block.table === 'holding' || block.table === 'input') return decode(visitor, bytes, from * 2);
  return { ok: true, value: ((bytes.readUInt8(from >> 3) >> (from & 7)) & 1) === 1 };
}

function name({ register, address }: Visitor): string {
  return `${register} ${address}`;
}
