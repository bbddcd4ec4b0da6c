/**
 * Registers on the wire that are not ours: modbus-serial's own server, with the whole order of writes kept.
 * Units share one address, as behind a gateway. Every register answers; nothing is refused.
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
  /** Called with the unit and address range of each read, before its answer leaves. */
  onRead: ((unit: number, address: number, count: number) => void) | undefined;

  private constructor(port: number) {
    this.#server = new modbus.ServerTCP(
      {
        getMultipleInputRegisters: (from: number, count: number, unit: number) => {
          this.onRead?.(unit, from, count);
          return [...this.input(unit).subarray(from, from + count)];
        },
        getInputRegister: (address: number, unit: number) => {
          this.onRead?.(unit, address, 1);
          return this.input(unit)[address] ?? 0;
        },
        getMultipleHoldingRegisters: (from: number, count: number, unit: number) => [
          ...this.holding(unit).subarray(from, from + count),
        ],
        getHoldingRegister: (address: number, unit: number) => this.holding(unit)[address] ?? 0,
        setRegister: (address: number, value: number, unit: number) => {
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

  #written(write: Write): void {
    this.holding(write.unit)[write.address] = write.value;
    this.writes.push(write);
    if (this.writes.length > MAX_WRITES) throw new Error('too many writes kept: take them out');
  }
}

function bank(banks: Map<number, Uint16Array>, unit: number): Uint16Array {
  let registers = banks.get(unit);
  if (registers === undefined) banks.set(unit, (registers = new Uint16Array(65_536)));
  return registers;
}
