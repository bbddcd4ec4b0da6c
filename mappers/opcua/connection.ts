/** One open OPC UA device. */
import {
  type Clock,
  type Connection,
  type DmiError,
  type Log,
  Misconfigured,
  type Order,
  type Reading,
  Refused,
  type Sink,
  Unreachable,
  type Value,
  type Wish,
} from '@limpet/dmi';
import { AttributeIds } from 'node-opcua-data-model';
import { type DataValue, TimestampsToReturn } from 'node-opcua-data-value';
import { makeNodeId } from 'node-opcua-nodeid';
import { type Item, Items } from './items.ts';
import { Methods } from './methods.ts';
import { Publisher } from './publisher.ts';
import { readingOf, unknownIn } from './reading.ts';
import { Services } from './services.ts';
import type { Session } from './session.ts';
import type { Settings } from './settings.ts';
import { Watch } from './subscription.ts';
import { Types } from './types.ts';
import type { NodeVisitor, Visitor } from './visitor.ts';
import { Writer } from './writer.ts';

export interface ConnectionOptions {
  readonly session: Session;
  readonly settings: Settings;
  readonly clock: Clock;
  readonly log: Log;
  /** The connection was lost: the server may keep the session. */
  readonly left: () => void;
  /** What visitors mean by the numbers of these namespaces. */
  readonly meant: (namespaces: readonly string[]) => readonly string[];
}

/** `Server_ServerStatus_State`, as a sign of life. */
const STATE = makeNodeId(2259);

export class OpcuaConnection implements Connection<Visitor> {
  readonly #options: ConnectionOptions;
  readonly #services: Services;
  readonly #types: Types;
  readonly #items: Items;
  readonly #writer: Writer;
  readonly #methods: Methods;
  readonly #publisher: Publisher;
  readonly #life: AbortController;
  #watch: Watch | undefined;
  #lost: DmiError | undefined;
  #cancel: (() => void) | undefined;

  private constructor(options: ConnectionOptions, services: Services, life: AbortController) {
    this.#options = options;
    this.#services = services;
    this.#life = life;
    this.#types = new Types(services);
    this.#items = new Items(services, this.#types);
    this.#writer = new Writer(services, this.#types, this.#items);
    this.#methods = new Methods(services, this.#types, options.settings.timeoutMs);
    this.#publisher = new Publisher(options.session, life.signal);
    options.session.channel.onLost((error) => this.#fail(error));
    this.#stayAlive();
  }

  /** @throws Unreachable, Garbled */
  static async open(options: ConnectionOptions, signal: AbortSignal): Promise<OpcuaConnection> {
    const services = await Services.open(options.session, signal, options.meant);
    return new OpcuaConnection(options, services, new AbortController());
  }

  async read(visitors: readonly Visitor[], signal: AbortSignal): Promise<readonly Reading[]> {
    if (this.#lost !== undefined) throw this.#lost;
    const items: (Item | DmiError)[] = [];
    for (const visitor of visitors) items.push(await this.#item(visitor, signal));
    const good = items.filter((item): item is Item => !(item instanceof Error));
    const values = await this.#guarded(() =>
      this.#services.attributes(
        good.map(({ read }) => read),
        signal,
        TimestampsToReturn.Source,
      ),
    );
    await this.#types.learn(
      values.flatMap(({ value }) => unknownIn(value, this.#types)),
      signal,
    );
    let next = 0;
    return items.map((item) =>
      item instanceof Error
        ? { ok: false, error: item }
        : readingOf(values[next++] as DataValue, item.wanted, this.#types),
    );
  }

  async write(visitor: Visitor, value: Value, signal: AbortSignal): Promise<Value> {
    if (this.#lost !== undefined) throw this.#lost;
    if (visitor.kind === 'method')
      throw new Misconfigured('OPCUA_METHOD', 'a method is called, not written');
    return this.#writer.write(visitor, value, signal);
  }

  /** Up to the first that is no node's value: its own write says what is wrong with it. */
  async writeMany(
    orders: readonly Order<Visitor>[],
    signal: AbortSignal,
  ): Promise<readonly Reading[]> {
    if (this.#lost !== undefined) throw this.#lost;
    const nodes: Order<NodeVisitor>[] = [];
    for (const { visitor, value } of orders) {
      if (visitor.kind === 'method') break;
      nodes.push({ visitor, value });
    }
    if (nodes.length > 0) return this.#writer.writeMany(nodes, signal);
    const error = new Misconfigured('OPCUA_METHOD', 'a method is called, not written');
    return [{ ok: false, error }];
  }

  async call(
    visitor: Visitor,
    input: readonly Value[],
    signal: AbortSignal,
  ): Promise<readonly Value[]> {
    if (this.#lost !== undefined) throw this.#lost;
    if (visitor.kind !== 'method')
      throw new Misconfigured(
        'OPCUA_METHOD',
        'node names a value; a method needs object and method',
      );
    return this.#methods.call(visitor, input, signal);
  }

  async subscribe(
    wishes: readonly Wish<Visitor>[],
    sink: Sink,
    signal: AbortSignal,
  ): Promise<readonly number[]> {
    if (this.#lost !== undefined) throw this.#lost;
    signal.throwIfAborted();
    for (const { visitor } of wishes) await this.#item(visitor, signal);
    const { settings, clock, log } = this.#options;
    const options = {
      services: this.#services,
      publisher: this.#publisher,
      types: this.#types,
      items: this.#items,
      settings,
      clock,
      log,
    };
    const lost = (error: Error): void => {
      this.#fail(error as DmiError);
      sink.lost(error);
    };
    const watch = new Watch(
      options,
      { lost, reading: (index, reading) => sink.reading(index, reading) },
      signal,
    );
    this.#watch = watch;
    return watch.begin(wishes);
  }

  async close(): Promise<void> {
    const { session } = this.#options;
    const lost = this.#lost;
    this.#lost ??= new Unreachable('OPCUA_CLOSED', 'the connection was closed');
    this.#cancel?.();
    this.#watch = undefined;
    this.#life.abort(this.#lost);
    // Cut just now, and nobody has noticed: the server still has it.
    if (lost === undefined && !(await session.end(AbortSignal.timeout(1_000))))
      this.#options.left();
    await session.channel.close();
  }

  /** Polled seldom, or waiting for orders only: without a word from us the server would forget the session. */
  #stayAlive(): void {
    const { session, clock } = this.#options;
    this.#cancel = clock.after(Math.min(session.timeoutMs / 3, 20_000), () => {
      if (this.#lost !== undefined) return;
      this.#stayAlive();
      const node = { nodeId: STATE, attributeId: AttributeIds.Value };
      this.#services.attributes([node], this.#life.signal).catch((error: DmiError) => {
        if (!(error instanceof Refused)) this.#fail(error);
      });
    });
  }

  /** Why one cannot be read is its own matter. */
  async #item(visitor: Visitor, signal: AbortSignal): Promise<Item | DmiError> {
    try {
      return await this.#items.item(visitor, signal);
    } catch (error) {
      if (error instanceof Refused || error instanceof Misconfigured) return error;
      throw error;
    }
  }

  /** A read that is refused as a whole: the server is of no use as it is. */
  async #guarded<T>(ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      throw new Unreachable(error.code, error.message, { cause: error });
    }
  }

  #fail(error: DmiError): void {
    if (this.#lost !== undefined) return;
    this.#lost = error;
    this.#options.left();
    this.#cancel?.();
    const watch = this.#watch;
    this.#watch = undefined;
    watch?.lose(error);
    this.#life.abort(error);
    this.#options.session.channel.fail(error);
  }
}
