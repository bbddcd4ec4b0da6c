/** The properties that one open device tells by itself: subscribed to, passed on, and polled where it cannot. */
import { type Connection, type Reading, type Sink } from '@limpet/dmi';
import { ask, type Conversation } from './conversation.ts';
import { Outbox } from './outbox.ts';
import { type PlannedProperty } from './plan.ts';
import { reactionTo } from './reaction.ts';

/** A device that has not told every value by then has none to tell: orders wait no longer. */
const HEARD_MS = 5_000;

interface Subscription {
  readonly life: AbortController;
  readonly properties: readonly PlannedProperty[];
  readonly outbox: Outbox;
  /** Indexes of those that are polled. */
  polled: ReadonlySet<number>;
}

export class Watching {
  readonly #talk: Conversation;
  readonly #told: () => void;
  #subscription: Subscription | undefined;
  #patience: (() => void) | undefined;
  #superseded = 0;

  /** `told` is called whenever {@link settled} may have become true. */
  constructor(talk: Conversation, told: () => void) {
    this.#talk = talk;
    this.#told = told;
  }

  /** Each watched property was told once, or has had its time. */
  get settled(): boolean {
    return this.#patience === undefined;
  }

  /** Readings that were replaced by later ones before they could be passed on. */
  get superseded(): number {
    return this.#superseded + (this.#subscription?.outbox.superseded ?? 0);
  }

  /** From now on these, all of a plan, and no others. Returns those that must be polled. @throws what loses the device */
  async begin(
    connection: Connection<unknown>,
    properties: readonly PlannedProperty[],
  ): Promise<readonly PlannedProperty[]> {
    this.stop();
    if (connection.subscribe === undefined || properties.length === 0) return properties;
    const subscription = this.#open(properties);
    const polled = await this.#subscribe(subscription);
    if (polled === undefined) {
      this.stop();
      return properties;
    }
    subscription.polled = polled;
    this.#talk.answered();
    if (polled.size < properties.length) {
      this.#patience = this.#talk.clock.after(HEARD_MS, () => this.#heard());
    }
    subscription.outbox.open(polled);
    return properties.filter((_, index) => polled.has(index));
  }

  /** What was told of it and not yet passed on is out of date. */
  forget(property: PlannedProperty): void {
    this.#subscription?.outbox.drop(property);
  }

  /** Ends the subscription; what it has told is passed on. */
  stop(): void {
    this.#patience?.();
    this.#patience = undefined;
    const ended = this.#subscription;
    if (ended === undefined) return;
    this.#subscription = undefined;
    ended.life.abort();
    ended.outbox.close();
    this.#superseded += ended.outbox.superseded;
  }

  #open(properties: readonly PlannedProperty[]): Subscription {
    const subscription: Subscription = {
      life: new AbortController(),
      properties,
      polled: new Set(),
      outbox: new Outbox({
        clock: this.#talk.clock,
        properties,
        pass: (asked, readings) => this.#pass(asked, readings),
      }),
    };
    this.#subscription = subscription;
    return subscription;
  }

  /** The indexes that the device cannot tell; `undefined` when it tells nothing at all. */
  #subscribe(subscription: Subscription): Promise<ReadonlySet<number> | undefined> {
    const { life, properties } = subscription;
    const wishes = properties.map(({ visitor, everyMs }) => ({ visitor, everyMs }));
    const sink = this.#sink(subscription);
    const asked = { what: 'subscribe', properties: properties.length };
    return ask(this.#talk, asked, async (connection, signal) => {
      // Given up while it is set up, it must not go on unseen; afterwards it has a life of its own.
      const giveUp = (): void => life.abort(signal.reason);
      signal.addEventListener('abort', giveUp, { once: true });
      try {
        const answer = await connection.subscribe?.(wishes, sink, life.signal);
        return answer && indexes(answer, properties.length);
      } catch (error) {
        if (reactionTo(error) !== 'refused') throw error;
        this.#talk.log.debug('subscription refused: the device is polled', { error });
        return undefined;
      } finally {
        signal.removeEventListener('abort', giveUp);
      }
    });
  }

  #sink(subscription: Subscription): Sink {
    const { life, properties, outbox } = subscription;
    const lost = (error: unknown): void => {
      if (life.signal.aborted) return;
      if (this.#subscription === subscription) this.stop();
      this.#talk.end(error);
    };
    return {
      lost,
      reading(index, reading) {
        if (life.signal.aborted || subscription.polled.has(index)) return;
        if (properties[index] === undefined || typeof reading !== 'object' || reading === null) {
          lost(new Error(`the mapper told no reading of one of ${properties.length} wishes`));
          return;
        }
        outbox.put(index, reading);
      },
    };
  }

  #pass(asked: readonly PlannedProperty[], readings: readonly Reading[]): void {
    const { reporter, answered, end, wanted } = this.#talk;
    if (!wanted()) return;
    try {
      answered();
      reporter.readings(asked, readings);
    } catch (error) {
      // A reading that is none: nobody above would catch this.
      end(error);
      return;
    }
    if (this.#patience !== undefined && this.#subscription?.outbox.unheard === 0) this.#heard();
  }

  #heard(): void {
    this.#patience?.();
    this.#patience = undefined;
    this.#told();
  }
}

function indexes(answer: readonly number[], count: number): ReadonlySet<number> {
  const known = (index: unknown): boolean =>
    Number.isInteger(index) && Number(index) >= 0 && Number(index) < count;
  if (Array.isArray(answer) && answer.every(known)) return new Set(answer);
  throw new Error(`the mapper must answer subscribe with indexes below ${count}`);
}
