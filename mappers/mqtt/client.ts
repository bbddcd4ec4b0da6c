/** One conversation with a broker: MQTT 3.1.1 or 5 on a byte stream, with acknowledgements, time-outs and pings. */
import type { Duplex } from 'node:stream';
import { type Clock, type DmiError, Garbled, Refused, Unreachable } from '@limpet/dmi';
import { FrameReader } from './frames.ts';
import * as orders from './orders.ts';
import { decode, type Incoming, type Level, type Publish } from './packets.ts';
import { disconnectFault, publishFault, refusal } from './reasons.ts';

export interface ClientOptions extends orders.Connect {
  readonly level: Level;
  /** How long the broker may take for an answer. */
  readonly timeoutMs: number;
}

export interface Around {
  readonly clock: Clock;
  /** The broker, for messages. */
  readonly address: string;
  /** A message came. Its payload is a view, good until this returns. */
  readonly told: (message: Publish) => void;
  /** Once, unless it was closed: nothing comes after it. */
  readonly lost: (error: DmiError) => void;
}

interface Ask {
  readonly resolve: (answer: Incoming) => void;
  readonly reject: (error: unknown) => void;
}

/** Messages and subscriptions that wait for their acknowledgement. */
const MAX_UNDER_WAY = 1_000;
/** Numbers of QoS 2 messages that the broker has not released. */
const MAX_UNRELEASED = 1_000;

export class Client {
  readonly #stream: Duplex;
  readonly #options: ClientOptions;
  readonly #around: Around;
  readonly #frames: FrameReader;
  readonly #asks = new Map<string, Ask>();
  readonly #unreleased = new Set<number>();
  #pings: Ask[] = [];
  #id = 0;
  #over: DmiError | undefined;
  #heard = false;
  #cancelPing = (): void => undefined;
  /** Whether the broker had kept a session of this client. */
  resumed = false;

  private constructor(stream: Duplex, options: ClientOptions, around: Around) {
    this.#stream = stream;
    this.#options = options;
    this.#around = around;
    this.#frames = new FrameReader(options.maximumPacket);
    const gone = (why: string): void =>
      this.#lose(new Unreachable('MQTT_LOST', `the broker ${around.address} ${why}`));
    stream.on('data', (chunk: Buffer) => this.#receive(chunk));
    stream.on('error', (error) => gone(`was lost: ${error.message}`));
    stream.on('end', () => gone('closed the connection'));
    stream.on('close', () => gone('is gone: the connection was closed'));
  }

  /** Takes over `stream`. @throws Unreachable, Misconfigured, Garbled */
  static async open(
    stream: Duplex,
    options: ClientOptions,
    around: Around,
    signal: AbortSignal,
  ): Promise<Client> {
    const client = new Client(stream, options, around);
    try {
      const connack = await client.#ask('connack', orders.connect(options, options.level), signal);
      client.#accepted(connack as Extract<Incoming, { kind: 'connack' }>);
      return client;
    } catch (error) {
      client.#end();
      throw error;
    }
  }

  /** What the broker granted, filter by filter: a QoS, or a refusal of 128 and more. */
  async subscribe(
    filters: readonly orders.Filter[],
    signal: AbortSignal,
  ): Promise<readonly number[]> {
    const id = this.#nextId();
    const packet = orders.subscribe(filters, id, this.#options.level);
    const answer = await this.#ask(`suback ${id}`, packet, signal);
    return answer.kind === 'suback' ? answer.codes : [];
  }

  /** Nobody waits for its answer. */
  unsubscribe(topics: readonly string[]): void {
    if (this.#over === undefined) {
      this.#send(orders.unsubscribe(topics, this.#nextId(), this.#options.level));
    }
  }

  /** Resolves once the broker has it: at QoS 0 once it is sent. @throws Refused, Unreachable */
  async publish(message: orders.Message, signal: AbortSignal): Promise<void> {
    if (this.#over !== undefined) throw this.#over;
    const { level } = this.#options;
    if (message.qos === 0) return this.#send(orders.publish(message, 0, level));
    const id = this.#nextId();
    const packet = orders.publish(message, id, level);
    if (message.qos === 1) {
      const answer = await this.#ask(`puback ${id}`, packet, signal);
      throwRefused(answer, message.topic);
      return;
    }
    const received = await this.#ask(`pubrec ${id}`, packet, signal);
    throwRefused(received, message.topic);
    await this.#ask(`pubcomp ${id}`, orders.acknowledge('pubrel', id), signal);
  }

  /** Resolves once the broker has answered; what it had for us before that has come. */
  async ping(signal: AbortSignal): Promise<void> {
    if (this.#over !== undefined) throw this.#over;
    await this.#wait(
      (ask) => {
        this.#pings.push(ask);
        this.#send(orders.PINGREQ);
      },
      (ask) => void (this.#pings = this.#pings.filter((each) => each !== ask)),
      signal,
    );
  }

  /** Ends it in peace: the broker forgets it, or keeps its session. */
  close(): void {
    if (this.#over === undefined) this.#send(orders.DISCONNECT);
    this.#end();
  }

  #accepted({ code, present, properties }: Extract<Incoming, { kind: 'connack' }>): void {
    const { level, clientId, keepaliveSeconds } = this.#options;
    if (code !== 0) {
      throw refusal({ level, code, clientId, address: this.#around.address }, properties.reason);
    }
    this.resumed = present;
    this.#keepAlive((properties.keepaliveSeconds ?? keepaliveSeconds) * 1000);
  }

  /** Asks twice in `ms` whether the broker is there; one that said nothing since the last time is not. */
  #keepAlive(ms: number): void {
    if (ms === 0) return;
    this.#heard = true;
    const again = (): void => {
      if (!this.#heard) return this.#lose(this.#silent(ms / 2));
      this.#heard = false;
      this.#send(orders.PINGREQ);
      this.#cancelPing = this.#around.clock.after(ms / 2, again);
    };
    this.#cancelPing = this.#around.clock.after(ms / 2, again);
  }

  #receive(chunk: Buffer): void {
    this.#heard = true;
    try {
      for (const frame of this.#frames.push(chunk)) {
        if (this.#over !== undefined) return;
        this.#take(decode(frame, this.#options.level));
      }
    } catch (error) {
      if (!(error instanceof Garbled)) throw error;
      this.#lose(error);
    }
  }

  #take(packet: Incoming): void {
    switch (packet.kind) {
      case 'publish':
        return this.#told(packet);
      case 'pubrel':
        this.#unreleased.delete(packet.id);
        return this.#send(orders.acknowledge('pubcomp', packet.id));
      case 'pingresp':
        return this.#pings.shift()?.resolve(packet);
      case 'connack':
        return this.#answer('connack', packet);
      case 'disconnect':
        return this.#lose(disconnectFault(packet, this.#around.address, this.#options.clientId));
      case 'puback':
      case 'pubrec':
      case 'pubcomp':
      case 'suback':
      case 'unsuback':
        // Nobody waits where the call was given up.
        return this.#answer(`${packet.kind} ${packet.id}`, packet);
    }
  }

  #answer(key: string, packet: Incoming): void {
    this.#asks.get(key)?.resolve(packet);
    this.#asks.delete(key);
  }

  #told(message: Publish): void {
    const { qos, id } = message;
    const again = qos === 2 && this.#unreleased.has(id);
    if (qos === 2) {
      if (this.#unreleased.size >= MAX_UNRELEASED && !again) {
        throw new Garbled('MQTT_FLOOD', 'the broker releases none of its messages of QoS 2');
      }
      this.#unreleased.add(id);
    }
    if (!again) this.#around.told(message);
    if (this.#over !== undefined || qos === 0) return;
    this.#send(orders.acknowledge(qos === 1 ? 'puback' : 'pubrec', id));
  }

  #ask(key: string, packet: Buffer, signal: AbortSignal): Promise<Incoming> {
    if (this.#asks.size >= MAX_UNDER_WAY) {
      throw new Refused('MQTT_BUSY', `${MAX_UNDER_WAY} messages wait for the broker already`);
    }
    return this.#wait(
      (ask) => {
        this.#asks.set(key, ask);
        this.#send(packet);
      },
      (ask) => this.#asks.get(key) === ask && this.#asks.delete(key),
      signal,
    );
  }

  async #wait(
    start: (ask: Ask) => void,
    forget: (ask: Ask) => void,
    signal: AbortSignal,
  ): Promise<Incoming> {
    signal.throwIfAborted();
    if (this.#over !== undefined) throw this.#over;
    const { promise, resolve, reject } = Promise.withResolvers<Incoming>();
    const ask = { resolve, reject };
    const { timeoutMs } = this.#options;
    const cancel = this.#around.clock.after(timeoutMs, () => this.#lose(this.#silent(timeoutMs)));
    const abort = (): void => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    try {
      start(ask);
      return await promise;
    } finally {
      cancel();
      signal.removeEventListener('abort', abort);
      forget(ask);
    }
  }

  #silent(ms: number): Unreachable {
    const { address } = this.#around;
    return new Unreachable('MQTT_SILENT', `no answer from the broker ${address} within ${ms} ms`);
  }

  #send(packet: Buffer): void {
    if (!this.#stream.destroyed && this.#stream.writable) this.#stream.write(packet);
  }

  /** Never that of a message that is still under way. */
  #nextId(): number {
    do this.#id = (this.#id % 0xffff) + 1;
    while (
      ['suback', 'puback', 'pubrec', 'pubcomp'].some((kind) =>
        this.#asks.has(`${kind} ${this.#id}`),
      )
    );
    return this.#id;
  }

  #lose(error: DmiError): void {
    if (this.#over !== undefined) return;
    this.#end(error);
    this.#around.lost(error);
  }

  #end(error: DmiError = new Unreachable('MQTT_CLOSED', 'the connection was closed')): void {
    if (this.#over !== undefined) return;
    this.#over = error;
    this.#cancelPing();
    for (const { reject } of [...this.#asks.values(), ...this.#pings]) reject(error);
    this.#asks.clear();
    this.#pings = [];
    this.#stream.end();
    // Its bytes have a moment to go; a wire that is lost has none to take.
    if (error.code !== 'MQTT_CLOSED') this.#stream.destroy();
  }
}

/** MQTT 5, 3.4.2.1: from 128 on a code is a refusal; 16 says that nobody has subscribed. */
function throwRefused(answer: Incoming, topic: string): void {
  const code = 'code' in answer ? answer.code : 0;
  if (code >= 0x80 || code === 0x10) throw publishFault(code, topic);
}
