/**
 * What the broker keeps for clients that asked to be remembered (clean session false): messages for later and
 * ids of QoS 2 messages under way. In memory, with ceilings: a session that is too many puts out the one that
 * has been away longest; a message that is too many puts out the oldest of the same session.
 */

/** What the broker keeps of a packet; more may be on it. */
export interface KeptPacket {
  readonly brokerId?: string;
  readonly brokerCounter?: number;
  messageId?: number;
  readonly topic?: string;
  readonly payload?: string | Uint8Array;
}

interface SessionLimits {
  readonly sessions: number;
  readonly messagesPerSession: number;
  /** Of all sessions together. */
  readonly bytes: number;
}

export interface SessionsOptions {
  readonly limits: SessionLimits;
  readonly isOnline: (client: string) => boolean;
  /** Something was put out. */
  readonly dropped: (what: 'session' | 'message', client: string) => void;
}

interface Session {
  readonly incoming: Set<number>;
  readonly queue: KeptPacket[];
  bytes: number;
}

export class Sessions {
  readonly #options: SessionsOptions;
  /** In the order of last use. */
  readonly #sessions = new Map<string, Session>();
  #bytes = 0;

  constructor(options: SessionsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#sessions.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Takes note of a client; returns the client whose session had to go for it, if any. */
  open(client: string): string | undefined {
    const session = this.#sessions.get(client) ?? { incoming: new Set(), queue: [], bytes: 0 };
    this.#sessions.delete(client);
    this.#sessions.set(client, session);
    if (this.#sessions.size <= this.#options.limits.sessions) return undefined;
    for (const other of this.#sessions.keys()) {
      if (other === client || this.#options.isOnline(other)) continue;
      this.forget(other);
      this.#options.dropped('session', other);
      return other;
    }
    return undefined;
  }

  forget(client: string): void {
    this.#bytes -= this.#sessions.get(client)?.bytes ?? 0;
    this.#sessions.delete(client);
  }

  /** A QoS 2 message of the client is under way; returns the client whose session had to go, if any. */
  begin(client: string, messageId: number): string | undefined {
    const gone = this.#sessions.has(client) ? undefined : this.open(client);
    this.#sessions.get(client)?.incoming.add(messageId);
    return gone;
  }

  underWay(client: string, messageId: number | undefined): boolean {
    return messageId !== undefined && !!this.#sessions.get(client)?.incoming.has(messageId);
  }

  finish(client: string, messageId: number | undefined): boolean {
    return messageId !== undefined && !!this.#sessions.get(client)?.incoming.delete(messageId);
  }

  /** For a client that is remembered; others are not kept anything. */
  enqueue(client: string, packet: KeptPacket): void {
    const session = this.#sessions.get(client);
    if (session === undefined) return;
    const { messagesPerSession, bytes } = this.#options.limits;
    session.queue.push({ ...packet });
    this.#count(session, sizeOf(packet));
    while (
      session.queue.length > messagesPerSession ||
      (this.#bytes > bytes && session.bytes > 0)
    ) {
      const [oldest] = session.queue.splice(0, 1);
      if (oldest === undefined) break;
      this.#count(session, -sizeOf(oldest));
      this.#options.dropped('message', client);
    }
  }

  /** The packet got its id, or a PUBREL takes the place of its PUBLISH. False when it is no longer kept. */
  update(client: string, packet: KeptPacket): boolean {
    const session = this.#sessions.get(client);
    if (session === undefined) return false;
    const { brokerId, brokerCounter, messageId } = packet;
    const kept =
      brokerId !== undefined &&
      session.queue.find((p) => p.brokerId === brokerId && p.brokerCounter === brokerCounter);
    if (kept) {
      if (messageId !== undefined) kept.messageId = messageId;
      return true;
    }
    if (messageId === undefined) return false;
    const at = session.queue.findIndex((p) => p.messageId === messageId);
    const replaced = session.queue[at];
    if (replaced === undefined) return false;
    session.queue[at] = { ...packet };
    this.#count(session, sizeOf(packet) - sizeOf(replaced));
    return true;
  }

  /** The client has it. */
  acknowledge(client: string, messageId: number | undefined): KeptPacket | undefined {
    const session = this.#sessions.get(client);
    if (session === undefined || messageId === undefined) return undefined;
    const at = session.queue.findIndex((p) => p.messageId === messageId);
    if (at < 0) return undefined;
    const [kept] = session.queue.splice(at, 1);
    if (kept !== undefined) this.#count(session, -sizeOf(kept));
    return kept;
  }

  queued(client: string): readonly KeptPacket[] {
    return [...(this.#sessions.get(client)?.queue ?? [])];
  }

  #count(session: Session, bytes: number): void {
    session.bytes += bytes;
    this.#bytes += bytes;
  }
}

/** A packet object costs about this beside its text. */
const OVERHEAD_BYTES = 256;

function sizeOf(packet: KeptPacket): number {
  return OVERHEAD_BYTES + (packet.topic?.length ?? 0) * 2 + (packet.payload?.length ?? 0);
}
