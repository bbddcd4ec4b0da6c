/**
 * The publishing of one session (OPC UA Part 4, 5.13.5): keeps a few requests with the server, and passes what they bring
 * to the subscriptions, in order. The library's own goes silent after a server's restart, so this is ours.
 */
import { type DmiError, Unreachable } from '@limpet/dmi';
import {
  type NotificationMessage,
  PublishRequest,
  type PublishResponse,
  RepublishRequest,
  type RepublishResponse,
} from 'node-opcua-types';
import type { Session } from './session.ts';

/** One subscription, as the publisher sees it. */
export interface Subscriber {
  /** One message, each once, in order; an empty one says that there is nothing to tell. */
  take(message: NotificationMessage): Promise<void>;
  lost(error: DmiError): void;
}

interface Live {
  readonly subscriber: Subscriber;
  /** Number of the last message. */
  last: number;
  /** Ends with the message before: one that takes its time is not overtaken. */
  turn: Promise<void>;
}

/** Beyond it the connection is started afresh: a server keeps few messages. */
const MAX_MISSED = 64;
const MAX_ASKED = 8;
const MAX_ORPHANS = 16;
const LAST_NUMBER = 0xffff_ffff;

/** Invariant: `#asked` requests are with the server; never more than {@link MAX_ASKED}. */
export class Publisher {
  readonly #session: Session;
  readonly #signal: AbortSignal;
  readonly #live = new Map<number, Live>();
  readonly #acknowledge: { subscriptionId: number; sequenceNumber: number }[] = [];
  /** What came for a subscription before the answer that makes it known was looked at. */
  readonly #orphans: { readonly id: number; readonly message: NotificationMessage }[] = [];
  #asked = 0;
  #most = MAX_ASKED;
  /** The server holds a request until it has something to say: so long at most. */
  #patienceMs = 0;

  /** `signal`: the end of the connection. */
  constructor(session: Session, signal: AbortSignal) {
    this.#session = session;
    this.#signal = signal;
  }

  /** `keepAliveMs`: the subscription says something at least this often. */
  add(id: number, subscriber: Subscriber, keepAliveMs: number): void {
    this.#live.set(id, { subscriber, last: 0, turn: Promise.resolve() });
    this.#patienceMs = Math.max(this.#patienceMs, keepAliveMs);
    const waiting = this.#orphans.splice(0).filter((orphan) => orphan.id === id);
    for (const { message } of waiting)
      this.#pass(id, message).catch((error: unknown) => this.#failed(error as DmiError));
    this.#ask();
  }

  remove(id: number): void {
    this.#live.delete(id);
  }

  #ask(): void {
    const wanted = Math.min(this.#live.size + 1, this.#most);
    while (this.#live.size > 0 && this.#asked < wanted && !this.#signal.aborted) {
      this.#asked += 1;
      void this.#once().finally(() => {
        this.#asked -= 1;
        this.#ask();
      });
    }
  }

  async #once(): Promise<void> {
    const request = new PublishRequest({
      subscriptionAcknowledgements: this.#acknowledge.splice(0),
    });
    // Each request may wait for the others before it.
    const timeoutMs = (this.#patienceMs * 2 + 10_000) * MAX_ASKED;
    try {
      const response = await this.#session.ask<PublishResponse>(request, this.#signal, timeoutMs);
      await this.#pass(response.subscriptionId, response.notificationMessage);
    } catch (error) {
      this.#failed(error as DmiError);
    }
  }

  async #pass(id: number, message: NotificationMessage): Promise<void> {
    const live = this.#live.get(id);
    if (live === undefined) {
      this.#orphans.push({ id, message });
      if (this.#orphans.length > MAX_ORPHANS) this.#orphans.shift();
      return;
    }
    const before = live.turn;
    const { promise, resolve } = Promise.withResolvers<void>();
    live.turn = promise;
    await before;
    try {
      await this.#inTurn(id, live, message);
    } finally {
      resolve();
    }
  }

  async #inTurn(id: number, live: Live, message: NotificationMessage): Promise<void> {
    if (this.#live.get(id) !== live) return;
    const { sequenceNumber: number } = message;
    const told = (message.notificationData ?? []).length > 0;
    if (told && this.#isOld(live, number)) return;
    await this.#repair(id, live, number);
    if (this.#live.get(id) !== live) return;
    // A keep-alive has the number of the message that comes next.
    live.last = told ? number : number === 1 ? 0 : number - 1;
    if (told) this.#acknowledge.push({ subscriptionId: id, sequenceNumber: number });
    await live.subscriber.take(message);
  }

  /** It came before: numbers go round after four billion. */
  #isOld({ last }: Live, number: number): boolean {
    const next = following(last);
    return last !== 0 && number !== next && (next - number) >>> 0 < 0x8000_0000;
  }

  /** Asks again for what did not arrive. @throws Unreachable OPCUA_MISSED when the server no longer has it */
  async #repair(id: number, live: Live, before: number): Promise<void> {
    if (live.last === 0) return;
    for (let number = following(live.last), count = 0; number !== before; count++) {
      if (count >= MAX_MISSED) throw missed(count);
      const request = new RepublishRequest({
        subscriptionId: id,
        retransmitSequenceNumber: number,
      });
      try {
        const answer = await this.#session.ask<RepublishResponse>(request, this.#signal);
        this.#acknowledge.push({ subscriptionId: id, sequenceNumber: number });
        await live.subscriber.take(answer.notificationMessage);
      } catch (cause) {
        throw missed(count, cause);
      }
      number = following(number);
    }
  }

  #failed(error: DmiError): void {
    if (this.#signal.aborted || this.#live.size === 0) return;
    if (error.code === 'OPCUA_BAD_TOO_MANY_PUBLISH_REQUESTS' && this.#asked > 1) {
      this.#most = this.#asked - 1;
      return;
    }
    const all = [...this.#live.values()];
    this.#live.clear();
    for (const { subscriber } of all) subscriber.lost(error);
  }
}

const following = (number: number): number => (number >= LAST_NUMBER ? 1 : number + 1);

function missed(count: number, cause?: unknown): Unreachable {
  const message = `messages of the server were lost${count > 0 ? `, ${count} of them found again` : ''}`;
  return new Unreachable('OPCUA_MISSED', message, { cause });
}
