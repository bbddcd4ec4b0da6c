/** One open device inside the mapper's process: its visitors, its seat at its port, its subscriptions. */
import {
  type Connection,
  type Mapper,
  type MapperContext,
  Misconfigured,
  type Reading,
  type Sink,
  type Value,
  unlessAborted,
} from '@limpet/dmi';
import { checkConnection, mapperFault } from '../../../device/connection-shape.ts';
import { type Duplex } from 'node:stream';
import { type Seat } from '../../../device/seat.ts';
import { type Obedience } from '../../obedience.ts';
import { type Outbox } from '../outbox.ts';

/** What a mapper is asked in a turn at the port. */
type What = 'connect' | 'read' | 'write' | 'call' | 'subscribe';

/** The core waits a little longer. */
const CLOSE_MS = 1_500;

export interface ServedOptions {
  readonly mapper: Mapper<unknown, unknown>;
  readonly device: string;
  readonly seat: Seat;
  readonly context: Pick<MapperContext, 'clock' | 'log' | 'folder'>;
  readonly obedience: Obedience;
}

export class ServedConnection {
  readonly #options: ServedOptions;
  readonly #end = new AbortController();
  readonly #subscriptions = new Map<number, AbortController>();
  #visitors: unknown[] = [];
  #connection: Connection<unknown> | undefined;
  #garbled: Error | undefined;

  constructor(options: ServedOptions) {
    this.#options = options;
  }

  get device(): string {
    return this.#options.device;
  }

  /** What it has beyond reading and writing. */
  get abilities(): Readonly<Record<'subscribes' | 'calls' | 'writesMany', boolean>> {
    const connection = this.#connection;
    return {
      subscribes: connection?.subscribe !== undefined,
      calls: connection?.call !== undefined,
      writesMany: connection?.writeMany !== undefined,
    };
  }

  /** @throws what the mapper's connect throws */
  async connect(settings: unknown, signal: AbortSignal): Promise<void> {
    const { mapper, device, seat, context } = this.#options;
    const dial = (address: string, dialling: AbortSignal) =>
      seat.dial(address, AbortSignal.any([dialling, this.#end.signal]));
    await this.#turn('connect', signal, async () => {
      const keep = (stream: Duplex): void => seat.keep(stream);
      const connection = await mapper.connect(settings, { device, dial, keep, ...context }, signal);
      checkConnection(connection);
      // Too late: nobody waits for it any more, so it is closed here.
      if (signal.aborted) await connection.close();
      else this.#connection = connection;
    });
  }

  /** Numbers visitors from `from` on; from 0 the earlier ones are forgotten. */
  async define(from: number, visitors: readonly unknown[], signal: AbortSignal): Promise<void> {
    const { visitor: schema } = this.#options.mapper;
    const parsed: unknown[] = [];
    for (const raw of visitors) {
      const result = await schema['~standard'].validate(raw);
      if (result.issues !== undefined) {
        throw new Misconfigured('DEVICE_INVALID', 'a visitor was right before, and is not now');
      }
      parsed.push(result.value);
    }
    // Given up while the mapper took its time: the core has given these numbers to others.
    signal.throwIfAborted();
    this.#visitors.splice(from, from === 0 ? Infinity : parsed.length, ...parsed);
  }

  read(numbers: readonly number[], signal: AbortSignal): Promise<readonly Reading[]> {
    const visitors = numbers.map((number) => this.#visitors[number]);
    return this.#turn('read', signal, async () => {
      const readings: unknown = await this.#open().read(visitors, signal);
      if (Array.isArray(readings)) return readings as Reading[];
      throw mapperFault('its read must answer with a list of readings, one for each visitor');
    });
  }

  write(number: number, value: Value, signal: AbortSignal): Promise<Value> {
    const visitor = this.#visitors[number];
    return this.#turn('write', signal, () => this.#open().write(visitor, value, signal));
  }

  writeMany(
    orders: readonly (readonly [number, Value])[],
    signal: AbortSignal,
  ): Promise<readonly Reading[]> {
    const list = orders.map(([number, value]) => ({ visitor: this.#visitors[number], value }));
    return this.#turn('write', signal, async () => {
      const connection = this.#open();
      if (connection.writeMany === undefined) throw new Error('this connection writes one by one');
      const answers: unknown = await connection.writeMany(list, signal);
      if (Array.isArray(answers)) return answers as Reading[];
      throw mapperFault('its writeMany must answer with a list, one for each that it wrote');
    });
  }

  call(number: number, input: readonly Value[], signal: AbortSignal): Promise<readonly Value[]> {
    const visitor = this.#visitors[number];
    return this.#turn('call', signal, async () => {
      const connection = this.#open();
      if (connection.call === undefined) throw new Error('this connection takes no calls');
      const output: unknown = await connection.call(visitor, input, signal);
      if (Array.isArray(output)) return output as Value[];
      throw mapperFault('its call must answer with a list of outputs');
    });
  }

  /** Readings go to `outbox` as those of `subscription`; `told` is called after each. */
  async subscribe(
    wanted: {
      readonly subscription: number;
      readonly wishes: readonly (readonly [number, number])[];
      readonly outbox: Outbox;
      readonly told: () => void;
    },
    signal: AbortSignal,
  ): Promise<readonly number[]> {
    const { subscription, outbox, told } = wanted;
    const wishes = wanted.wishes.map(([number, everyMs]) => ({
      visitor: this.#visitors[number],
      everyMs,
    }));
    const end = new AbortController();
    this.#subscriptions.set(subscription, end);
    outbox.open(subscription, wishes.length);
    closeWith(end.signal, outbox, subscription);
    const sink = this.#sink(subscription, outbox, told);
    try {
      const ask = this.#open();
      // The signal of the ask ends with its answer; that of the subscription lives on.
      signal.addEventListener('abort', () => end.abort(signal.reason), { once: true });
      return await this.#turn('subscribe', AbortSignal.any([signal, end.signal]), async () => {
        if (ask.subscribe === undefined) throw new Error('this connection cannot subscribe');
        return ask.subscribe(wishes, sink, end.signal);
      });
    } catch (error) {
      this.unsubscribe(subscription);
      throw error;
    }
  }

  /** Made here, as what is made beside the signal of the ask keeps that for as long as the subscription. */
  #sink(subscription: number, outbox: Outbox, told: () => void): Sink {
    return {
      reading(index: number, reading: Reading) {
        if (outbox.put(subscription, index, reading)) told();
      },
      lost: (error: Error) => {
        this.#note(error);
        outbox.lose(subscription, error);
        told();
      },
    };
  }

  /** True when it was a subscription of this connection. */
  unsubscribe(subscription: number): boolean {
    this.#subscriptions.get(subscription)?.abort(new Error('unsubscribed'));
    return this.#subscriptions.delete(subscription);
  }

  /** Frees what it took, even where the mapper does not. */
  async close(): Promise<void> {
    const { seat, context } = this.#options;
    const connection = this.#connection;
    this.#connection = undefined;
    for (const subscription of this.#subscriptions.keys()) this.unsubscribe(subscription);
    this.#end.abort(new Error('the connection was closed'));
    const late = new AbortController();
    const cancel = context.clock.after(CLOSE_MS, () => late.abort(new Error('it takes too long')));
    try {
      if (connection !== undefined) await unlessAborted(connection.close(), late.signal);
    } catch (error) {
      context.log.warn('the mapper did not close its connection', { device: this.device, error });
    } finally {
      cancel();
      // Nonsense on a wire makes it useless to every device of it.
      seat.release(this.#garbled);
      seat.leave();
    }
  }

  #open(): Connection<unknown> {
    if (this.#connection === undefined) throw new Error('this connection is not open');
    return this.#connection;
  }

  async #turn<T>(what: What, signal: AbortSignal, task: () => Promise<T>): Promise<T> {
    const { seat, obedience, device } = this.#options;
    const rank = what === 'write' || what === 'call' ? 'order' : 'poll';
    try {
      return await seat.turn({ rank, signal }, () => {
        const asked = task();
        obedience.watch(asked, signal, () => `${what} of ${device}`);
        return unlessAborted(asked, signal);
      });
    } catch (error) {
      this.#note(error);
      throw error;
    }
  }

  #note(error: unknown): void {
    if (error instanceof Error && error.name === 'Garbled') this.#garbled ??= error;
  }
}

function closeWith(signal: AbortSignal, outbox: Outbox, subscription: number): void {
  signal.addEventListener('abort', () => outbox.close(subscription), { once: true });
}
