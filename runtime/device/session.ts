/**
 * One connection's life: opened in a turn at the port, read as it is planned, ended by the first error that
 * loses the device. Orders use the same connection through {@link Session.call}; turns keep calls apart.
 */
import { type Duplex } from 'node:stream';
import {
  type Clock,
  type Connection,
  type Log,
  type Reading,
  Unreachable,
  unlessAborted,
} from '@limpet/dmi';
import { type Id } from '@limpet/dmi/manifest';
import { within } from './ceiling.ts';
import { checkConnection } from './connection-shape.ts';
import { type Asked, type Task } from './conversation.ts';
import { type DevicePlan, type PlannedProperty } from './plan.ts';
import { Polling } from './polling.ts';
import { isRefusal, reactionTo } from './reaction.ts';
import { type Reporter } from './reporter.ts';
import { type Seat } from './seat.ts';
import { Silence } from './silence.ts';
import { type Slots } from './slots.ts';
import { type Rank } from './turns.ts';
import { Watching } from './watching.ts';

/** One call of a mapper ends after this, and after so much more for each property asked. */
const CALL_MS = 10_000;
const CALL_MS_PER_PROPERTY = 50;
const CLOSE_MS = 2_000;
/** The code of an end that is nobody's fault: the device was stopped, or its settings changed. */
export const SESSION_ENDED = 'SESSION_ENDED';
/** An idle loop looks this often at nothing; timers cannot be infinite. */
const LONGEST_NAP_MS = 3_600_000;

export interface SessionOptions {
  readonly device: Id;
  readonly plan: DevicePlan;
  readonly seat: Seat;
  /** For connecting: of all devices of this process. */
  readonly connects: Slots;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly reporter: Reporter;
  readonly clock: Clock;
  readonly log: Log;
  /** Everything was read or told once; said again after each {@link Session.swap}. */
  readonly firstReading: () => void;
  readonly answered: () => void;
}

export class Session {
  readonly #options: SessionOptions;
  readonly #end = new AbortController();
  readonly #polling: Polling;
  readonly #watching: Watching;
  readonly #silence: Silence;
  #plan: DevicePlan;
  /** The plan that the device is asked by. */
  #begun: DevicePlan | undefined;
  #stage: 'beginning' | 'fresh' | 'settled' = 'beginning';
  #connection: Connection<unknown> | undefined;
  #wake: (() => void) | undefined;

  constructor(options: SessionOptions) {
    const { clock, log, reporter, answered } = options;
    const { signal } = this.#end;
    this.#options = options;
    this.#plan = options.plan;
    this.#silence = new Silence(clock, options.seat.ledger);
    const call = <T>(rank: Rank, asked: Asked, task: Task<T>) => this.call(rank, asked, task);
    const end = (reason: unknown): void => this.end(reason);
    const wanted = (): boolean => this.#wanted();
    const talk = { clock, log, reporter, answered, signal, call, end, wanted };
    this.#polling = new Polling(talk);
    this.#watching = new Watching(talk, () => this.#settle());
    signal.addEventListener('abort', () => this.#wake?.(), { once: true });
  }

  get plan(): DevicePlan {
    return this.#plan;
  }

  get connected(): boolean {
    return this.#connection !== undefined && !this.#end.signal.aborted;
  }

  /** Everything was read or told once on this connection: the twin is what the device says. */
  get settled(): boolean {
    return this.#stage === 'settled' && !this.#end.signal.aborted;
  }

  /** Polling cycles that went by unread. */
  get missed(): number {
    return this.#polling.missed;
  }

  /** Readings that the device told and that later ones replaced before they were reported. */
  get superseded(): number {
    return this.#watching.superseded;
  }

  get polled(): readonly PlannedProperty[] {
    return this.#polling.properties;
  }

  /** Whether and when a property is polled, for {@link DeviceLife.look}. */
  nextOf(planned: PlannedProperty): number | undefined {
    return this.#polling.nextOf(planned);
  }

  /** Connects and reads until {@link end}; always rejects, with what ended it. */
  async run(): Promise<never> {
    const { clock } = this.#options;
    try {
      await this.#connect();
      for (;;) {
        this.#end.signal.throwIfAborted();
        if (!this.#wanted()) await this.#begin(this.#plan);
        await this.#pause(this.#polling.nextMs - clock.monotonic());
        if (this.#wanted()) await this.#polling.round();
        this.#settle();
      }
    } catch (error) {
      this.end(error);
      throw error;
    } finally {
      this.#polling.stop();
      this.#watching.stop();
      await this.#close();
    }
  }

  /** Ends the session; what runs is rejected with `reason`. */
  end(reason: unknown): void {
    this.#end.abort(reason);
  }

  /** Other properties, deadbands or limits on the same connection. */
  swap(plan: DevicePlan): void {
    this.#plan = plan;
    this.#stage = 'beginning';
    this.#wake?.();
  }

  /**
   * Calls the mapper in a turn of this device. An error that loses the device ends the session.
   * @throws what `task` throws; the reason of the end
   */
  call<T>(rank: Rank, asked: Asked, task: Task<T>): Promise<T> {
    const { clock } = this.#options;
    const { signal } = this.#end;
    const ms = CALL_MS + CALL_MS_PER_PROPERTY * asked.properties;
    return this.#turn(rank, signal, (connection) =>
      this.#silence.timed({ clock, ms, what: asked.what, signal }, (inner) =>
        task(connection, inner),
      ),
    );
  }

  /**
   * Calls the mapper in a turn of this device for as long as `patience` allows. What is given up then does not lose the
   * device: it can be slow in this one thing.
   * @throws what `task` throws; the reason of the end, or of `patience`
   */
  callPatiently<T>(patience: AbortSignal, task: Task<T>): Promise<T> {
    const signal = AbortSignal.any([patience, this.#end.signal]);
    const ask = (connection: Connection<unknown>): Promise<T> =>
      unlessAborted(task(connection, signal), signal);
    return this.#turn('order', signal, ask, patience);
  }

  /** What came of it is judged within the turn: who is next must not begin on a connection that is known to be lost. */
  #turn<T>(
    rank: Rank,
    signal: AbortSignal,
    ask: (connection: Connection<unknown>) => Promise<T>,
    patience?: AbortSignal,
  ): Promise<T> {
    return this.#options.seat.turn({ rank, signal }, async () => {
      // The one before can have lost the device.
      signal.throwIfAborted();
      const connection = this.#connection;
      if (connection === undefined) throw new Unreachable(SESSION_ENDED, 'not connected');
      try {
        const result = await ask(connection);
        this.#silence.broken();
        return result;
      } catch (error) {
        if (patience?.aborted === true) throw patience.reason;
        if (isVerdict(rank, error)) this.#silence.broken();
        else this.#failed(rank, error);
        throw error;
      }
    });
  }

  /** About to read back orders: what was told of these before is older, what is told from now on may be newer. */
  readingBack(properties: readonly PlannedProperty[]): void {
    for (const property of properties) this.#watching.forget(property);
  }

  /** Reports what was read back of orders. */
  readBack(properties: readonly PlannedProperty[], readings: readonly Reading[]): void {
    this.#options.reporter.readings(properties, readings);
  }

  /** Ends the session, unless one lost reply is all that is wrong: then the device is asked once more. */
  #failed(rank: Rank, error: unknown): void {
    if (!this.#end.signal.aborted && !this.#silence.isChance(rank, error)) this.end(error);
  }

  async #connect(): Promise<void> {
    const { seat, connects, clock, device, log } = this.#options;
    const { signal } = this.#end;
    const context = {
      device,
      dial: (address: string, inner: AbortSignal) =>
        seat.dial(address, AbortSignal.any([inner, signal])),
      keep: (stream: Duplex) => seat.keep(stream),
      clock,
      log,
    };
    const ceiling = { clock, ms: CALL_MS, what: 'connect', signal };
    const open = async (inner: AbortSignal): Promise<void> => {
      const { mapper, settings } = this.#plan;
      const connection = await mapper.connect(settings, context, inner);
      checkConnection(connection);
      // Too late: nobody waits for it any more, so it is closed here.
      if (inner.aborted) await connection.close();
      else this.#connection = connection;
    };
    try {
      await seat.turn({ rank: 'poll', signal }, async () => {
        const giveBack = await connects.take(signal);
        await this.#silence.timed(ceiling, open).finally(giveBack);
      });
    } catch (error) {
      this.#failed('poll', error);
      throw error;
    }
  }

  async #begin(plan: DevicePlan): Promise<void> {
    const connection = this.#connection;
    if (connection === undefined) return;
    // What is still told by the plan before is not wanted any more, so this goes first.
    this.#watching.stop();
    this.#begun = plan;
    this.#options.reporter.last.begin(plan.properties);
    const polled = await this.#watching.begin(connection, [...plan.properties.values()]);
    if (!this.#wanted()) return;
    this.#polling.begin(polled, this.#options.random);
    if (plan.properties.size === 0) this.#options.answered();
    this.#stage = 'fresh';
    this.#settle();
  }

  /** What the device says now is what it is asked for. */
  #wanted(): boolean {
    return this.#begun === this.#plan;
  }

  #settle(): void {
    if (this.#stage !== 'fresh' || this.#polling.fresh || !this.#watching.settled) return;
    this.#stage = 'settled';
    this.#options.firstReading();
  }

  /** Until `ms` have gone by, the plan changes or the session ends. */
  #pause(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = this.#options.clock.after(Math.min(Math.max(0, ms), LONGEST_NAP_MS), resolve);
    this.#wake = () => {
      cancel();
      resolve();
    };
    if (this.#end.signal.aborted || !this.#wanted()) this.#wake();
    return promise;
  }

  async #close(): Promise<void> {
    const { clock, seat, log } = this.#options;
    const signal = new AbortController().signal;
    const connection = this.#connection;
    this.#connection = undefined;
    try {
      await within({ clock, ms: CLOSE_MS, what: 'close', signal }, async () => connection?.close());
    } catch (error) {
      log.warn('the mapper did not close its connection', { error });
    }
    const garbled = reactionTo(this.#end.signal.reason) === 'garbled';
    seat.release(garbled ? (this.#end.signal.reason as Error) : undefined);
  }
}

/** Of a poll a refusal is none, and ends the session. */
function isVerdict(rank: Rank, error: unknown): boolean {
  return rank === 'order' && isRefusal(error);
}
