/** How a value gets into a device: which function, and what to fall back on where the device lacks it. */
import type { Value } from '@limpet/dmi';
import type { ModbusClient } from './client.ts';
import { ILLEGAL_FUNCTION, ModbusException } from './exceptions.ts';
import type { Settings } from './settings.ts';
import { bitMask, decode, encode, expectBool } from './values.ts';
import type { Visitor } from './visitor.ts';

export class Writer {
  readonly #client: ModbusClient;
  readonly #wanted: Settings['write'];
  /** Functions that the device turned out to lack: 5, 6 or 22. */
  readonly #lacks = new Set<number>();

  constructor(client: ModbusClient, wanted: Settings['write']) {
    this.#client = client;
    this.#wanted = wanted;
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

type Ask = () => Promise<void>;
