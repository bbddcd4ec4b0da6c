/**
 * One connection with a broker, for all devices of this process whose settings for it are equal. It opens with the
 * first and closes with the last; when it is lost, all are told and it is gone.
 */
import type { Duplex } from 'node:stream';
import {
  type Clock,
  type DmiError,
  type MapperContext,
  Refused,
  Unreachable,
  unlessAborted,
} from '@limpet/dmi';
import { Client } from './client.ts';
import type { Filter, Message, Publish } from './messages.ts';
import { fileText } from './secrets.ts';
import type { Link } from './settings.ts';
import { secure } from './tls.ts';
import { type Listener, Topics } from './topics.ts';

/** One device's share in the connection. */
export interface Share {
  /**
   * Listens to these topics; what was last said there is told at once. Resolves once the broker has answered, with
   * those that it does not grant.
   */
  listen(
    topics: readonly string[],
    listener: Listener,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, DmiError>>;
  unlisten(topics: readonly string[], listener: Listener): void;
  publish(message: Message, signal: AbortSignal): Promise<void>;
  /** Resolves once the broker has answered; what it had for us has come before. */
  ping(signal: AbortSignal): Promise<void>;
  /** Whether this, which all devices of the connection would ask for, may be asked for now: once in `everyMs`. */
  mayAsk(what: string, everyMs: number): boolean;
  /** The others go on without this device. */
  leave(): void;
}

export interface Member {
  readonly context: MapperContext;
  /** Once, unless it left: nothing is heard after it. */
  readonly lost: (error: DmiError) => void;
}

/** So many filters in one SUBSCRIBE. */
const AT_A_TIME = 200;
/** The least that a connection may take: a TCP handshake that lost a packet needs more than a second. */
const OPEN_MS = 10_000;

/** Things that are asked for at most so often: one for each Sparkplug node. */
const MAX_ASKED = 1_000;

/** In a kept session, devices are expected to listen within this. */
const AWAITED_MS = 30_000;

/** By what keeps time: all devices of a process have one clock, and each test its own. */
const opened = new WeakMap<Clock, Map<string, Broker>>();

/** Joins the connection that such devices share, or opens it. @throws Unreachable, Misconfigured, Garbled */
export async function join(link: Link, member: Member, signal: AbortSignal): Promise<Share> {
  signal.throwIfAborted();
  const { clock } = member.context;
  const brokers = opened.get(clock) ?? new Map<string, Broker>();
  opened.set(clock, brokers);
  const key = JSON.stringify(link);
  const broker = brokers.get(key) ?? new Broker(link, () => brokers.delete(key));
  brokers.set(key, broker);
  return broker.join(member, signal);
}

class Broker {
  readonly #link: Link;
  readonly #gone: () => void;
  readonly #members = new Set<Member>();
  readonly #topics = new Topics();
  readonly #life = new AbortController();
  /** When what was asked for last. */
  readonly #asked = new Map<string, number>();
  #opening: Promise<Client> | undefined;
  #client: Client | undefined;
  #over = false;
  #sinceMs = 0;
  #cancelAwaited = (): void => undefined;

  constructor(link: Link, gone: () => void) {
    this.#link = link;
    this.#gone = gone;
  }

  async join(member: Member, signal: AbortSignal): Promise<Share> {
    this.#members.add(member);
    try {
      this.#opening ??= this.#open(member);
      await unlessAborted(this.#opening, signal);
    } catch (error) {
      this.#leave(member);
      throw error;
    }
    const listening = new Map<Listener, Set<string>>();
    return {
      listen: (topics, listener, given) => {
        const own = listening.get(listener) ?? new Set();
        listening.set(listener, own);
        for (const topic of topics) own.add(topic);
        return this.#listen(topics, listener, given);
      },
      unlisten: (topics, listener) => {
        for (const topic of topics) listening.get(listener)?.delete(topic);
        if (listening.get(listener)?.size === 0) listening.delete(listener);
        this.#unlisten(topics, listener);
      },
      publish: async (message, given) => this.#alive().publish(message, given),
      ping: async (given) => this.#alive().ping(given),
      mayAsk: (what, everyMs) => this.#mayAsk(what, everyMs, member.context.clock),
      leave: () => {
        // With the last the connection ends, and a session that is kept keeps what it has subscribed.
        if (this.#members.size > 1) {
          for (const [listener, topics] of listening) this.#unlisten([...topics], listener);
        }
        listening.clear();
        this.#leave(member);
      },
    };
  }

  #alive(): Client {
    if (this.#client !== undefined) return this.#client;
    throw new Unreachable('MQTT_CLOSED', 'the connection was closed');
  }

  async #open({ context }: Member): Promise<Client> {
    this.#sinceMs = context.clock.monotonic();
    const ms = Math.max(OPEN_MS, this.#link.timeoutMs);
    const cancel = context.clock.after(ms, () =>
      this.#life.abort(
        new Unreachable('MQTT_SILENT', `no connection with ${this.#address} within ${ms} ms`),
      ),
    );
    try {
      this.#client = await this.#connect(context, this.#life.signal);
      if (this.#link.sessionSeconds > 0) {
        const forget = (): void => this.#topics.forgetAwaited();
        this.#cancelAwaited = context.clock.after(AWAITED_MS, forget);
      }
      return this.#client;
    } catch (error) {
      this.#end();
      throw error;
    } finally {
      cancel();
    }
  }

  async #connect(context: MapperContext, signal: AbortSignal): Promise<Client> {
    const link = this.#link;
    const { passwordFile, host, port } = link;
    const password =
      passwordFile === undefined ? link.password : await fileText(passwordFile, context.folder);
    const dialled = await context.dial(`tcp://${host}:${port}`, signal);
    // The others go on with it when this device goes.
    context.keep?.(dialled);
    // Until the conversation listens itself.
    dialled.on('error', () => undefined);
    let stream: Duplex = dialled;
    try {
      if (link.tls !== undefined) stream = await secure(dialled, link, context.folder, signal);
      return await Client.open(stream, this.#optionsWith(password), this.#around(context), signal);
    } catch (error) {
      stream.destroy();
      dialled.destroy();
      throw error;
    }
  }

  get #address(): string {
    return `${this.#link.host}:${this.#link.port}`;
  }

  #optionsWith(password: string | undefined): Parameters<typeof Client.open>[1] {
    const { username, level, sessionSeconds, keepaliveSeconds, maxPayload, timeoutMs } = this.#link;
    return {
      // No secret, only unlike all others; node:crypto costs a process 1.2 MiB.
      clientId: this.#link.clientId ?? `limpet-${Math.random().toString(36).slice(2, 12)}`,
      ...(username !== undefined && { username }),
      ...(password !== undefined && { password }),
      keepaliveSeconds,
      clean: sessionSeconds === 0,
      expirySeconds: sessionSeconds,
      // The topic and the packet's own bytes are beside the payload.
      maximumPacket: maxPayload + 4_096,
      level,
      timeoutMs,
    };
  }

  #around({ clock }: MapperContext): Parameters<typeof Client.open>[2] {
    return {
      clock,
      address: this.#address,
      told: (message) => this.#hear(message, clock),
      lost: (error) => this.#lose(error),
    };
  }

  /** In a session that the broker kept, messages may come before the devices listen, or for devices that have gone. */
  #hear(message: Publish, clock: Clock): void {
    if (this.#topics.hear(message, clock.now()) || this.#link.sessionSeconds === 0) return;
    if (clock.monotonic() - this.#sinceMs < AWAITED_MS) this.#topics.await(message, clock.now());
    else this.#client?.unsubscribe([message.topic]);
  }

  #lose(error: DmiError): void {
    const members = [...this.#members];
    this.#end();
    for (const { lost } of members) lost(error);
  }

  async #listen(
    topics: readonly string[],
    listener: Listener,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, DmiError>> {
    const client = this.#alive();
    const fresh = topics
      .filter((topic) => this.#topics.add(topic, listener))
      .map((topic): Filter => ({ topic, qos: 1 }));
    for (const topic of topics) {
      const latest = this.#topics.latest(topic);
      if (latest !== undefined) listener(latest);
    }
    for (let at = 0; at < fresh.length; at += AT_A_TIME) {
      // Not of this device's signal: others may wait for the same.
      this.#ask(client, fresh.slice(at, at + AT_A_TIME));
    }
    const answers = topics.map(
      async (topic) => [topic, await this.#topics.granted(topic)] as const,
    );
    const refused = (await unlessAborted(Promise.all(answers), signal)).flatMap(([topic, error]) =>
      error === undefined ? [] : [[topic, error] as const],
    );
    // They are asked for anew the next time.
    this.#unlisten(
      refused.map(([topic]) => topic),
      listener,
    );
    return new Map(refused);
  }

  #ask(client: Client, filters: readonly Filter[]): void {
    const answered = client.subscribe(filters, this.#life.signal);
    for (const [index, { topic }] of filters.entries()) {
      const granted = answered.then((codes) => refusedBy(codes[index] ?? 0x80, topic));
      // When the connection is lost meanwhile, and nobody waits any more.
      granted.catch(() => undefined);
      this.#topics.grant(topic, granted);
    }
  }

  #unlisten(topics: readonly string[], listener: Listener): void {
    const unheard = topics.filter((topic) => this.#topics.remove(topic, listener));
    for (let at = 0; at < unheard.length; at += AT_A_TIME) {
      this.#client?.unsubscribe(unheard.slice(at, at + AT_A_TIME));
    }
  }

  #mayAsk(what: string, everyMs: number, clock: Clock): boolean {
    const now = clock.monotonic();
    const last = this.#asked.get(what);
    if (last !== undefined && now - last < everyMs) return false;
    if (this.#asked.size >= MAX_ASKED) this.#asked.clear();
    this.#asked.set(what, now);
    return true;
  }

  #leave(member: Member): void {
    if (this.#members.delete(member) && this.#members.size === 0) this.#end();
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#gone();
    this.#members.clear();
    this.#cancelAwaited();
    this.#client?.close();
    this.#client = undefined;
    this.#life.abort(new Unreachable('MQTT_CLOSED', 'the connection was closed'));
  }
}

function refusedBy(code: number, topic: string): Refused | undefined {
  if (code < 0x80) return undefined;
  const message = `the broker does not let this user listen to ${topic}: allow it there`;
  return new Refused('MQTT_NOT_SUBSCRIBED', message);
}
