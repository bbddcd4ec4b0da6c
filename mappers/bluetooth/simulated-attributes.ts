/** The attributes of a simulated device, and how it answers for them (Core Specification, Vol 3 Part F): a server of the least kind. */
import { OP } from './att.ts';
import { type Characteristic, PROPERTY } from './attribute.ts';

const PRIMARY_SERVICE = 0x2800;
const CHARACTERISTIC = 0x2803;
const CLIENT_CONFIGURATION = 0x2902;
const MTU = 247;

const ERROR = {
  invalidHandle: 0x01,
  notReadable: 0x02,
  notWritable: 0x03,
  notSupported: 0x06,
  invalidOffset: 0x07,
  notFound: 0x0a,
} as const;

/** A characteristic that a device shall have. */
export interface Wanted {
  readonly service: string;
  readonly uuid: string;
  readonly properties: number;
  readonly value: Buffer;
  /** By UUID. */
  readonly descriptors: ReadonlyMap<string, Buffer>;
}

interface Attribute {
  readonly type: Buffer;
  value: Buffer;
  /** Bits of {@link PROPERTY}, as far as they allow reading and writing. */
  readonly allows: number;
  /** Of a service: its last attribute. */
  last?: number;
}

/** What one device holds; the handle of an attribute is its place, from 1. */
export class AttributeTable {
  readonly #attributes: Attribute[] = [];
  readonly #handles = new Map<string, number>();

  constructor(wanted: readonly Wanted[]) {
    for (const service of new Set(wanted.map((each) => each.service))) {
      const start = this.#add(number(PRIMARY_SERVICE), reversed(service), PROPERTY.read);
      for (const each of wanted.filter((one) => one.service === service))
        this.#characteristic(each);
      start.last = this.#attributes.length;
    }
  }

  /** Of a characteristic's value, or one of its descriptors. */
  handle(service: string, uuid: string, descriptor = ''): number {
    return this.#handles.get(`${service} ${uuid} ${descriptor}`) ?? 0;
  }

  value(handle: number): Buffer {
    return this.#attributes[handle - 1]?.value ?? Buffer.alloc(0);
  }

  set(handle: number, value: Buffer): void {
    const attribute = this.#attributes[handle - 1];
    if (attribute !== undefined) attribute.value = value;
  }

  at(handle: number): Attribute | undefined {
    return this.#attributes[handle - 1];
  }

  /** From `first` to `last`, of this type where one is given. */
  *range(first: number, last: number, type?: Buffer): Generator<readonly [number, Attribute]> {
    const end = Math.min(last, this.#attributes.length);
    for (let handle = Math.max(1, first); handle <= end; handle++) {
      const attribute = this.#attributes[handle - 1] as Attribute;
      if (type === undefined || attribute.type.equals(type)) yield [handle, attribute];
    }
  }

  #characteristic({ service, uuid, properties, value, descriptors }: Wanted): void {
    const head = Buffer.alloc(3);
    head.writeUInt8(properties, 0);
    head.writeUInt16LE(this.#attributes.length + 2, 1);
    this.#add(number(CHARACTERISTIC), Buffer.concat([head, reversed(uuid)]), PROPERTY.read);
    this.#add(reversed(uuid), value, properties);
    this.#handles.set(`${service} ${uuid} `, this.#attributes.length);
    if ((properties & (PROPERTY.notify | PROPERTY.indicate)) !== 0)
      this.#add(number(CLIENT_CONFIGURATION), Buffer.alloc(2), PROPERTY.read | PROPERTY.write);
    for (const [name, held] of descriptors) {
      this.#add(reversed(name), held, PROPERTY.read | PROPERTY.write);
      this.#handles.set(`${service} ${uuid} ${name}`, this.#attributes.length);
    }
  }

  #add(type: Buffer, value: Buffer, allows: number): Attribute {
    const attribute: Attribute = { type, value, allows };
    this.#attributes.push(attribute);
    return attribute;
  }
}

/** One link to it. */
export class AttributeServer {
  readonly #table: AttributeTable;
  readonly #send: (packet: Buffer) => void;
  #mtu = 23;
  /** Handles of values that are told, and how. */
  readonly #told = new Map<number, number>();
  #prepared: { readonly handle: number; readonly offset: number; readonly part: Buffer }[] = [];
  /** Called after the host wrote a value. */
  readonly #written: (handle: number) => void;

  constructor(
    table: AttributeTable,
    send: (packet: Buffer) => void,
    written: (handle: number) => void,
  ) {
    this.#table = table;
    this.#send = send;
    this.#written = written;
  }

  receive(packet: Buffer): void {
    const op = packet[0] ?? 0;
    const answer = this.#answer(op, packet);
    if (typeof answer !== 'number') {
      if (answer !== undefined) this.#send(answer);
      return;
    }
    const handle = packet.length >= 3 ? packet.readUInt16LE(1) : 0;
    this.#send(Buffer.from([OP.error, op, handle & 0xff, handle >> 8, answer]));
  }

  /** The value has changed at the device. */
  changed(handle: number): void {
    const bits = this.#told.get(handle) ?? 0;
    if (bits === 0) return;
    const op = (bits & 1) !== 0 ? OP.notification : OP.indication;
    this.#send(
      Buffer.concat([handled(op, handle), this.#table.value(handle)]).subarray(0, this.#mtu),
    );
  }

  /** A packet, the code of a refusal, or nothing to say. */
  #answer(op: number, packet: Buffer): Buffer | number | undefined {
    switch (op) {
      case OP.mtuRequest:
        this.#mtu = Math.max(23, Math.min(MTU, packet.readUInt16LE(1)));
        return handled(OP.mtuResponse, MTU);
      case OP.readByGroup:
        return this.#group(packet);
      case OP.readByType:
        return this.#byType(packet);
      case OP.findInformation:
        return this.#information(packet);
      case OP.read:
      case OP.readBlob:
        return this.#read(op, packet);
      case OP.write:
      case OP.command:
        return this.#write(op, packet);
      case OP.prepare:
        return this.#prepare(packet);
      case OP.execute:
        return this.#execute(packet[1] === 1);
      case OP.confirmation:
        return undefined;
      default:
        return ERROR.notSupported;
    }
  }

  #group(packet: Buffer): Buffer | number {
    const items = [...this.#ranged(packet)].map(([handle, { last = handle, value }]) =>
      Buffer.concat([handled(undefined, handle, last), value]),
    );
    return this.#list(OP.readByGroupResponse, items);
  }

  #byType(packet: Buffer): Buffer | number {
    const items = [...this.#ranged(packet)].map(([handle, { value }]) =>
      Buffer.concat([handled(undefined, handle), value]),
    );
    return this.#list(OP.readByTypeResponse, items);
  }

  #information(packet: Buffer): Buffer | number {
    const [first, last] = [packet.readUInt16LE(1), packet.readUInt16LE(3)];
    const items = [...this.#table.range(first, last)].map(([handle, { type }]) =>
      Buffer.concat([handled(undefined, handle), type]),
    );
    const answer = this.#list(OP.findInformationResponse, items);
    if (typeof answer !== 'number') answer.writeUInt8(items[0]?.length === 4 ? 1 : 2, 1);
    return answer;
  }

  #ranged(packet: Buffer): Generator<readonly [number, Attribute]> {
    return this.#table.range(packet.readUInt16LE(1), packet.readUInt16LE(3), packet.subarray(5));
  }

  /** As many of the same length as a packet holds. */
  #list(op: number, items: readonly Buffer[]): Buffer | number {
    const [first] = items;
    if (first === undefined) return ERROR.notFound;
    const other = items.findIndex(({ length }) => length !== first.length);
    const alike = other === -1 ? items : items.slice(0, other);
    const room = Math.floor((this.#mtu - 2) / first.length);
    return Buffer.concat([Buffer.from([op, first.length]), ...alike.slice(0, room)]);
  }

  #read(op: number, packet: Buffer): Buffer | number {
    const attribute = this.#table.at(packet.readUInt16LE(1));
    if (attribute === undefined) return ERROR.invalidHandle;
    if ((attribute.allows & PROPERTY.read) === 0) return ERROR.notReadable;
    const offset = op === OP.readBlob ? packet.readUInt16LE(3) : 0;
    if (offset > attribute.value.length) return ERROR.invalidOffset;
    const part = attribute.value.subarray(offset, offset + this.#mtu - 1);
    return Buffer.concat([Buffer.from([op + 1]), part]);
  }

  #write(op: number, packet: Buffer): Buffer | number | undefined {
    const handle = packet.readUInt16LE(1);
    const refused = this.#refusal(handle, op === OP.command ? PROPERTY.command : PROPERTY.write);
    if (refused !== undefined) return op === OP.command ? undefined : refused;
    this.#put(handle, Buffer.from(packet.subarray(3)));
    return op === OP.command ? undefined : Buffer.from([OP.writeResponse]);
  }

  #prepare(packet: Buffer): Buffer | number {
    const [handle, offset] = [packet.readUInt16LE(1), packet.readUInt16LE(3)];
    const refused = this.#refusal(handle, PROPERTY.write);
    if (refused !== undefined) return refused;
    this.#prepared.push({ handle, offset, part: Buffer.from(packet.subarray(5)) });
    const echo = Buffer.from(packet);
    echo.writeUInt8(OP.prepareResponse);
    return echo;
  }

  #execute(really: boolean): Buffer {
    const parts = this.#prepared;
    this.#prepared = [];
    const [first] = parts;
    if (really && first !== undefined)
      this.#put(first.handle, Buffer.concat(parts.map(({ part }) => part)));
    return Buffer.from([OP.executeResponse]);
  }

  #refusal(handle: number, bit: number): number | undefined {
    const attribute = this.#table.at(handle);
    if (attribute === undefined) return ERROR.invalidHandle;
    return (attribute.allows & bit) === 0 ? ERROR.notWritable : undefined;
  }

  #put(handle: number, value: Buffer): void {
    this.#table.set(handle, value);
    if (this.#table.at(handle)?.type.equals(number(CLIENT_CONFIGURATION)) === true)
      this.#told.set(handle - 1, value.readUInt8());
    else this.#written(handle);
  }
}

function number(value: number): Buffer {
  return Buffer.from([value & 0xff, value >> 8]);
}

function reversed(uuid: Characteristic['uuid']): Buffer {
  return Buffer.from(uuid, 'hex').reverse();
}

function handled(op: number | undefined, ...handles: readonly number[]): Buffer {
  const bytes = handles.flatMap((handle) => [handle & 0xff, handle >> 8]);
  return Buffer.from(op === undefined ? bytes : [op, ...bytes]);
}
