/**
 * One connection's life: opened in a turn at the port, polled by its schedule, ended by the first error that
 * loses the device. Orders use the same connection through {@link Session.call}; turns keep calls apart.
 */
import {
  type Clock,
  type Connection,
  type Log,
  type MapperContext,
  type Reading,
  Unreachable,
} from '@limpet/dmi';
import { type Id } from '@limpet/dmi/manifest';
import { within } from './ceiling.ts';
import { OverdueWatch } from './overdue.ts';
import { type DevicePlan, everyMs, type PlannedProperty } from './plan.ts';
import { reactionTo } from './reaction.ts';
import { type Reporter } from './reporter.ts';
import { batches, nextDue, type Schedule, schedule, take, type Timed } from './schedule.ts';
import { type Seat } from './seat.ts';
import { Silence } from './silence.ts';
import { type Slots } from './slots.ts';
import { type Rank } from './turns.ts';

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
  /** Everything due has been read once, with success; told again after each {@link Session.swap}. */
  readonly firstReading: () => void;
  readonly answered: () => void;
}

export class Session {
  readonly #options: SessionOptions;
  readonly #end = new AbortController();
  readonly #overdue: OverdueWatch;
  readonly #silence: Silence;
  #plan: DevicePlan;
  #schedule: Schedule = [];
  #connection: Connection<unknown> | undefined;
  #fresh = true;
  #wake: (() => void) | undefined;
  missed = 0;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#plan = options.plan;
    this.#overdue = new OverdueWatch(options.clock, options.reporter);
    this.#silence = new Silence(options.clock, options.seat.ledger);
    this.#end.signal.addEventListener('abort', () => this.#wake?.(), { once: true });
  }

  get plan(): DevicePlan {
    return this.#plan;
  }

  /** Everything has been read once on this connection: the twin is what the device says. */
  get settled(): boolean {
    return !this.#fresh && !this.#end.signal.aborted;
  }

  /** Connects and polls until {@link end}; always rejects, with what ended it. */
  async run(): Promise<never> {
    try {
      await this.#connect();
      this.#begin();
      for (;;) {
        await this.#pause(nextDue(this.#schedule) - this.#options.clock.monotonic());
        this.#end.signal.throwIfAborted();
        await this.#poll();
      }
    } catch (error) {
      this.end(error);
      throw error;
    } finally {
      this.#overdue.stop();
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
    if (this.#connection === undefined) return;
    this.#begin();
    this.#wake?.();
  }

  /**
   * Calls the mapper in a turn of this device. An error that loses the device ends the session.
   * @throws what `task` throws; the reason of the end
   */
  async call<T>(
    rank: Rank,
    wanted: { readonly what: string; readonly properties: number },
    task: (connection: Connection<unknown>, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const { seat, clock } = this.#options;
    const { signal } = this.#end;
    const ms = CALL_MS + CALL_MS_PER_PROPERTY * wanted.properties;
    try {
      const result = await seat.turn({ rank, signal }, async () => {
        const connection = this.#connection;
        if (connection === undefined) throw new Unreachable(SESSION_ENDED, 'not connected');
        return this.#silence.timed({ clock, ms, what: wanted.what, signal }, (inner) =>
          task(connection, inner),
        );
      });
      this.#silence.broken();
      return result;
    } catch (error) {
      if (isVerdict(rank, error)) this.#silence.broken();
      else this.#failed(rank, error);
      throw error;
    }
  }

  /** Ends the session, unless one lost reply is all that is wrong: then the device is asked once more. */
  #failed(rank: Rank, error: unknown): void {
    if (!this.#end.signal.aborted && !this.#silence.isChance(rank, error)) this.end(error);
  }

  async #connect(): Promise<void> {
    const { seat, connects, clock, device, log } = this.#options;
    const context = {
      device,
      dial: (address: string, signal: AbortSignal) =>
        seat.dial(address, AbortSignal.any([signal, this.#end.signal])),
      clock,
      log,
    };
    const { signal } = this.#end;
    const ceiling = { clock, ms: CALL_MS, what: 'connect', signal };
    const open = (inner: AbortSignal): Promise<void> => this.#open(context, inner);
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

  async #open(context: MapperContext, signal: AbortSignal): Promise<void> {
    const { mapper, settings } = this.#plan;
    const connection = await mapper.connect(settings, context, signal);
    // Too late: nobody waits for it any more, so it is closed here.
    if (signal.aborted) await connection.close();
    else this.#connection = connection;
  }

  #begin(): void {
    this.#fresh = true;
    const now = this.#options.clock.monotonic();
    const timed = [...this.#plan.properties.values()].map(({ property }) => ({
      name: property.name,
      everyMs: everyMs(property),
    }));
    this.#schedule = schedule(timed, now - spread(timed, this.#options.random));
    this.#overdue.start(timed);
    if (timed.length === 0) this.#settle();
  }

  async #poll(): Promise<void> {
    const plan = this.#plan;
    const due = take(this.#schedule, this.#options.clock.monotonic());
    this.#schedule = due.schedule;
    this.missed += due.missed;
    const asked = due.names.flatMap((name) => plan.properties.get(name) ?? []);
    for (const batch of batches(asked)) {
      const readings = await this.#read(batch);
      // The plan changed meanwhile: these answers are to questions no longer asked.
      if (plan !== this.#plan) return;
      this.#options.answered();
      this.#options.reporter.readings(batch, readings);
      this.#overdue.read(batch.map(({ property }) => property.name));
    }
    if (this.#fresh && asked.length > 0) this.#settle();
  }

  async #read(batch: readonly PlannedProperty[]): Promise<readonly Reading[]> {
    try {
      return await this.#ask(batch);
    } catch (error) {
      if (this.#end.signal.aborted) throw error;
      this.#options.log.debug('no answer: asked once more', { error });
      return this.#ask(batch);
    }
  }

  async #ask(batch: readonly PlannedProperty[]): Promise<readonly Reading[]> {
    const visitors = batch.map(({ visitor }) => visitor);
    const readings = await this.call(
      'poll',
      { what: 'read', properties: batch.length },
      (connection, signal) => connection.read(visitors, signal),
    );
    if (readings.length === batch.length) return readings;
    throw new Error(`the mapper gave ${readings.length} readings for ${batch.length} visitors`);
  }

  #settle(): void {
    this.#fresh = false;
    if (this.#plan.properties.size === 0) this.#options.answered();
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
    if (this.#end.signal.aborted) this.#wake();
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

/** Of an order these are the device's answer; of a poll they are not, and end the session. */
function isVerdict(rank: Rank, error: unknown): boolean {
  const reaction = reactionTo(error);
  return rank === 'order' && (reaction === 'refused' || reaction === 'misconfigured');
}

/**
 * Everything is read at once, then in a phase of its own: the devices of a node start together, and would be polled
 * in the same millisecond for ever.
 */
function spread(timed: readonly Timed[], random: () => number): number {
  const shortest = Math.min(...timed.map((each) => each.everyMs));
  return timed.length === 0 ? 0 : Math.floor(random() * shortest);
}
