/** Modbus requests of one unit: modbus-serial writes and reads the PDUs, {@link Wire} sees to it that they match. */
import type { Clock } from '@limpet/dmi';
import type modbusSerial from 'modbus-serial';
import { ACKNOWLEDGE, BUSY, ModbusException } from './exceptions.ts';
import { StrictPort } from './port.ts';
import type { Table } from './visitor.ts';
import type { Wire } from './wire.ts';

type ModbusRtu = InstanceType<typeof modbusSerial.default>;

/** Waits before asking a busy device again; then it has refused. */
const BUSY_MS = [50, 100, 200];

/** All methods throw what {@link Wire.exchange} throws, and ModbusException when the device says no. */
export class ModbusClient {
  readonly #rtu: ModbusRtu;
  readonly #port: StrictPort;
  readonly #wire: Wire;
  readonly #clock: Clock;

  private constructor(rtu: ModbusRtu, port: StrictPort, wire: Wire, clock: Clock) {
    this.#rtu = rtu;
    this.#port = port;
    this.#wire = wire;
    this.#clock = clock;
  }

  /** Takes over `wire`. modbus-serial is loaded here, not with the mapper: it costs megabytes. */
  static async open(wire: Wire, unit: number, clock: Clock): Promise<ModbusClient> {
    const { default: loaded } = await import('modbus-serial');
    const port = new StrictPort(wire);
    const rtu = new loaded.default(port);
    rtu.open();
    rtu.setID(unit);
    return new ModbusClient(rtu, port, wire, clock);
  }

  /** The reply's payload: registers big-endian, or bits packed from the least significant of each byte. */
  async read(table: Table, at: Range, signal: AbortSignal): Promise<Buffer> {
    const { buffer } = await this.#call<{ buffer: Buffer }>(signal, (rtu) => {
      switch (table) {
        case 'coil':
          return rtu.readCoils(at.address, at.count);
        case 'discrete':
          return rtu.readDiscreteInputs(at.address, at.count);
        case 'holding':
          return rtu.readHoldingRegisters(at.address, at.count);
        case 'input':
          return rtu.readInputRegisters(at.address, at.count);
      }
    });
    return buffer;
  }

  /** Function 5. */
  async writeCoil(address: number, state: boolean, signal: AbortSignal): Promise<void> {
    await this.#order(signal, (rtu) => rtu.writeCoil(address, state));
  }

  /** Function 15. */
  async writeCoils(address: number, states: boolean[], signal: AbortSignal): Promise<void> {
    await this.#order(signal, (rtu) => rtu.writeCoils(address, states));
  }

  /** Function 6. */
  async writeRegister(address: number, raw: number, signal: AbortSignal): Promise<void> {
    await this.#order(signal, (rtu) => rtu.writeRegister(address, raw));
  }

  /** Function 16. */
  async writeRegisters(address: number, raw: Buffer, signal: AbortSignal): Promise<void> {
    await this.#order(signal, (rtu) => rtu.writeRegisters(address, raw));
  }

  /** Function 22: the register becomes (register AND `and`) OR (`or` AND NOT `and`). */
  async maskRegister(address: number, masks: Masks, signal: AbortSignal): Promise<void> {
    await this.#order(signal, (rtu) => rtu.maskWriteRegister(address, masks.and, masks.or));
  }

  close(): void {
    this.#wire.close();
  }

  /** An acknowledged write is under way and must not be sent twice; reading back shows what became of it. */
  async #order(signal: AbortSignal, ask: (rtu: ModbusRtu) => Promise<unknown>): Promise<void> {
    try {
      await this.#call(signal, ask);
    } catch (error) {
      if (!(error instanceof ModbusException) || error.exception !== ACKNOWLEDGE) throw error;
    }
  }

  async #call<T>(signal: AbortSignal, ask: (rtu: ModbusRtu) => Promise<T>): Promise<T> {
    for (const waitMs of BUSY_MS) {
      try {
        return await this.#once(signal, ask);
      } catch (error) {
        if (!(error instanceof ModbusException) || error.exception !== BUSY) throw error;
        await this.#clock.sleep(waitMs, signal);
      }
    }
    return this.#once(signal, ask);
  }

  async #once<T>(signal: AbortSignal, ask: (rtu: ModbusRtu) => Promise<T>): Promise<T> {
    const failure = this.#port.arm(signal);
    try {
      return await Promise.race([failure, ask(this.#rtu)]);
    } catch (error) {
      const code = error instanceof Error && 'modbusCode' in error ? error.modbusCode : undefined;
      throw typeof code === 'number' ? new ModbusException(code, { cause: error }) : error;
    }
  }
}

/** Consecutive registers, or bits. */
export interface Range {
  readonly address: number;
  readonly count: number;
}

export interface Masks {
  readonly and: number;
  readonly or: number;
}
