/** What noble's HCI layer takes for a controller: a byte stream that speaks H4, or a raw HCI socket of the kernel. */
import { EventEmitter } from 'node:events';
import type { Duplex } from 'node:stream';
import { COMMAND, EVENT, H4Parser } from './h4.ts';

/** As noble calls it. */
export interface HciSocket extends EventEmitter {
  bindRaw(device?: number, parameters?: object): unknown;
  start(): void;
  stop(): void;
  isDevUp(): boolean;
  setFilter(filter: Buffer): void;
  write(packet: Buffer): void;
}

const COMMAND_COMPLETE = 0x0e;
const COMMAND_STATUS = 0x0f;
/** noble sends some twenty when it starts. */
const MAX_COMMANDS = 64;

/**
 * A controller at the other end of a stream. A controller says how many commands it can take (Vol 4 Part E, 4.4); noble
 * leaves that to the kernel, so here it is done for it.
 */
export class H4Socket extends EventEmitter implements HciSocket {
  readonly #stream: Duplex;
  readonly #parser = new H4Parser();
  readonly #commands: Buffer[] = [];
  #allowed = 1;
  #started = false;
  #stopped = false;
  readonly #onData = (chunk: Buffer): void => this.#receive(chunk);
  readonly #onEnd = (error?: unknown): void =>
    this.#lose(error instanceof Error ? error : new Error('the stream has ended'));

  constructor(stream: Duplex) {
    super();
    this.#stream = stream;
  }

  bindRaw(): void {
    // The stream is open already.
  }

  setFilter(): void {
    // Everything is for us.
  }

  isDevUp(): boolean {
    return !this.#stopped && !this.#stream.destroyed;
  }

  start(): void {
    if (this.#started) return;
    this.#started = true;
    this.#stream.on('data', this.#onData);
    for (const event of ['error', 'end', 'close']) this.#stream.on(event, this.#onEnd);
  }

  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#commands.length = 0;
    const stream = this.#stream;
    // Whoever keeps the stream keeps nothing of this.
    stream.off('data', this.#onData);
    for (const event of ['error', 'end', 'close']) stream.off(event, this.#onEnd);
    stream.on('error', () => undefined);
    // What was written last, such as the end of a link, still goes out.
    stream.end();
    stream.resume();
  }

  write(packet: Buffer): void {
    if (!this.isDevUp()) return;
    if (packet[0] !== COMMAND) {
      this.#stream.write(packet);
      return;
    }
    if (this.#commands.length >= MAX_COMMANDS) {
      this.#lose(new Error(`${MAX_COMMANDS} commands wait for the controller, which takes none`));
      return;
    }
    this.#commands.push(packet);
    this.#send();
  }

  #send(): void {
    while (this.#allowed > 0) {
      const next = this.#commands.shift();
      if (next === undefined) return;
      this.#allowed--;
      this.#stream.write(next);
    }
  }

  #receive(chunk: Buffer): void {
    if (this.#stopped) return;
    try {
      for (const packet of this.#parser.take(chunk)) {
        this.#note(packet);
        this.emit('data', packet);
      }
    } catch (error) {
      this.#lose(error as Error);
    }
  }

  /** How many commands it can take from now on. */
  #note(packet: Buffer): void {
    if (packet[0] !== EVENT) return;
    const at = packet[1] === COMMAND_COMPLETE ? 3 : packet[1] === COMMAND_STATUS ? 4 : undefined;
    if (at === undefined) return;
    this.#allowed = packet[at] ?? 0;
    this.#send();
  }

  #lose(error: Error): void {
    if (this.#stopped) return;
    this.stop();
    this.emit('lost', error);
  }
}
