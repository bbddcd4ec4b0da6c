/** One conversation with a device's attributes: one request under way at a time, each with its answer and its time (Vol 3 Part F, 3.3). */
import { type Clock, type DmiError, Garbled, Unreachable } from '@limpet/dmi';
import * as att from './att.ts';
import type { Characteristic, Descriptor, Service } from './attribute.ts';
import type { Link } from './radio/radio.ts';
import { uuidOf } from './uuid.ts';

const { OP } = att;

const PRIMARY_SERVICE = 0x2800;
const CHARACTERISTIC = 0x2803;
/** A device that lists more goes round in circles. */
const MAX_ENTRIES = 512;

export interface GattOptions {
  readonly link: Link;
  readonly clock: Clock;
  /** A device that takes longer is lost; the specification allows it 30 s. */
  readonly answerMs: number;
  /** For messages. */
  readonly address: string;
  /** Whether to pair when the device wants it. */
  readonly pairs: boolean;
}

interface Asked {
  readonly op: number;
  resolve(answer: Buffer): void;
  reject(error: Error): void;
}

/** Invariant: while `#asked` is set its answer is owed, and nothing else is asked. */
export class Gatt {
  readonly #options: GattOptions;
  readonly #notified = new Map<number, (value: Buffer) => void>();
  /** Ends when the one before it was answered. */
  #turn: Promise<unknown> = Promise.resolve();
  #asked: Asked | undefined;
  #mtu = att.DEFAULT_MTU;
  #paired = false;
  #lost: DmiError | undefined;
  readonly #ended = Promise.withResolvers<DmiError>();

  constructor(options: GattOptions) {
    this.#options = options;
    const { link, address } = options;
    link.receive = (packet) => this.#receive(packet);
    void link.ended.then((error) =>
      this.#lose(
        new Unreachable('BLE_LINK_LOST', `the link to ${address} ended: ${error.message}`, {
          cause: error,
        }),
      ),
    );
  }

  /** Resolves with why, once. */
  get ended(): Promise<DmiError> {
    return this.#ended.promise;
  }

  get lost(): DmiError | undefined {
    return this.#lost;
  }

  close(): void {
    this.#options.link.disconnect();
    this.#lose(new Unreachable('BLE_LINK_LOST', 'the link was given up'));
  }

  /** Called with what is notified or indicated of this value. */
  onNotified(handle: number, told: ((value: Buffer) => void) | undefined): void {
    if (told === undefined) this.#notified.delete(handle);
    else this.#notified.set(handle, told);
  }

  /** Part F, 3.4.2: once for a link. */
  async exchangeMtu(signal: AbortSignal): Promise<void> {
    try {
      const answer = await this.#ask(att.handleRequest(OP.mtuRequest, att.WANTED_MTU), signal);
      this.#setMtu(answer);
    } catch (error) {
      // Most small devices know only the default.
      if (!(error instanceof att.AttError)) throw error;
    }
  }

  async services(signal: AbortSignal): Promise<Service[]> {
    const found = await this.#list({ first: 1, last: 0xffff }, OP.readByGroup, signal, (answer) =>
      att.entries(answer, 6).map((entry) => ({
        first: entry.readUInt16LE(0),
        last: entry.readUInt16LE(2),
        uuid: uuidOf(entry.subarray(4)),
      })),
    );
    return found;
  }

  async characteristics(service: Service, signal: AbortSignal): Promise<Characteristic[]> {
    const found = await this.#list(service, OP.readByType, signal, (answer) =>
      att.entries(answer, 7).map((entry) => ({
        first: entry.readUInt16LE(0),
        last: entry.readUInt16LE(3),
        properties: entry.readUInt8(2),
        uuid: uuidOf(entry.subarray(5)),
      })),
    );
    return found.map(({ uuid, properties, last: handle }, index) => {
      const next = found[index + 1];
      return { uuid, handle, properties, last: next === undefined ? service.last : next.first - 1 };
    });
  }

  descriptors(
    characteristic: Pick<Characteristic, 'handle' | 'last'>,
    signal: AbortSignal,
  ): Promise<Descriptor[]> {
    const range = { first: characteristic.handle + 1, last: characteristic.last };
    return this.#list(range, OP.findInformation, signal, (answer) =>
      att.information(answer).map(({ handle, uuid }) => ({
        first: handle,
        last: handle,
        handle,
        uuid: uuidOf(uuid),
      })),
    );
  }

  /** The whole of it, in as many requests as it needs. @throws AttError */
  async read(handle: number, signal: AbortSignal): Promise<Buffer> {
    const first = await this.#askPaired(att.handleRequest(OP.read, handle), signal);
    const parts = [first.subarray(1)];
    let length = parts[0]?.length ?? 0;
    // A full packet may not be all: Part G, 4.8.3.
    while (parts.at(-1)?.length === this.#mtu - 1 && length < att.MAX_VALUE) {
      const part = await this.#blob(handle, length, signal);
      if (part.length === 0) break;
      parts.push(part);
      length += part.length;
    }
    return Buffer.concat(parts);
  }

  /** Acknowledged by the device; in parts where it is long. @throws AttError */
  async write(handle: number, value: Uint8Array, signal: AbortSignal): Promise<void> {
    if (value.length <= this.#mtu - 3) {
      await this.#askPaired(att.valueRequest(OP.write, handle, value), signal);
      return;
    }
    const step = this.#mtu - 5;
    try {
      for (let offset = 0; offset < value.length; offset += step) {
        const part = value.subarray(offset, offset + step);
        const request = att.prepareRequest(handle, offset, part);
        const echo = await this.#askPaired(request, signal);
        // Part G, 4.9.5: what comes back is compared.
        if (!echo.subarray(1).equals(request.subarray(1))) {
          throw new Garbled('BLE_ECHO', 'the device repeated other bytes than were written');
        }
      }
    } catch (error) {
      // Nothing of a half-prepared value may take effect.
      this.#takeBack();
      throw error;
    }
    await this.#ask(Buffer.from([OP.execute, 1]), signal);
  }

  /** Before whatever is asked next, also where nobody waits for this any more; what fails here ends the link, or changes nothing. */
  #takeBack(): void {
    const never = new AbortController().signal;
    void this.#ask(Buffer.from([OP.execute, 0]), never).catch(() => undefined);
  }

  /** Not acknowledged. What does not fit one packet cannot be written so. */
  command(handle: number, value: Uint8Array): void {
    if (this.#lost !== undefined) throw this.#lost;
    this.#options.link.send(att.valueRequest(OP.command, handle, value));
  }

  /** How many bytes a {@link command} can carry. */
  get commandBytes(): number {
    return this.#mtu - 3;
  }

  async #blob(handle: number, offset: number, signal: AbortSignal): Promise<Buffer> {
    try {
      const answer = await this.#ask(att.handleRequest(OP.readBlob, handle, offset), signal);
      return answer.subarray(1);
    } catch (error) {
      // It was just as long as the packet.
      const end =
        error instanceof att.AttError &&
        (error.code === att.NOT_LONG || error.code === att.INVALID_OFFSET);
      if (end) return Buffer.alloc(0);
      throw error;
    }
  }

  /** Asks for one piece after the other until there is none. */
  async #list<Item extends att.Range>(
    range: att.Range,
    op: number,
    signal: AbortSignal,
    parse: (answer: Buffer) => Item[],
  ): Promise<Item[]> {
    const type =
      op === OP.readByGroup ? PRIMARY_SERVICE : op === OP.readByType ? CHARACTERISTIC : undefined;
    const found: Item[] = [];
    let { first } = range;
    while (first <= range.last && found.length < MAX_ENTRIES) {
      const items = await this.#piece(
        att.rangeRequest(op, { first, last: range.last }, type),
        signal,
        parse,
      );
      const last = items.at(-1)?.last;
      if (last === undefined) break;
      if (last < first) throw this.#fail(new att.AttGarbled('a list that goes backwards'));
      found.push(...items);
      first = last + 1;
    }
    return found;
  }

  async #piece<Item>(
    request: Buffer,
    signal: AbortSignal,
    parse: (answer: Buffer) => Item[],
  ): Promise<Item[]> {
    try {
      return parse(await this.#askPaired(request, signal));
    } catch (error) {
      if (error instanceof att.AttError && error.code === att.ATTRIBUTE_NOT_FOUND) return [];
      if (error instanceof att.AttGarbled) throw this.#fail(error);
      throw error;
    }
  }

  /** As {@link #ask}; pairs, once, where the device wants it. */
  async #askPaired(request: Buffer, signal: AbortSignal): Promise<Buffer> {
    try {
      return await this.#ask(request, signal);
    } catch (error) {
      const pair =
        error instanceof att.AttError && error.wantsPairing && this.#options.pairs && !this.#paired;
      if (!pair) throw error;
      this.#paired = true;
      await this.#pair(signal);
      return this.#ask(request, signal);
    }
  }

  async #pair(signal: AbortSignal): Promise<void> {
    const { clock, answerMs, link, address } = this.#options;
    const late = new AbortController();
    const stop = clock.after(answerMs, () => late.abort(new Error('no answer in time')));
    try {
      await link.pair(AbortSignal.any([signal, late.signal]));
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      const why = error instanceof Error ? error.message : String(error);
      throw new Unreachable('BLE_PAIRING', `${address} was not paired: ${why}`, { cause: error });
    } finally {
      stop();
    }
  }

  /** One request in its turn. When aborted its answer is still waited for, by nobody but the next in turn. */
  #ask(request: Buffer, signal: AbortSignal): Promise<Buffer> {
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
    const abort = (): void => reject(signal.reason as Error);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    this.#turn = this.#turn.then(() => this.#exchange(request, signal).then(resolve, reject));
    return promise.finally(() => signal.removeEventListener('abort', abort));
  }

  async #exchange(request: Buffer, signal: AbortSignal): Promise<Buffer> {
    signal.throwIfAborted();
    if (this.#lost !== undefined) throw this.#lost;
    const { link, clock, answerMs, address } = this.#options;
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
    this.#asked = { op: request.readUInt8(0), resolve, reject };
    // 3.3.3: after a request that was not answered nothing may be asked on this link any more.
    const stop = clock.after(answerMs, () => {
      link.disconnect();
      const message = `${address} did not answer within ${answerMs} ms`;
      this.#lose(new Unreachable('BLE_TIMEOUT', message));
    });
    try {
      link.send(request);
      return await promise;
    } finally {
      stop();
      this.#asked = undefined;
    }
  }

  #receive(packet: Buffer): void {
    const op = packet[0];
    if (op === OP.notification || op === OP.indication) {
      if (packet.length < 3) return;
      if (op === OP.indication) this.#options.link.send(Buffer.from([OP.confirmation]));
      this.#notified.get(packet.readUInt16LE(1))?.(packet.subarray(3));
      return;
    }
    const answer = att.answered(packet);
    if (answer === undefined) this.#serve(packet);
    else if (answer.op !== this.#asked?.op) {
      const message = `an answer to request ${answer.op}, where ${this.#asked?.op ?? 'none'} was asked`;
      this.#fail(new att.AttGarbled(message));
    } else if (answer.refused === undefined) this.#asked.resolve(packet);
    else this.#asked.reject(answer.refused);
  }

  /** What a device asks of this side, which has no attributes. */
  #serve(packet: Buffer): void {
    const op = packet[0] ?? 0;
    const { link } = this.#options;
    if (op === OP.mtuRequest) {
      link.send(att.handleRequest(OP.mtuResponse, att.WANTED_MTU));
      this.#setMtu(packet);
    } else if (op % 2 === 0 && op !== OP.confirmation && (op & 0x40) === 0) {
      link.send(Buffer.from([OP.error, op, 0, 0, att.REQUEST_NOT_SUPPORTED]));
    }
  }

  #setMtu(packet: Buffer): void {
    if (packet.length < 3) return;
    this.#mtu = Math.max(att.DEFAULT_MTU, Math.min(att.WANTED_MTU, packet.readUInt16LE(1)));
  }

  #fail(error: att.AttGarbled): Garbled {
    const message = `${this.#options.address} broke the attribute protocol: ${error.message}`;
    const garbled = new Garbled('BLE_GARBLED', message, { cause: error });
    this.#options.link.disconnect();
    this.#lose(garbled);
    return garbled;
  }

  #lose(error: DmiError): void {
    if (this.#lost !== undefined) return;
    this.#lost = error;
    this.#asked?.reject(error);
    this.#ended.resolve(error);
  }
}
