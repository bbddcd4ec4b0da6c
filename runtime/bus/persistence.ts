/** aedes's own in-memory persistence, with ceilings where it has none. */
import { Readable } from 'node:stream';
import createMemory from 'aedes-persistence';
import { covers } from './topics.ts';
import { type KeptPacket, Sessions, type SessionsOptions } from './sessions.ts';

interface ClientId {
  readonly id: string;
}
interface QueuedFor {
  readonly clientId: string;
}
interface Kept {
  readonly topic: string;
  readonly payload: string | Uint8Array;
}
/** A topic of the node's own, and what it says at the moment. */
export interface Retained {
  readonly topic: string;
  readonly payload: () => string;
}
interface Filter {
  readonly topic: string;
}
/** The methods of aedes's memory persistence that are called from here; without a callback they return promises. */
interface Memory {
  setup(broker: unknown): Promise<void>;
  storeRetained(packet: Kept): Promise<void>;
  createRetainedStreamCombi(filters: readonly string[]): AsyncIterable<Kept>;
  addSubscriptions(client: ClientId, filters: readonly Filter[]): Promise<void>;
  subscriptionsByClient(client: ClientId): Promise<readonly Filter[]>;
  cleanSubscriptions(client: ClientId): Promise<void>;
}

export interface PersistenceOptions extends SessionsOptions {
  /** What clients (not the node) may have retained. */
  readonly retained: { readonly messages: number; readonly bytes: number };
  /** The node's own topics: bounded by the number of its properties, not here. */
  readonly isNodes: (topic: string) => boolean;
  /** Whether the broker has let this client subscribe so. */
  readonly isGranted: (filter: object) => boolean;
}

/** Clients' retained messages, counted. */
class RetainedCeiling {
  readonly #limits: PersistenceOptions['retained'];
  readonly #sizes = new Map<string, number>();
  #bytes = 0;

  constructor(limits: PersistenceOptions['retained']) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#sizes.size;
  }

  admits(topic: string, bytes: number): boolean {
    const before = this.#sizes.get(topic);
    const messages = this.#sizes.size + (before === undefined ? 1 : 0);
    const total = this.#bytes + topic.length + bytes - (before ?? 0);
    return bytes === 0 || (messages <= this.#limits.messages && total <= this.#limits.bytes);
  }

  stored(topic: string, bytes: number): void {
    this.#bytes -= this.#sizes.get(topic) ?? 0;
    this.#sizes.delete(topic);
    if (bytes === 0) return;
    this.#sizes.set(topic, topic.length + bytes);
    this.#bytes += topic.length + bytes;
  }
}

export interface Persistence {
  /** For `Aedes.createBroker`. */
  readonly aedes: object;
  readonly sessions: Sessions;
  readonly retained: Pick<RetainedCeiling, 'admits' | 'size'>;
  /** Where retained topics come from that are kept nowhere here. */
  retain(told: () => Iterable<Retained>): void;
}

/** A persistence for aedes whose every queue is bounded. */
export function boundedPersistence(options: PersistenceOptions): Persistence {
  // Its types describe the callback form, and not as what it exports.
  const memory = (createMemory as unknown as () => Memory)();
  const sessions = new Sessions(options);
  const retained = new RetainedCeiling(options.retained);
  const newest = new Map<string, Kept['payload']>();
  let told: () => Iterable<Retained> = () => [];
  const aedes = Object.assign(Object.create(memory), {
    // aedes looks at the constructor of `setup`, so it must be an async function of its own.
    setup: async (broker: unknown) => memory.setup(broker),
    ...keptFor(memory, sessions, options),
    ...queues(memory, sessions),
    async storeRetained(packet: Kept): Promise<void> {
      if (!options.isNodes(packet.topic)) retained.stored(packet.topic, packet.payload.length);
      if (packet.payload.length === 0) newest.delete(packet.topic);
      else newest.set(packet.topic, packet.payload);
      await memory.storeRetained(packet);
    },
    createRetainedStreamCombi: (filters: readonly string[]): Readable =>
      Readable.from(
        inTurn([
          asOfSending(memory.createRetainedStreamCombi(filters), newest),
          ofNode(filters, told()),
        ]),
      ),
  });
  const retain = (source: () => Iterable<Retained>): void => void (told = source);
  return { aedes, sessions, retained, retain };
}

async function* inTurn(
  streams: readonly (AsyncIterable<Kept> | Iterable<Kept>)[],
): AsyncGenerator<Kept> {
  for (const stream of streams) yield* stream;
}

function* ofNode(filters: readonly string[], told: Iterable<Retained>): Generator<Kept> {
  for (const { topic, payload } of told) {
    if (!filters.some((filter) => covers(filter, topic))) continue;
    yield {
      ...NODE_PACKET,
      topic,
      get payload() {
        return payload();
      },
    };
  }
}

const NODE_PACKET = { cmd: 'publish', qos: 1, retain: true } as const;

/**
 * A new subscriber is told what is retained in a stream that is read ahead: what it holds of a topic must be what
 * is retained when it is sent, or it would come after newer news and stand as the last word.
 */
async function* asOfSending(
  stream: AsyncIterable<Kept>,
  newest: ReadonlyMap<string, Kept['payload']>,
): AsyncGenerator<Kept> {
  for await (const kept of stream) {
    const { topic } = kept;
    yield {
      ...kept,
      get payload() {
        return newest.get(topic) ?? '';
      },
    };
  }
}

/** Who is remembered. */
function keptFor(memory: Memory, sessions: Sessions, options: PersistenceOptions): object {
  const open = async (client: string): Promise<void> => {
    const gone = sessions.open(client);
    if (gone !== undefined) await memory.cleanSubscriptions({ id: gone });
  };
  return {
    // Also what the broker has just refused is passed here: only what it granted is kept.
    async addSubscriptions(client: ClientId, filters: readonly Filter[]): Promise<void> {
      await open(client.id);
      await memory.addSubscriptions(client, filters.filter(options.isGranted));
    },
    async subscriptionsByClient(client: ClientId): Promise<readonly Filter[]> {
      await open(client.id);
      return memory.subscriptionsByClient(client);
    },
    async cleanSubscriptions(client: ClientId): Promise<void> {
      sessions.forget(client.id);
      await memory.cleanSubscriptions(client);
    },
  };
}

function queues(memory: Memory, sessions: Sessions): object {
  return {
    async outgoingEnqueue({ clientId }: QueuedFor, packet: KeptPacket): Promise<void> {
      sessions.enqueue(clientId, packet);
    },
    async outgoingEnqueueCombi(to: readonly QueuedFor[], packet: KeptPacket): Promise<void> {
      for (const { clientId } of to) sessions.enqueue(clientId, packet);
    },
    async outgoingUpdate(client: ClientId, packet: KeptPacket): Promise<void> {
      if (!sessions.update(client.id, packet)) throw new Error('the client fell too far behind');
    },
    async outgoingClearMessageId(client: ClientId, packet: KeptPacket): Promise<unknown> {
      return sessions.acknowledge(client.id, packet.messageId);
    },
    outgoingStream: (client: ClientId): Readable => Readable.from(sessions.queued(client.id)),
    // Of a QoS 2 message under way aedes asks only whether it is there: its id is enough.
    async incomingStorePacket(client: ClientId, packet: KeptPacket): Promise<void> {
      const gone = sessions.begin(client.id, packet.messageId ?? 0);
      if (gone !== undefined) await memory.cleanSubscriptions({ id: gone });
    },
    async incomingGetPacket(client: ClientId, packet: KeptPacket): Promise<unknown> {
      if (!sessions.underWay(client.id, packet.messageId)) throw new Error('no such packet');
      return packet;
    },
    async incomingDelPacket(client: ClientId, packet: KeptPacket): Promise<void> {
      if (!sessions.finish(client.id, packet.messageId)) throw new Error('no such packet');
    },
    async cleanIncoming(client: ClientId): Promise<void> {
      // Asked of clients that do not want to be remembered.
      sessions.forget(client.id);
    },
  };
}
