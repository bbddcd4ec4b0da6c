/** A simulated controller on an H4 stream, and the one device that it hears (Core Specification, Vol 4 Part E, 7). */
import type { Duplex } from 'node:stream';
import type { Clock } from '@limpet/dmi';
import { ACL_IN, COMMAND, EVENT, H4Parser } from './radio/h4.ts';
import { AttributeServer, type AttributeTable } from './simulated-attributes.ts';

/** Of the device, as the controller hears it. */
export interface SimulatedDeviceOptions {
  readonly address: string;
  readonly random: boolean;
  readonly attributes: AttributeTable;
  /** AD structures now. */
  advertisement(): Buffer;
  readonly rssi: number;
  /** The host wrote this attribute. */
  written(handle: number): void;
}

const COMPLETE = 0x0e;
const STATUS = 0x0f;
const LE_META = 0x3e;
const LINK = 0x0040;
const CHANNEL_ATT = 4;
/** Advertising events of a quick device. */
const ADVERTISE_MS = 100;

/** What commands return beside a status of 0; others return that alone. */
const RETURNS: Readonly<Record<number, string>> = {
  // Local version: Bluetooth 5.0.
  0x1001: '0900000900ff0000',
  // Address.
  0x1009: 'efbeadde0002',
  0x0c6c: '0100',
  // LE buffers: 251 bytes, 8 of them.
  0x2002: 'fb0008',
  // LE features: none.
  0x2003: '0000000000000000',
};
const CREATE = 0x200d;
const CANCEL = 0x200e;
const SCAN = 0x200c;
const RESET = 0x0c03;
const DISCONNECT = 0x0406;
const CANCELLED = 0x02;
const ENDED_HERE = 0x16;

export class SimulatedController {
  readonly #stream: Duplex;
  readonly #device: SimulatedDeviceOptions;
  readonly #clock: Clock;
  #scanning = false;
  #stopAdvertising: (() => void) | undefined;
  #connecting: string | undefined;
  #server: AttributeServer | undefined;
  #held: Buffer = Buffer.alloc(0);

  constructor(stream: Duplex, device: SimulatedDeviceOptions, clock: Clock) {
    this.#stream = stream;
    this.#device = device;
    this.#clock = clock;
    const parser = new H4Parser();
    stream.on('data', (chunk: Buffer) => {
      for (const packet of parser.take(chunk)) this.#receive(packet);
    });
    stream.on('error', () => stream.destroy());
    stream.on('end', () => stream.end());
    stream.on('close', () => this.close());
  }

  /** An attribute has changed at the device. */
  changed(handle: number): void {
    this.#server?.changed(handle);
  }

  /** What is advertised has changed. */
  advertise(): void {
    this.#stopAdvertising?.();
    this.#stopAdvertising = undefined;
    if (!this.#scanning || this.#stream.destroyed) return;
    this.#stopAdvertising = this.#clock.after(ADVERTISE_MS, () => this.advertise());
    if (this.#server === undefined) this.#report();
  }

  close(): void {
    this.#stopAdvertising?.();
    this.#scanning = false;
    this.#server = undefined;
    this.#stream.destroy();
  }

  #receive(packet: Buffer): void {
    if (packet[0] === COMMAND) this.#command(packet.readUInt16LE(1), packet.subarray(4));
    else if (packet[0] === ACL_IN) this.#data(packet);
  }

  #command(op: number, parameters: Buffer): void {
    switch (op) {
      case CREATE:
        this.#status(op);
        this.#connect(parameters);
        return;
      case DISCONNECT:
        this.#status(op);
        this.#disconnected();
        return;
      case CANCEL:
        this.#complete(op);
        this.#cancelled();
        return;
      case RESET:
        this.#scanning = false;
        this.#server = undefined;
        break;
      case SCAN:
        this.#scanning = parameters[0] === 1;
        break;
    }
    this.#complete(op);
    this.advertise();
  }

  #connect(parameters: Buffer): void {
    const wanted = parameters.subarray(6, 12);
    this.#connecting = hexAddress(wanted);
    if (this.#connecting !== this.#device.address || this.#server !== undefined) return;
    this.#server = new AttributeServer(
      this.#device.attributes,
      (packet) => this.#sendData(packet),
      (handle) => this.#device.written(handle),
    );
    this.#connected(0);
  }

  #cancelled(): void {
    if (this.#connecting !== undefined) this.#connected(CANCELLED);
  }

  /** LE Connection Complete, as central: 7.7.65.1. */
  #connected(status: number): void {
    const peer = addressBytes(this.#connecting ?? '');
    this.#connecting = undefined;
    const head = Buffer.from([
      0x01,
      status,
      LINK & 0xff,
      LINK >> 8,
      0,
      this.#device.random ? 1 : 0,
    ]);
    const tail = Buffer.from([0x18, 0, 0, 0, 0x90, 0x01, 0]);
    this.#event(LE_META, Buffer.concat([head, peer, tail]));
  }

  #disconnected(): void {
    if (this.#server === undefined) return;
    this.#server = undefined;
    this.#event(0x05, Buffer.from([0, LINK & 0xff, LINK >> 8, ENDED_HERE]));
    this.advertise();
  }

  /** One packet of a fragmented L2CAP packet: Vol 4 Part E, 5.4.2. */
  #data(packet: Buffer): void {
    this.#event(0x13, Buffer.from([1, LINK & 0xff, LINK >> 8, 1, 0]));
    const continues = ((packet.readUInt16LE(1) >> 12) & 3) === 1;
    const part = packet.subarray(5);
    this.#held = continues ? Buffer.concat([this.#held, part]) : Buffer.from(part);
    if (this.#held.length < 4) return;
    const length = this.#held.readUInt16LE(0);
    if (this.#held.length < 4 + length || this.#held.readUInt16LE(2) !== CHANNEL_ATT) return;
    this.#server?.receive(this.#held.subarray(4, 4 + length));
  }

  #sendData(packet: Buffer): void {
    const head = Buffer.alloc(9);
    head.writeUInt8(ACL_IN, 0);
    head.writeUInt16LE(LINK | 0x2000, 1);
    head.writeUInt16LE(packet.length + 4, 3);
    head.writeUInt16LE(packet.length, 5);
    head.writeUInt16LE(CHANNEL_ATT, 7);
    this.#write(Buffer.concat([head, packet]));
  }

  /** LE Advertising Report: 7.7.65.2. */
  #report(): void {
    const { address, random, rssi } = this.#device;
    const bytes = this.#device.advertisement();
    const head = Buffer.from([0x02, 1, 0, random ? 1 : 0]);
    const tail = Buffer.concat([Buffer.from([bytes.length]), bytes, Buffer.from([rssi & 0xff])]);
    this.#event(LE_META, Buffer.concat([head, addressBytes(address), tail]));
  }

  #complete(op: number): void {
    const returned = Buffer.from(RETURNS[op] ?? '', 'hex');
    this.#event(COMPLETE, Buffer.concat([Buffer.from([1, op & 0xff, op >> 8, 0]), returned]));
  }

  #status(op: number): void {
    this.#event(STATUS, Buffer.from([0, 1, op & 0xff, op >> 8]));
  }

  #event(code: number, parameters: Buffer): void {
    this.#write(Buffer.concat([Buffer.from([EVENT, code, parameters.length]), parameters]));
  }

  #write(packet: Buffer): void {
    if (!this.#stream.destroyed && !this.#stream.writableEnded) this.#stream.write(packet);
  }
}

function addressBytes(address: string): Buffer {
  return Buffer.from(address.replaceAll(':', '').padStart(12, '0'), 'hex').reverse();
}

function hexAddress(bytes: Buffer): string {
  const hex = Buffer.from(bytes).reverse().toString('hex');
  return hex.replaceAll(/(..)(?!$)/g, '$1:');
}
