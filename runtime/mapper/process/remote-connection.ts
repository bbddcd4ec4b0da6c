/** An open device of a mapper in a process of its own. Its visitors go over once; after that they are numbers. */
import {
  type Connection,
  type Order,
  type Reading,
  type Sink,
  type Value,
  type Wish,
} from '@limpet/dmi';
import { countOf, fieldsOf, listOf, orFault, ProtocolFault, truthOf } from './checks.ts';
import { isTooLarge, type Link } from './link.ts';
import { type Packed, packedBytes, packValue, unpackReading, unpackValue } from './packed.ts';

/** Visitors that one connection remembers; beyond, it forgets all and learns anew those that are asked for. */
const MAX_VISITORS = 10_000;
const AT_A_TIME = 250;
/** Of several orders; a character takes six bytes of a frame at most, and the answer is as long. */
const MAX_WRITTEN_BYTES = 160_000;
/** More than any model may declare. */
const MAX_OUTPUTS = 100;

interface Opened {
  readonly connection: number;
  readonly device: string;
  readonly settings: unknown;
}

/** What it has beyond reading and writing. */
interface Abilities {
  readonly subscribes: boolean;
  readonly calls: boolean;
  readonly writesMany: boolean;
}

export class RemoteConnection implements Connection<unknown> {
  readonly #link: Link;
  readonly #connection: number;
  /** By the visitor as the manifest has it. */
  readonly #numbers = new Map<unknown, number>();
  readonly #subscriptions = new Set<number>();
  #defined = Promise.resolve();
  readonly subscribe?: NonNullable<Connection<unknown>['subscribe']>;
  readonly call?: NonNullable<Connection<unknown>['call']>;
  readonly writeMany?: NonNullable<Connection<unknown>['writeMany']>;

  private constructor(link: Link, connection: number, abilities: Abilities) {
    this.#link = link;
    this.#connection = connection;
    if (abilities.subscribes) {
      this.subscribe = (wishes, sink, signal) => this.#subscribe(wishes, sink, signal);
    }
    if (abilities.writesMany) this.writeMany = (orders, signal) => this.#writeMany(orders, signal);
    if (abilities.calls) this.call = (visitor, input, signal) => this.#call(visitor, input, signal);
  }

  /** @throws what the mapper's connect throws */
  static async open(link: Link, opened: Opened, signal: AbortSignal): Promise<RemoteConnection> {
    const { connection } = opened;
    const abilities = await link.calls.ask(
      link.management,
      { t: 'connect', ...opened },
      {
        take: abilitiesOf,
        // Opened too late: nobody has it, so nobody else would close it.
        late: () => void close(link, connection),
        signal,
      },
    );
    return new RemoteConnection(link, connection, abilities);
  }

  async read(visitors: readonly unknown[], signal: AbortSignal): Promise<readonly Reading[]> {
    const { calls, data } = this.#link;
    const numbers = await this.#define(visitors, signal);
    return calls.ask(
      data,
      { t: 'read', connection: this.#connection, visitors: numbers },
      { take: (answer) => readingsOf(answer, numbers.length), signal },
    );
  }

  async write(visitor: unknown, value: Value, signal: AbortSignal): Promise<Value> {
    const { calls, management } = this.#link;
    const [number = 0] = await this.#define([visitor], signal);
    return calls.ask(
      management,
      { t: 'write', connection: this.#connection, visitor: number, value: packValue(value) },
      { take: (answer) => orFault('a value', () => unpackValue(answer)), signal },
    );
  }

  async close(): Promise<void> {
    for (const subscription of this.#subscriptions) this.#link.pushes.close(subscription);
    this.#subscriptions.clear();
    await close(this.#link, this.#connection);
  }

  async #writeMany(
    orders: readonly Order<unknown>[],
    signal: AbortSignal,
  ): Promise<readonly Reading[]> {
    const { calls, management } = this.#link;
    const values = fitting(orders.map(({ value }) => packValue(value)));
    const visitors = values.map((_, at) => orders[at]?.visitor);
    const numbers = await this.#define(visitors, signal);
    const packed = values.map((value, at) => [numbers[at] as number, value] as const);
    return calls.ask(
      management,
      { t: 'writeMany', connection: this.#connection, orders: packed },
      { take: (answer) => readingsOf(answer, packed.length), signal },
    );
  }

  async #call(
    visitor: unknown,
    input: readonly Value[],
    signal: AbortSignal,
  ): Promise<readonly Value[]> {
    const { calls, management } = this.#link;
    const [number = 0] = await this.#define([visitor], signal);
    const packed = input.map(packValue);
    return calls.ask(
      management,
      { t: 'call', connection: this.#connection, visitor: number, input: packed },
      {
        take: (answer) =>
          listOf(answer, MAX_OUTPUTS, 'outputs').map((each) =>
            orFault('an output', () => unpackValue(each)),
          ),
        signal,
      },
    );
  }

  async #subscribe(
    wishes: readonly Wish<unknown>[],
    sink: Sink,
    signal: AbortSignal,
  ): Promise<readonly number[]> {
    const { calls, management, pushes } = this.#link;
    const visitors = wishes.map(({ visitor }) => visitor);
    const numbers = await this.#define(visitors, signal);
    const listed = wishes.map(({ everyMs }, at) => [numbers[at] as number, everyMs] as const);
    let subscription = 0;
    const end = (): void => {
      pushes.close(subscription);
      this.#subscriptions.delete(subscription);
      void unsubscribe(this.#link, subscription);
    };
    try {
      const polled = await calls.ask(
        management,
        { t: 'subscribe', connection: this.#connection, wishes: listed },
        { take: (answer) => indexesOf(answer, wishes.length), late: end, signal },
        (id) => {
          subscription = id;
          this.#subscriptions.add(id);
          pushes.open(id, wishes.length, sink);
        },
      );
      if (signal.aborted) end();
      else signal.addEventListener('abort', end, { once: true });
      return polled;
    } catch (error) {
      pushes.close(subscription);
      this.#subscriptions.delete(subscription);
      throw error;
    }
  }

  /** One after the other: two that number at once would give one number to two visitors. */
  async #define(visitors: readonly unknown[], signal: AbortSignal): Promise<readonly number[]> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const before = this.#defined;
    this.#defined = promise;
    await before;
    try {
      return await this.#number(visitors, signal);
    } finally {
      resolve();
    }
  }

  /** The numbers of these visitors; those that the process does not know yet are told to it first. */
  async #number(visitors: readonly unknown[], signal: AbortSignal): Promise<readonly number[]> {
    const unknown = this.#unknown(visitors);
    if (unknown.length > 0 && this.#numbers.size + unknown.length > MAX_VISITORS) {
      this.#numbers.clear();
      await this.#tell(this.#unknown(visitors), signal);
    } else await this.#tell(unknown, signal);
    return visitors.map((visitor) => this.#numbers.get(visitor) as number);
  }

  #unknown(visitors: readonly unknown[]): readonly unknown[] {
    return [...new Set(visitors.filter((visitor) => !this.#numbers.has(visitor)))];
  }

  /** In pieces, each answered before the next is sent: never much is on its way. */
  async #tell(
    visitors: readonly unknown[],
    signal: AbortSignal,
    atATime = AT_A_TIME,
  ): Promise<void> {
    const { calls, management } = this.#link;
    for (let at = 0; at < visitors.length; at += atATime) {
      const some = visitors.slice(at, at + atATime);
      const from = this.#numbers.size;
      const ask = { t: 'define', connection: this.#connection, from, visitors: some } as const;
      try {
        await calls.ask(management, ask, { take: () => undefined, signal });
      } catch (error) {
        if (!isTooLarge(error) || atATime === 1) throw error;
        await this.#tell(some, signal, Math.max(1, atATime >> 2));
        continue;
      }
      for (const [index, visitor] of some.entries()) this.#numbers.set(visitor, from + index);
    }
  }
}

/** The first of these values, as many as one message holds. */
function fitting(values: readonly Packed[]): readonly Packed[] {
  let bytes = 0;
  const over = values.findIndex((value) => (bytes += packedBytes(value)) > MAX_WRITTEN_BYTES);
  return over < 0 ? values : values.slice(0, Math.max(1, over));
}

function abilitiesOf(answer: unknown): Abilities {
  const { subscribes, calls, writesMany } = fieldsOf(answer);
  return {
    subscribes: truthOf(subscribes, 'subscribe'),
    calls: truthOf(calls, 'call'),
    writesMany: truthOf(writesMany, 'writeMany'),
  };
}

function readingsOf(answer: unknown, most: number): Reading[] {
  const readings = listOf(answer, most, 'readings');
  return readings.map((packed) => orFault('a reading', () => unpackReading(packed)));
}

/** Never fails: a process that is gone has closed everything, and one that does not listen is ended before long. */
async function close({ calls, management }: Link, connection: number): Promise<void> {
  await calls
    .ask(management, { t: 'close', connection }, { take: () => undefined })
    .catch(() => undefined);
}

async function unsubscribe({ calls, management }: Link, subscription: number): Promise<void> {
  await calls
    .ask(management, { t: 'unsubscribe', subscription }, { take: () => undefined })
    .catch(() => undefined);
}

function indexesOf(answer: unknown, count: number): number[] {
  const indexes = listOf(answer, count, 'indexes').map((at) => countOf(at, count, 'an index'));
  if (new Set(indexes).size === indexes.length) return indexes;
  throw new ProtocolFault('an index twice');
}
