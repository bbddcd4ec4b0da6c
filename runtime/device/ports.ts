/**
 * The ports of this node: who has which turn, the wires beneath, and how much time each device took of them.
 * A device joins a port, and gets a seat there for as long as it runs.
 */
import { type Clock, Misconfigured, Unreachable } from '@limpet/dmi';
import { type CapturePage } from '@limpet/dmi/manifest';
import { type Duplex } from 'node:stream';
import {
  type Address,
  lineSettings,
  parseAddress,
  type SerialAddress,
  wireKey,
} from './address.ts';
import { Gate } from './gate.ts';
import { DEAD_PORT_SHARE, Ledger } from './ledger.ts';
import { type Open, openStream } from './open.ts';
import { type PortQueue, Seat } from './seat.ts';
import { Taps } from './taps.ts';
import { Turns } from './turns.ts';
import { Wire } from './wire.ts';

export interface PortFigures {
  readonly port: string;
  /** Devices with a seat here. */
  readonly devices: number;
  /** Devices that wait for their turn now. */
  readonly waiting: number;
  /** Port time taken so far, in all and by device. */
  readonly busyMs: number;
  readonly busyMsByDevice: ReadonlyMap<string, number>;
  /** Bytes that came in on nobody's turn. */
  readonly droppedBytes: number;
}

interface Port {
  readonly key: string;
  /** Its devices share the wire, so that what comes in belongs to the one in turn. */
  readonly shared: boolean;
  readonly turns: Turns;
  readonly gate: Gate;
  readonly wires: Map<string, Wire>;
  readonly seats: Set<Seat>;
  readonly busyMs: Map<string, number>;
  droppedBytes: number;
  /** Since when it is somebody's turn, on the monotonic clock. */
  heldSinceMs: number;
}

/** An open serial line: its port and settings, to tell who asks for other ones. */
interface Line {
  readonly port: Port;
  readonly address: SerialAddress;
  readonly wire: Wire;
}

export class Ports {
  readonly #clock: Clock;
  readonly #open: Open;
  readonly #ports = new Map<string, Port>();
  readonly #lines = new Map<string, Line>();
  /** Lines that are being closed: until then the system lets nobody open them. */
  readonly #closing = new Map<string, Promise<void>>();
  readonly #taps: Taps;

  constructor(options: { readonly clock: Clock; readonly open?: Open }) {
    this.#clock = options.clock;
    this.#open = options.open ?? openStream;
    this.#taps = new Taps(options.clock);
  }

  /** A seat for the device at the port it shares; `undefined`: at a port of its own. */
  join(shared: string | undefined, device: string): Seat {
    const key = shared ?? `device:${device}`;
    let port = this.#ports.get(key);
    if (port === undefined) {
      port = this.#create(key, shared !== undefined);
      this.#ports.set(key, port);
    }
    const joined = port;
    const seat = new Seat({
      device,
      clock: this.#clock,
      turns: joined.turns,
      ledger: new Ledger({
        clock: this.#clock,
        gate: joined.gate,
        shared: () => joined.seats.size > 1,
      }),
      spent: (ms) => joined.busyMs.set(device, (joined.busyMs.get(device) ?? 0) + ms),
      dial: (address, signal) => this.#dial({ port: joined, device, address }, signal),
      left: () => this.#left(joined, seat),
      queue: () => this.#queue(joined, device),
    });
    joined.seats.add(seat);
    return seat;
  }

  figures(): PortFigures[] {
    return [...this.#ports.values()].map((port) => ({
      port: port.key,
      devices: port.seats.size,
      waiting: port.turns.waiting,
      busyMs: [...port.busyMs.values()].reduce((sum, ms) => sum + ms, 0),
      busyMsByDevice: new Map(port.busyMs),
      droppedBytes: [...port.wires.values()].reduce(
        (sum, { dropped }) => sum + dropped,
        port.droppedBytes,
      ),
    }));
  }

  /** What went over the device's wires since this capture was asked for last. @throws Refused CAPTURE_BUSY */
  tap(device: string, capture: string): CapturePage {
    let wires = 0;
    for (const port of this.#ports.values()) {
      for (const wire of port.wires.values()) if (wire.devices.includes(device)) wires += 1;
    }
    return this.#taps.page(device, capture, wires);
  }

  #create(key: string, shared: boolean): Port {
    const wires = new Map<string, Wire>();
    const turns = new Turns(() => {
      port.heldSinceMs = this.#clock.monotonic();
      for (const wire of wires.values()) wire.turned();
    });
    const gate = new Gate(this.#clock, DEAD_PORT_SHARE);
    const [seats, busyMs] = [new Set<Seat>(), new Map<string, number>()];
    const counted = { droppedBytes: 0, heldSinceMs: 0 };
    const port: Port = { key, shared, turns, gate, wires, seats, busyMs, ...counted };
    return port;
  }

  #queue({ key, seats, turns, heldSinceMs }: Port, device: string): PortQueue {
    const { holder } = turns;
    const heldMs = holder === undefined ? 0 : this.#clock.monotonic() - heldSinceMs;
    return { port: key, shared: seats.size > 1, holder, heldMs, ahead: turns.ahead(device) };
  }

  #left(port: Port, seat: Seat): void {
    port.seats.delete(seat);
    port.busyMs.delete(seat.device);
    if (port.seats.size === 0) this.#ports.delete(port.key);
  }

  async #dial(
    asked: { readonly port: Port; readonly device: string; readonly address: string },
    signal: AbortSignal,
  ): Promise<Duplex> {
    const address = parseAddress(asked.address);
    const present = this.#wire(asked, address);
    if (present !== undefined) return present.part(asked.device);
    await this.#closing.get(wireKey(address));
    signal.throwIfAborted();
    const stream = await this.#open(address, signal);
    // A call that was given up may have opened the same wire meanwhile.
    const overtaken = this.#wire(asked, address);
    if (overtaken !== undefined) {
      stream.destroy();
      return overtaken.part(asked.device);
    }
    if (stream.destroyed) {
      throw new Unreachable('PORT_LOST', `${wireKey(address)} was closed as soon as it was opened`);
    }
    return this.#newWire(asked.port, address, stream).part(asked.device);
  }

  #newWire(port: Port, address: Address, stream: Duplex): Wire {
    const key = wireKey(address);
    const wire = new Wire({
      stream,
      address: key,
      tapped: (...what) => this.#taps.note(...what),
      ...(port.shared && { holder: () => port.turns.holder }),
      closed: (closed) => {
        port.droppedBytes += closed.dropped;
        port.wires.delete(key);
        if (this.#lines.get(key)?.wire !== closed) return;
        this.#lines.delete(key);
        this.#awaitClose(key, stream);
      },
    });
    port.wires.set(key, wire);
    if (address.kind === 'serial') this.#lines.set(key, { port, address, wire });
    return wire;
  }

  #awaitClose(key: string, stream: Duplex): void {
    if (stream.closed) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#closing.set(key, promise);
    stream.once('close', () => {
      resolve();
      if (this.#closing.get(key) === promise) this.#closing.delete(key);
    });
  }

  /**
   * The wire to this address that is open already.
   * @throws Misconfigured PORT_SETTINGS when it is open in a way that both cannot use
   */
  #wire({ port, device }: { port: Port; device: string }, address: Address): Wire | undefined {
    const key = wireKey(address);
    const line = this.#lines.get(key);
    if (line === undefined || address.kind === 'tcp') return port.wires.get(key);
    const holders = line.wire.devices.filter((each) => each !== device).join(', ');
    const [mine, theirs] = [lineSettings(address), lineSettings(line.address)];
    if (mine !== theirs && holders !== '') {
      throw new Misconfigured(
        'PORT_SETTINGS',
        `${address.path} is in use by ${holders} with ${theirs}; ${device} asks for ${mine}: give all devices of the line the same settings`,
      );
    }
    if (line.port !== port) {
      throw new Misconfigured(
        'PORT_SETTINGS',
        `${address.path} is in use by ${holders} through port ${line.port.key}; ${device} asks for it through ${port.key}: one line has one protocol and one path name`,
      );
    }
    return mine === theirs ? line.wire : undefined;
  }
}
