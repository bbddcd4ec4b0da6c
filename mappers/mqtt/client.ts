/** One conversation with a broker by the library `mqtt`: of it one connection, and no time, queue or retry of its own. */
import type { Duplex } from 'node:stream';
import { type Clock, DmiError, Garbled, Refused, Unreachable } from '@limpet/dmi';
import type mqtt from 'mqtt';
import type { IPublishPacket, MqttClient, Packet } from 'mqtt';
import { Ceiling, skippedOf } from './ceiling.ts';
import { ceilinged } from './ceilinged.ts';
import { libraryTimer } from './library-timer.ts';
import type { Filter, Message, Publish } from './messages.ts';
import { faultIn, publishFault } from './reasons.ts';
import { type ClientOptions, sessionOf } from './session.ts';
import { unreleased } from './unreleased.ts';

export interface Around {
  readonly clock: Clock;
  /** The broker, for messages. */
  readonly address: string;
  /** A message came. Its payload is a view, good until this returns; then it is acknowledged. */
  readonly told: (message: Publish) => void;
  /** Once, unless it was closed or never open: nothing comes after it. */
  readonly lost: (error: DmiError) => void;
}

interface Ask {
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: unknown) => void;
}

type Library = Pick<typeof mqtt, 'MqttClient' | 'UniqueMessageIdProvider'>;
type Done = (error: Error | null | undefined, answer?: unknown) => void;

/** Messages and subscriptions that wait for their acknowledgement. */
const MAX_UNDER_WAY = 1_000;
/** The longest that a timer of Node waits: the mapper's clock says when it is too late. */
const NEVER_MS = 2_147_483_647;
/** MQTT 5, 3.4.2.1: a success, but nobody has subscribed. */
const NO_SUBSCRIBERS = 0x10;

export class Client {
  readonly #stream: Duplex;
  readonly #options: ClientOptions;
  readonly #around: Around;
  readonly #mqtt: MqttClient;
  readonly #asks = new Set<Ask>();
  /** Who waits for the answer to which of the pings; of most it is the library. */
  #pings: Done[] = [];
  #pinging: Done = () => undefined;
  /** Numbers of messages for which nobody has subscribed. */
  readonly #unheard = new Set<number>();
  #underWay = 0;
  #open = false;
  #over: DmiError | undefined;

  private constructor(library: Library, wire: Duplex, options: ClientOptions, around: Around) {
    this.#options = options;
    this.#around = around;
    const { MqttClient, UniqueMessageIdProvider } = library;
    this.#stream = ceilinged(wire, new Ceiling(options.maximumPacket, options.level));
    this.#follow(this.#stream);
    const take = (packet: IPublishPacket, done: () => void): void => this.#take(packet, done);
    this.#mqtt = new MqttClient(() => this.#stream, {
      ...sessionOf(options),
      manualConnect: true,
      reconnectPeriod: 0,
      resubscribe: false,
      queueQoSZero: false,
      connectTimeout: NEVER_MS,
      timerVariant: libraryTimer(around.clock),
      messageIdProvider: new UniqueMessageIdProvider(),
      incomingStore: unreleased(take, () =>
        this.#lose(new Garbled('MQTT_FLOOD', 'the broker releases none of its messages of QoS 2')),
      ),
      // No tables of all numbers of two bytes, made with the first packet.
      writeCache: false,
      // What it traces has the password in it.
      log: () => undefined,
    });
    // Those of QoS 2 were told when they came.
    this.#mqtt.handleMessage = (packet, done) =>
      packet.qos === 2 ? done() : this.#take(packet, done);
    this.#mqtt.onKeepaliveTimeout = () => this.#lose(this.#silent(options.keepaliveSeconds * 1000));
    this.#mqtt.on('packetreceive', (packet) => this.#received(packet));
    this.#mqtt.on('packetsend', ({ cmd }) => cmd === 'pingreq' && this.#pings.push(this.#pinging));
    this.#mqtt.on('error', (error) =>
      this.#lose(new Garbled('MQTT_PACKET', `what comes is no MQTT: ${error.message}`)),
    );
  }

  /** Takes over `wire`. @throws Unreachable, Misconfigured, Garbled */
  static async open(
    wire: Duplex,
    options: ClientOptions,
    around: Around,
    signal: AbortSignal,
  ): Promise<Client> {
    // Loaded with the first connection. Of a CommonJS module a bundle's chunk has a default only.
    const { default: library } = await import('mqtt');
    signal.throwIfAborted();
    const client = new Client(library, wire, options, around);
    try {
      await client.#ask((done) => {
        client.#mqtt.once('connect', () => done(undefined));
        client.#mqtt.connect();
      }, signal);
      // Lost in the same moment.
      if (client.#over !== undefined) throw client.#over;
      client.#open = true;
      return client;
    } catch (error) {
      client.#end();
      throw error;
    }
  }

  /** What the broker granted, filter by filter: a QoS, or a refusal of 128 and more. */
  async subscribe(filters: readonly Filter[], signal: AbortSignal): Promise<readonly number[]> {
    const topics = filters.map(({ topic }) => topic);
    const qos = filters.reduce<0 | 1 | 2>(
      (most, filter) => (filter.qos > most ? filter.qos : most),
      0,
    );
    const granted = await this.#ask((done) => {
      this.#mqtt.subscribe(topics, { qos }, (error, _, packet) =>
        packet === undefined ? done(error) : done(undefined, packet.granted),
      );
    }, signal);
    return granted as readonly number[];
  }

  /** Nobody waits for its answer. */
  unsubscribe(topics: readonly string[]): void {
    // A broker that answers nothing is soon found to be gone.
    if (this.#over !== undefined || this.#underWay >= MAX_UNDER_WAY) return;
    this.#underWay++;
    this.#mqtt.unsubscribe([...topics], () => void this.#underWay--);
  }

  /** Resolves once the broker has it: at QoS 0 once it is sent. @throws Refused, Unreachable */
  async publish(message: Message, signal: AbortSignal): Promise<void> {
    const { topic, payload, qos, retain, properties } = message;
    await this.#ask((done) => {
      const options = { qos, retain, ...(properties && { properties }) };
      this.#mqtt.publish(topic, payload, options, (error, packet) => {
        const unheard = this.#unheard.delete(packet?.messageId ?? 0);
        const code = unheard ? NO_SUBSCRIBERS : codeOf(error);
        done(code === undefined ? error : publishFault(code, topic));
      });
    }, signal);
  }

  /** Resolves once the broker has answered; what it had for us before that has come. */
  async ping(signal: AbortSignal): Promise<void> {
    await this.#ask((done) => {
      const library = this.#pinging;
      this.#pinging = done;
      this.#mqtt.sendPing();
      this.#pinging = library;
    }, signal);
  }

  /** Ends it in peace: the broker forgets it, or keeps its session. */
  close(): void {
    if (this.#over !== undefined) return;
    this.#stop(new Unreachable('MQTT_CLOSED', 'the connection was closed'));
    // It would wait for their answers.
    for (const id of Object.keys(this.#mqtt.outgoing)) this.#mqtt.removeOutgoingMessage(Number(id));
    this.#mqtt.end();
    this.#stream.end();
  }

  /** Before the library does: it tells what became of the stream without saying why. */
  #follow(stream: Duplex): void {
    const { address } = this.#around;
    const gone = (why: string): void =>
      this.#lose(new Unreachable('MQTT_LOST', `the broker ${address} ${why}`));
    stream.on('error', (error) =>
      error instanceof DmiError ? this.#lose(error) : gone(`was lost: ${error.message}`),
    );
    // What it said last is taken apart first.
    stream.on('end', () => setImmediate(gone, 'closed the connection'));
    stream.on('close', () => gone('is gone: the connection was closed'));
  }

  #received(packet: Packet): void {
    if (packet.cmd === 'pingresp') this.#pings.shift()?.(undefined);
    if (packet.cmd === 'connack' || packet.cmd === 'disconnect') {
      const fault = faultIn(packet, { ...this.#options, address: this.#around.address });
      if (fault !== undefined) this.#lose(fault);
    }
    if (packet.cmd === 'puback' || packet.cmd === 'pubrec') {
      const { messageId = 0, reasonCode } = packet;
      // The library takes it for a success, which it is not for an order.
      const ours = this.#mqtt.outgoing[messageId] !== undefined;
      if (ours && reasonCode === NO_SUBSCRIBERS) this.#unheard.add(messageId);
    }
  }

  #take(packet: IPublishPacket, done: () => void): void {
    if (this.#over === undefined) this.#around.told(messageOf(packet));
    // Told, or not: who was closed meanwhile acknowledges nothing.
    if (this.#over === undefined) done();
  }

  async #ask(start: (done: Done) => void, signal: AbortSignal): Promise<unknown> {
    signal.throwIfAborted();
    if (this.#over !== undefined) throw this.#over;
    if (this.#underWay >= MAX_UNDER_WAY) {
      throw new Refused('MQTT_BUSY', `${MAX_UNDER_WAY} messages wait for the broker already`);
    }
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const ask = { resolve, reject };
    const { timeoutMs } = this.#options;
    const cancel = this.#around.clock.after(timeoutMs, () => this.#lose(this.#silent(timeoutMs)));
    const abort = (): void => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    this.#asks.add(ask);
    this.#underWay++;
    try {
      start((error, answer) => {
        this.#underWay--;
        if (!error) resolve(answer);
        else if (error instanceof DmiError) reject(error);
        // The library says that the connection is lost before it says why.
        else setImmediate(() => reject(new Unreachable('MQTT_LOST', error.message)));
      });
      return await promise;
    } finally {
      cancel();
      signal.removeEventListener('abort', abort);
      this.#asks.delete(ask);
    }
  }

  #silent(ms: number): Unreachable {
    const { address } = this.#around;
    return new Unreachable('MQTT_SILENT', `no answer from the broker ${address} within ${ms} ms`);
  }

  #lose(error: DmiError): void {
    if (this.#over !== undefined) return;
    this.#end(error);
    if (this.#open) this.#around.lost(error);
  }

  #end(error: DmiError = new Unreachable('MQTT_CLOSED', 'the connection was closed')): void {
    this.#stop(error);
    // With it the library stops its timers.
    this.#stream.destroy();
  }

  #stop(error: DmiError): void {
    this.#over ??= error;
    for (const { reject } of this.#asks) reject(this.#over);
    this.#asks.clear();
    this.#pings = [];
  }
}

function messageOf({ topic, payload, retain, dup, properties }: IPublishPacket): Publish {
  // As it comes it is bytes.
  const bytes = payload as Buffer;
  const correlation = properties?.correlationData;
  return {
    topic,
    payload: bytes,
    retain,
    dup,
    skipped: skippedOf(bytes),
    ...(Buffer.isBuffer(correlation) && { correlation }),
  };
}

/** With which code a message was refused. */
function codeOf(error: Error | null | undefined): number | undefined {
  return error && 'code' in error && typeof error.code === 'number' ? error.code : undefined;
}
