/**
 * One Modbus TCP slave that is not ours: modbus-serial's own server. Each register that is read holds how often it was
 * read, so a measurement changes with every reading, and what the edge reports can be held against what was given.
 */
import { once } from 'node:events';
import modbus from 'modbus-serial';
import { PANEL_POINTS, type Place, PLACES, REGISTERS } from './shape.ts';

/** Where a float counts from, so that it looks like a temperature. */
const FLOAT_FROM = 20;
const FLOAT_STEP = 0.25;

export class Slave {
  /** How often each input register was read. */
  readonly reads = new Uint32Array(REGISTERS);
  /** Requests and registers of all kinds answered. */
  requests = 0;
  registers = 0;
  readonly #input = new Uint16Array(REGISTERS);
  readonly #holding = new Uint16Array(PANEL_POINTS);
  readonly #starts = new Map(PLACES.map((place) => [place.address, place]));
  readonly #server: InstanceType<typeof modbus.ServerTCP>;

  private constructor(port: number) {
    this.#server = new modbus.ServerTCP(
      {
        getMultipleInputRegisters: (from: number, count: number) => this.#read(from, count),
        getInputRegister: (address: number) => this.#read(address, 1)[0] as number,
        getMultipleHoldingRegisters: (from: number, count: number) => this.#held(from, count),
        getHoldingRegister: (address: number) => this.#held(address, 1)[0] as number,
        setRegister: (address: number, value: number) => {
          this.#answered(1);
          this.#holding[address] = value;
        },
      },
      { host: '127.0.0.1', port, unitID: 255 },
    );
    this.#server.on('socketError', () => undefined); // a killed edge resets its connections
  }

  static async listen(port: number): Promise<Slave> {
    const slave = new Slave(port);
    await once(slave.#server, 'initialized');
    return slave;
  }

  #read(from: number, count: number): number[] {
    this.#answered(count);
    for (let address = from; address < from + count; address++) {
      this.reads[address] = (this.reads[address] ?? 0) + 1;
      const place = this.#starts.get(address);
      if (place !== undefined) this.#put(place, this.reads[address] as number);
    }
    return Array.from(this.#input.subarray(from, from + count));
  }

  #held(from: number, count: number): number[] {
    this.#answered(count);
    return Array.from(this.#holding.subarray(from, from + count));
  }

  #answered(registers: number): void {
    this.requests++;
    this.registers += registers;
  }

  #put({ type, address }: Place, reads: number): void {
    const bytes = Buffer.alloc(4);
    if (type === 'int16') bytes.writeUInt16BE(reads & 0x7fff);
    else if (type === 'float32') bytes.writeFloatBE(FLOAT_FROM + FLOAT_STEP * reads);
    else bytes.writeUInt32BE(reads);
    this.#input[address] = bytes.readUInt16BE(0);
    if (type !== 'int16') this.#input[address + 1] = bytes.readUInt16BE(2);
  }
}
