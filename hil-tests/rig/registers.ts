/**
 * Registers on the wire that are not ours: modbus-serial's own server, with the whole order of writes kept.
 * Units share one address, as behind a gateway. Every register answers, unless a scenario says otherwise.
 */
import { once } from 'node:events';
import modbus from 'modbus-serial';

/** One write as it arrived at the device. */
export interface Write {
  readonly unit: number;
  readonly address: number;
  readonly value: number;
  /** performance.now() */
  readonly at: number;
}

/** The newest writes kept; a longer run asks for them in between. */
const MAX_WRITES = 100_000;

export class Registers {
  readonly writes: Write[] = [];
  readonly #server: InstanceType<typeof modbus.ServerTCP>;
  readonly #input = new Map<number, Uint16Array>();
  readonly #holding = new Map<number, Uint16Array>();
  /** Called with the unit and address range of each read of input registers, before its answer leaves. */
  onRead: ((unit: number, address: number, count: number) => void) | undefined;
  /** Units that take requests and never answer, as a gateway with a cut line behind it. */
  readonly silent = new Set<number>();
  /** Input registers, as `unit/address`, that are refused with exception 2. */
  readonly refused = new Set<string>();
  /** Units whose writes are refused with exception 2. */
  readonly locked = new Set<number>();

  private constructor(port: number) {
    this.#server = new modbus.ServerTCP(
      {
        getMultipleInputRegisters: (from: number, count: number, unit: number) =>
          this.#readInput(unit, from, count) as number[],
        getInputRegister: (address: number, unit: number) =>
          this.#readInput(unit, address, 1)[0] as number,
        getMultipleHoldingRegisters: (from: number, count: number, unit: number) =>
          this.#answer(unit, this.holding(unit).subarray(from, from + count)) as number[],
        getHoldingRegister: (address: number, unit: number) =>
          this.#answer(unit, this.holding(unit).subarray(address, address + 1))[0] as number,
        setRegister: (address: number, value: number, unit: number) => {
          if (this.locked.has(unit)) throw new IllegalAddress();
          this.#written({ unit, address, value, at: performance.now() });
        },
      },
      { host: '127.0.0.1', port, unitID: 255 },
    );
    this.#server.on('socketError', () => undefined); // a killed edge resets its connections
  }

  static async listen(port: number): Promise<Registers> {
    const registers = new Registers(port);
    await once(registers.#server, 'initialized');
    return registers;
  }

  input(unit: number): Uint16Array {
    return bank(this.#input, unit);
  }

  holding(unit: number): Uint16Array {
    return bank(this.#holding, unit);
  }

  async close(): Promise<void> {
    for (const socket of this.#server.socks.keys()) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #readInput(unit: number, from: number, count: number): (number | Promise<never>)[] {
    this.onRead?.(unit, from, count);
    for (let address = from; address < from + count; address++) {
      if (this.refused.has(`${unit}/${address}`)) throw new IllegalAddress();
    }
    return this.#answer(unit, this.input(unit).subarray(from, from + count));
  }

  /** What modbus-serial's server waits for; a promise that never ends is a unit that never answers. */
  #answer(unit: number, values: Uint16Array): (number | Promise<never>)[] {
    const silent = this.silent.has(unit);
    return Array.from(values, (value) => (silent ? new Promise<never>(() => undefined) : value));
  }

  #written(write: Write): void {
    this.holding(write.unit)[write.address] = write.value;
    this.writes.push(write);
    if (this.writes.length > MAX_WRITES) throw new Error('too many writes kept: take them out');
  }
}

/** modbus-serial's server turns it into exception 2. */
class IllegalAddress extends Error {
  readonly modbusErrorCode = 2;
}

function bank(banks: Map<number, Uint16Array>, unit: number): Uint16Array {
  let registers = banks.get(unit);
  if (registers === undefined) banks.set(unit, (registers = new Uint16Array(65_536)));
  return registers;
}
