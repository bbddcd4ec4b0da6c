/**
 * One byte stream that the devices of a port share, each through a part of its own. What comes in belongs to the
 * device whose turn it is; what comes in on nobody's turn (a late answer) is dropped and counted.
 */
import { Unreachable } from '@limpet/dmi';
import { Duplex } from 'node:stream';
import { type Taps } from './taps.ts';

export interface WireOptions {
  readonly stream: Duplex;
  /** The address, for messages. */
  readonly address: string;
  /** Whose turn it is; without it the wire has one device only, which gets everything. */
  readonly holder?: () => string | undefined;
  /** Called once, when the wire is cut or the last part was given back. */
  readonly closed: (wire: Wire) => void;
  /** Hears of what goes over it, for whoever records a device. */
  readonly tapped: Taps['note'];
}

/** So much waits at most for a device that does not take it. */
const MAX_UNSENT_BYTES = 1_048_576;

/** Invariant: every part in `#parts` is open, and the stream is open while there is one. */
export class Wire {
  readonly #options: WireOptions;
  readonly #parts = new Map<Duplex, string>();
  #cut: Error | undefined;
  /** Bytes that came in on nobody's turn. */
  dropped = 0;

  constructor(options: WireOptions) {
    this.#options = options;
    const { stream } = options;
    stream.on('data', (chunk: Buffer) => this.#receive(chunk));
    stream.on('error', (error) => this.#lose(error));
    stream.on('end', () => this.#lose());
    stream.on('close', () => this.#lose());
  }

  get open(): boolean {
    return this.#cut === undefined;
  }

  get devices(): readonly string[] {
    return [...new Set(this.#parts.values())];
  }

  /** The device's part of the wire. */
  part(device: string): Duplex {
    let sent = Promise.resolve();
    const part: Duplex = new Duplex({
      allowHalfOpen: false,
      read: () => void this.#options.stream.resume(),
      // Taken over at once, so that the next write is looked at as well and the ceiling holds.
      write: (chunk: Buffer, _encoding, done) => {
        const refused = this.#refusal(part);
        if (refused === undefined) {
          this.#options.tapped(device, 'out', chunk);
          sent = this.#send(chunk);
        }
        done(refused);
      },
      final: (done) => void finish(part, sent, done),
      destroy: (error, done) => {
        this.#giveBack(part, error);
        done(error);
      },
    });
    // A mapper learns of the loss at its next call; without a listener here it would end this process.
    part.on('error', () => undefined);
    this.#parts.set(part, device);
    this.#options.tapped(device, 'open', this.#options.address);
    return part;
  }

  /** Another device has the turn: bytes that the last one left unread must not hold this one up. */
  turned(): void {
    if (this.open) this.#options.stream.resume();
  }

  /** Closes the stream; every part ends with `error`. */
  cut(error: Error): void {
    if (this.#cut !== undefined) return;
    this.#cut = error;
    this.#options.stream.destroy();
    const parts = [...this.#parts];
    this.#parts.clear();
    for (const [part, device] of parts) {
      this.#options.tapped(device, 'close', error.message);
      part.destroy(error);
    }
    this.#options.closed(this);
  }

  #receive(chunk: Buffer): void {
    const part = this.#partInTurn();
    if (part === undefined) {
      this.dropped += chunk.length;
      return;
    }
    this.#options.tapped(this.#parts.get(part) ?? '', 'in', chunk);
    if (!part.push(chunk)) this.#options.stream.pause();
  }

  #partInTurn(): Duplex | undefined {
    const { holder } = this.#options;
    const device = holder?.();
    for (const [part, owner] of this.#parts) {
      if (holder === undefined || owner === device) return part;
    }
    return undefined;
  }

  /** Why this part may not write now. */
  #refusal(part: Duplex): Error | undefined {
    const { holder, stream, address } = this.#options;
    const device = this.#parts.get(part) ?? '';
    if (!this.open) return this.#cut;
    if (holder !== undefined && holder() !== device) {
      return new Error(`${device} wrote to ${address} outside its turn: a fault in its mapper`);
    }
    if (stream.writableLength <= MAX_UNSENT_BYTES) return undefined;
    return new Unreachable(
      'PORT_OVERFLOW',
      `${address} takes no more: the device reads too slowly`,
    );
  }

  /** Resolves once the bytes are gone, or lost: the stream's own error says so to all. */
  #send(chunk: Buffer): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#options.stream.write(chunk, () => resolve());
    return promise;
  }

  #giveBack(part: Duplex, error: Error | null): void {
    const device = this.#parts.get(part);
    if (device === undefined) return;
    this.#parts.delete(part);
    this.#options.tapped(device, 'close', error?.message);
    if (!this.open) return;
    if (error !== null) {
      const message = `the wire ${this.#options.address} was cut: ${error.message}`;
      this.cut(new Unreachable('PORT_CUT', message, { cause: error }));
    } else if (this.#parts.size === 0) {
      this.cut(new Unreachable('PORT_CLOSED', `${this.#options.address} was closed`));
    }
  }

  #lose(error?: Error): void {
    const { address } = this.#options;
    const message = `the connection to ${address} was lost${error === undefined ? '' : `: ${error.message}`}`;
    this.cut(new Unreachable('PORT_LOST', message, { cause: error }));
  }
}

/** Gives the part back once what it wrote is gone. */
async function finish(part: Duplex, sent: Promise<void>, done: () => void): Promise<void> {
  await sent;
  done();
  part.destroy();
}
