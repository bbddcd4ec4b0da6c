/**
 * The embedded MQTT broker: aedes on a loopback port, where nothing grows without a ceiling and clients may
 * publish only orders and traffic of their own. It knows topics by name but no twins; see event-bus.ts.
 */
import { createServer, type Server, type Socket } from 'node:net';
import type { Clock, Log } from '@limpet/dmi';
import { Aedes, type Client, type PublishPacket, type Subscription } from 'aedes';
import mqttPacket from 'mqtt-packet';
import { type Address, busAddress, listenAt } from './listen.ts';
import { PacketGauge } from './packet-gauge.ts';
import { boundedPersistence, type Persistence, type Retained } from './persistence.ts';
import { Refusals } from './refusals.ts';
import { COMMANDS, topicKind } from './topics.ts';

export interface BusLimits {
  readonly clients: number;
  readonly packetBytes: number;
  readonly subscriptionsPerClient: number;
  /** What a client may leave unread before it is cut off. */
  readonly unreadBytes: number;
  /** What all clients together may leave unread: shared evenly, once it is less than `unreadBytes` for each. */
  readonly unreadBytesOfAll: number;
  readonly sessions: number;
  readonly messagesPerSession: number;
  readonly sessionBytes: number;
  /** Of clients; the node's own are as many as it has properties. */
  readonly retainedMessages: number;
  readonly retainedBytes: number;
}

const LIMITS: BusLimits = {
  clients: 100,
  packetBytes: 256 * 1024,
  subscriptionsPerClient: 100,
  unreadBytes: 1024 * 1024,
  unreadBytesOfAll: 8 * 1024 * 1024,
  sessions: 100,
  messagesPerSession: 1000,
  sessionBytes: 4 * 1024 * 1024,
  retainedMessages: 1000,
  retainedBytes: 1024 * 1024,
};

const FILTER_BYTES = 1024;
const TOPIC_LEVELS = 32;
const CONNECT_MS = 10_000;
/** A client that reads nothing for so long is cut off, however little waits for it. */
const UNREAD_MS = 30_000;
const QOS2_UNDER_WAY = 20;

export interface BrokerOptions {
  /** `HOST:PORT`, loopback only; port 0 takes any. */
  readonly listen: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits?: Partial<BusLimits>;
}

/** Why a client is cut off; MQTT 3.1.1 has no way to tell it, so the log does. */
class BusRefusal extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

export class Broker {
  readonly address: Address;
  readonly #aedes: Aedes;
  readonly #server: Server;
  readonly #parts: Parts;

  private constructor(address: Address, aedes: Aedes, server: Server, parts: Parts) {
    this.address = address;
    this.#aedes = aedes;
    this.#server = server;
    this.#parts = parts;
  }

  /** @throws Misconfigured BUS_PORT_TAKEN, BUS_NOT_LOOPBACK, BUS_BAD_ADDRESS, BUS_PORT_FORBIDDEN */
  static async open(options: BrokerOptions): Promise<Broker> {
    const address = busAddress(options.listen);
    // 65,536 Buffers would be built at the first packet otherwise.
    mqttPacket.writeToStream.cacheNumbers = false;
    const parts = partsOf(options);
    const aedes = await Aedes.createBroker({
      persistence: parts.persistence.aedes,
      // 0: no queue of messages that waits for the slowest client; each client has its own ceiling instead.
      concurrency: 0,
      connectTimeout: CONNECT_MS,
      drainTimeout: UNREAD_MS,
      maxTopicLevels: TOPIC_LEVELS,
      maxInflightInbound: QOS2_UNDER_WAY,
      ...rules(parts),
    });
    watch(aedes, parts);
    const server = createServer((socket) => accept(socket, aedes, parts));
    server.maxConnections = parts.limits.clients + 20;
    server.on('drop', () => parts.refusals.count('BUS_TOO_MANY_CLIENTS', {}));
    try {
      return new Broker(await listenAt(server, address), aedes, server, parts);
    } catch (error) {
      await new Promise<void>((resolve) => aedes.close(resolve));
      throw error;
    }
  }

  /** Somebody is connected, or will be again and is kept messages for. */
  get heard(): boolean {
    const { online, persistence } = this.#parts;
    return online.size > 0 || persistence.sessions.size > 0;
  }

  /** Publishes as the node. An empty payload clears a retained topic. */
  publish(topic: string, payload: string, options: { readonly retain: boolean }): void {
    const { retain } = options;
    if (!retain && !this.heard) return;
    this.#aedes.publish({ cmd: 'publish', topic, payload, retain, qos: 1, dup: false }, (error) => {
      if (error) this.#parts.log.error('bus could not publish', { topic, error });
    });
  }

  /** What the node has retained itself, asked whenever a client subscribes. */
  retain(told: () => Iterable<Retained>): void {
    this.#parts.persistence.retain(told);
  }

  /** Tells each message on a command topic, in the order of arrival. */
  onCommand(listener: (topic: string, payload: string) => void): void {
    this.#aedes.subscribe(
      COMMANDS,
      (packet, done) => {
        listener(packet.topic, packet.payload.toString());
        done();
      },
      () => undefined,
    );
  }

  /** For health. */
  counters(): Readonly<Record<string, number>> {
    const { persistence, refusals, online, sockets } = this.#parts;
    return {
      clients: online.size,
      unreadBytes: [...sockets].reduce((sum, socket) => sum + socket.writableLength, 0),
      sessions: persistence.sessions.size,
      sessionBytes: persistence.sessions.bytes,
      retainedByClients: persistence.retained.size,
      ...refusals.totals(),
    };
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => void this.#server.close(() => resolve()));
    await new Promise<void>((resolve) => this.#aedes.close(resolve));
    for (const socket of this.#parts.sockets) socket.destroy();
    await closed;
  }
}

interface Parts {
  readonly limits: BusLimits;
  readonly log: Log;
  readonly refusals: Refusals;
  readonly persistence: Persistence;
  readonly online: Set<string>;
  readonly sockets: Set<Socket>;
  readonly granted: WeakSet<object>;
}

function partsOf({ clock, log, limits: given }: BrokerOptions): Parts {
  const limits = { ...LIMITS, ...given };
  const refusals = new Refusals(clock, log);
  const online = new Set<string>();
  const granted = new WeakSet<object>();
  const persistence = boundedPersistence({
    limits: {
      sessions: limits.sessions,
      messagesPerSession: limits.messagesPerSession,
      bytes: limits.sessionBytes,
    },
    retained: { messages: limits.retainedMessages, bytes: limits.retainedBytes },
    isNodes: (topic) => topicKind(topic) === 'reserved',
    isGranted: (filter) => granted.has(filter),
    isOnline: (client) => online.has(client),
    dropped: (what, client) => refusals.count(`BUS_${what.toUpperCase()}_DROPPED`, { client }),
  });
  return { limits, log, refusals, persistence, online, sockets: new Set(), granted };
}

type Rules = Pick<
  NonNullable<Parameters<typeof Aedes.createBroker>[0]>,
  'preConnect' | 'authorizePublish' | 'authorizeSubscribe' | 'authorizeForward'
>;

function rules(parts: Parts): Rules {
  const { limits, granted, online, refusals } = parts;
  return {
    preConnect: (_client, _packet, allow) => {
      if (online.size < limits.clients) return allow(null, true);
      const message = `there are ${limits.clients} clients already`;
      allow(new BusRefusal('BUS_TOO_MANY_CLIENTS', message), false);
    },
    authorizePublish: (_client, packet, allow) => allow(publishFault(packet, parts)),
    authorizeSubscribe: (client, filter, allow) => {
      const code = filterFault(client, filter, limits);
      if (code === undefined) granted.add(filter);
      else refusals.count(code, { client: client.id });
      // Without a subscription the client is told 128: MQTT 3.1.1, 3.9.3.
      allow(null, code === undefined ? filter : null);
    },
    authorizeForward: (client, packet) => {
      const share = unreadShare(limits, online.size);
      if (unread(client) <= share) return packet;
      const message = `the client left more than ${share} bytes unread`;
      client.conn.destroy(new BusRefusal('BUS_SLOW_CLIENT', message));
      return null;
    },
  };
}

function publishFault(packet: PublishPacket, { persistence }: Parts): BusRefusal | null {
  switch (topicKind(packet.topic)) {
    case 'command':
      // An order counts once: it is never kept for those who subscribe later.
      packet.retain = false;
      return null;
    case 'reserved': {
      const message = `clients publish orders (${COMMANDS}) and outside limpet/, not ${packet.topic}`;
      return new BusRefusal('BUS_TOPIC_RESERVED', message);
    }
    case 'own':
      if (!packet.retain || persistence.retained.admits(packet.topic, packet.payload.length)) {
        return null;
      }
      return new BusRefusal('BUS_RETAINED_FULL', 'clients have as much retained as they may');
  }
}

function filterFault(client: Client, filter: Subscription, limits: BusLimits): string | undefined {
  if (filter.topic.length > FILTER_BYTES) return 'BUS_FILTER_TOO_LONG';
  const { subscriptions } = client as unknown as { subscriptions: Record<string, unknown> };
  const known = filter.topic in subscriptions;
  const full = Object.keys(subscriptions).length >= limits.subscriptionsPerClient;
  return full && !known ? 'BUS_TOO_MANY_SUBSCRIPTIONS' : undefined;
}

/** A burst of readings must fit into it however many clients there are. */
const LEAST_UNREAD = 128 * 1024;

/** What one of so many clients may leave unread. */
function unreadShare({ unreadBytes, unreadBytesOfAll }: BusLimits, clients: number): number {
  return Math.min(unreadBytes, Math.max(LEAST_UNREAD, unreadBytesOfAll / Math.max(1, clients)));
}

const unread = (client: Client): number => (client.conn as Socket).writableLength;

function watch(aedes: Aedes, { online, refusals, log }: Parts): void {
  aedes.on('client', (client) => void online.add(client.id));
  aedes.on('clientDisconnect', (client) => void online.delete(client.id));
  const failed = (client: Client, error: Error): void => {
    if (error instanceof BusRefusal) {
      refusals.count(error.code, { client: client?.id, cause: error.message });
    } else {
      log.debug('bus client lost', { client: client?.id, cause: error.message });
    }
  };
  aedes.on('clientError', failed);
  aedes.on('connectionError', failed);
  // aedes' type does not tell of it, but its persistence's failures end here.
  (aedes as NodeJS.EventEmitter).on('error', (error: unknown) =>
    log.error('bus failed', { error }),
  );
}

/** Hands a socket to aedes, which reads it with `read`: the place to see a packet beyond the limit. */
function accept(socket: Socket, aedes: Aedes, { limits, sockets }: Parts): void {
  sockets.add(socket);
  socket.on('close', () => void sockets.delete(socket));
  socket.setNoDelay(true);
  const gauge = new PacketGauge(limits.packetBytes);
  const read = socket.read.bind(socket);
  socket.read = (size?: number): unknown => {
    const chunk: Buffer | null = read(size);
    if (chunk === null || gauge.admits(chunk)) return chunk;
    const message = `a packet of more than ${limits.packetBytes} bytes`;
    socket.destroy(new BusRefusal('BUS_PACKET_TOO_LARGE', message));
    return null;
  };
  aedes.handle(socket);
}
