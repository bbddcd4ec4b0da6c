/** How a value gets into a device: which function, and what to fall back on where the device lacks it. */
import { Misconfigured, type Order, type Reading, type Value } from '@limpet/dmi';
import type { ModbusClient } from './client.ts';
import { ILLEGAL_FUNCTION, ModbusException } from './exceptions.ts';
import type { Settings } from './settings.ts';
import { bitMask, decode, encode, expectBool } from './values.ts';
import type { Visitor } from './visitor.ts';

const MULTIPLE = 16;
/** Registers that one request may write. MODBUS application protocol V1.1b3, §6.12. */
const MAX_WRITTEN = 123;

/** Registers one after the other, and what the device will report of them. */
export interface Run {
  readonly address: number;
  readonly raw: Buffer;
  readonly readings: Reading[];
}

export class Writer {
  readonly #client: ModbusClient;
  readonly #wanted: Settings['write'];
  /** Registers of one request. */
  readonly #most: number;
  /** Functions that the device turned out to lack: 5, 6, 16 or 22. */
  readonly #lacks = new Set<number>();

  constructor(
    client: ModbusClient,
    { write, maxRegisters }: Pick<Settings, 'write' | 'maxRegisters'>,
  ) {
    this.#client = client;
    this.#wanted = write;
    this.#most = Math.min(MAX_WRITTEN, maxRegisters);
  }

  /** The value as the device will report it. */
  async write(visitor: Visitor, value: Value, signal: AbortSignal): Promise<Value> {
    if (visitor.type === 'bool') {
      const state = expectBool(value);
      if (visitor.register === 'coil') await this.#coil(visitor.address, state, signal);
      else await this.#bit(visitor, state, signal);
      return state;
    }
    const raw = encode(visitor, value);
    const reported = decode(visitor, raw);
    if (!reported.ok) throw reported.error;
    await this.#registers(visitor.address, raw, signal);
    return reported.value;
  }

  /** The first of these that one request writes; nothing when the first goes alone. */
  joined(orders: readonly Order<Visitor>[]): Run | undefined {
    if (this.#wanted === 'single' || this.#lacks.has(MULTIPLE)) return undefined;
    const parts: Buffer[] = [];
    const readings: Reading[] = [];
    const address = orders[0]?.visitor.address ?? 0;
    let end = address;
    for (const order of orders) {
      const part = partAt(end, order);
      if (part === undefined || end + order.visitor.count - address > this.#most) break;
      parts.push(part.raw);
      readings.push(part.reading);
      end += order.visitor.count;
    }
    return parts.length < 2 ? undefined : { address, raw: Buffer.concat(parts), readings };
  }

  /** False when the device refuses: one of them, or to take several at all. */
  async writeRun({ address, raw }: Run, signal: AbortSignal): Promise<boolean> {
    try {
      await this.#client.writeRegisters(address, raw, signal);
      return true;
    } catch (error) {
      if (!(error instanceof ModbusException)) throw error;
      if (error.exception === ILLEGAL_FUNCTION) this.#lacks.add(MULTIPLE);
      return false;
    }
  }

  async #coil(address: number, state: boolean, signal: AbortSignal): Promise<void> {
    await this.#either(
      5,
      () => this.#client.writeCoil(address, state, signal),
      () => this.#client.writeCoils(address, [state], signal),
    );
  }

  async #registers(address: number, raw: Buffer, signal: AbortSignal): Promise<void> {
    const multiple = () => this.#client.writeRegisters(address, raw, signal);
    if (raw.length === 2) {
      await this.#either(
        6,
        () => this.#client.writeRegister(address, raw.readUInt16BE(), signal),
        multiple,
      );
    } else if (this.#wanted === 'single') {
      // Asked for by the settings: the device may see half a value between two requests.
      for (let at = 0; at < raw.length; at += 2)
        await this.#client.writeRegister(address + at / 2, raw.readUInt16BE(at), signal);
    } else {
      await multiple();
    }
  }

  /** Function 22 changes one bit at once; without it, another bit set by the device meanwhile is lost. */
  async #bit(visitor: Visitor, state: boolean, signal: AbortSignal): Promise<void> {
    const mask = bitMask(visitor);
    const and = 0xffff ^ mask;
    const or = state ? mask : 0;
    const { address } = visitor;
    await this.#unlessLacking(
      22,
      () => this.#client.maskRegister(address, { and, or }, signal),
      async () => {
        const before = await this.#client.read('holding', { address, count: 1 }, signal);
        const raw = Buffer.alloc(2);
        raw.writeUInt16BE((before.readUInt16BE() & and) | or);
        await this.#registers(address, raw, signal);
      },
    );
  }

  async #either(code: number, single: Ask, multiple: Ask): Promise<void> {
    if (this.#wanted === 'multiple') await multiple();
    else if (this.#wanted === 'single') await single();
    else await this.#unlessLacking(code, single, multiple);
  }

  async #unlessLacking(code: number, first: Ask, second: Ask): Promise<void> {
    if (this.#lacks.has(code)) return second();
    try {
      await first();
    } catch (error) {
      if (!(error instanceof ModbusException) || error.exception !== ILLEGAL_FUNCTION) throw error;
      this.#lacks.add(code);
      await second();
    }
  }
}

/** Whole registers from this address on; of a value that fits none its own write says what is wrong. */
function partAt(
  address: number,
  { visitor, value }: Order<Visitor>,
): { readonly raw: Buffer; readonly reading: Reading } | undefined {
  const { register, type } = visitor;
  if (register !== 'holding' || type === 'bool' || visitor.address !== address) return undefined;
  try {
    const raw = encode(visitor, value);
    const reading = decode(visitor, raw);
    return reading.ok ? { raw, reading } : undefined;
  } catch (error) {
    if (error instanceof Misconfigured) return undefined;
    throw error;
  }
}

type Ask = () => Promise<void>;
