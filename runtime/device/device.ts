/**
 * One device's life: planned, connected, polled; lost and tried again; or misconfigured, until its manifest
 * changes. Whatever its mapper does stays within this device.
 */
import { type Clock, type Log, Unreachable, unlessAborted } from '@limpet/dmi';
import { type CallOutcome, type Id } from '@limpet/dmi/manifest';
import { Caller, type CallAsked } from './caller.ts';
import { type Absence, leaveAlone } from './comeback.ts';
import { type LifeFacts } from './explain-facts.ts';
import { type Oldest } from './last-readings.ts';
import { type DevicePlan, type Plans } from './plan.ts';
import { type Ports } from './ports.ts';
import { isPeersCut, reactionTo, reasonOf } from './reaction.ts';
import { Reconciler } from './reconciler.ts';
import { Reporter } from './reporter.ts';
import { Retry } from './retry.ts';
import { type Seat } from './seat.ts';
import { Session, SESSION_ENDED } from './session.ts';
import { type Slots } from './slots.ts';
import { Standing } from './standing.ts';
import { type DeviceStore } from './store-door.ts';
import { sameReach, sameWork, type Wanted } from './wanted.ts';

/** What all devices of a node have in common. */
export interface Surroundings {
  readonly store: DeviceStore;
  readonly ports: Ports;
  readonly connects: Slots;
  readonly plans: Plans;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
}

export class DeviceLife {
  readonly #around: Surroundings;
  readonly #log: Log;
  readonly #reporter: Reporter;
  readonly #reconciler: Reconciler;
  readonly #caller: Caller;
  readonly #retry: Retry;
  readonly #standing: Standing;
  #wanted: Wanted;
  #session: Session | undefined;
  #place: { readonly port: string | undefined; readonly seat: Seat } | undefined;
  /** Since the last try failed. */
  #absence: Absence | undefined;
  readonly #stop = new AbortController();
  #napping: AbortController | undefined;
  /** Since a try failed: when it is tried again at the earliest, on the monotonic clock. */
  #restsUntilMs: number | undefined;
  /** Something changed while nobody slept that could be woken. */
  #changed = false;
  #running: Promise<void> | undefined;
  /** Of sessions that are over. */
  #missed = 0;
  #superseded = 0;

  constructor(id: Id, wanted: Wanted, around: Surroundings) {
    const { store, clock } = around;
    this.#around = around;
    this.#wanted = wanted;
    this.#log = around.log.with({ device: id });
    this.#reporter = new Reporter(id, store, clock);
    this.#retry = new Retry(around.random);
    this.#standing = new Standing({ reporter: this.#reporter, clock, log: this.#log });
    this.#reconciler = new Reconciler({
      device: id,
      store,
      clock,
      log: this.#log,
      model: () => this.#session?.plan.model,
      session: () => this.#session,
    });
    this.#caller = new Caller({
      device: id,
      clock,
      session: () => this.#session,
      condition: () => store.twin(id)?.condition,
    });
    this.id = id;
  }

  readonly id: Id;

  /** Readings taken, good and bad, changed or not. */
  get readings(): number {
    return this.#reporter.taken;
  }

  /** Cycles that went by unread. */
  get missed(): number {
    return this.#missed + (this.#session?.missed ?? 0);
  }

  /** Readings that the device told and that later ones replaced before they were reported. */
  get superseded(): number {
    return this.#superseded + (this.#session?.superseded ?? 0);
  }

  /** Readings that were no value. */
  get failed(): number {
    return this.#reporter.failed;
  }

  /** What is known of one property, for `explain`; costs nothing until it is asked. */
  look(name: string): LifeFacts {
    const session = this.#session;
    const planned = session?.plan.properties.get(name);
    const next = planned && session?.nextOf(planned);
    const last = planned && this.#reporter.last.of(planned);
    const { clock } = this.#around;
    const wall = (ms: number): number => clock.now() + ms - clock.monotonic();
    return {
      ...this.#doing(wall),
      attempts: this.#retry.attempts,
      settled: session?.settled ?? false,
      everyMs: planned?.everyMs,
      nextMs: next && wall(next),
      readMs: last && wall(last.readMs),
      raw: last?.value,
      port: this.#place?.seat.queue,
    };
  }

  /** Of what is polled, what was read longest ago in terms of its period. */
  oldest(): Oldest | undefined {
    const { clock } = this.#around;
    return this.#reporter.last.oldest(this.#session?.polled ?? [], clock.monotonic());
  }

  #doing(wall: (ms: number) => number): Pick<LifeFacts, 'doing' | 'untilMs'> {
    const restMs = this.#restsUntilMs;
    if (restMs === undefined)
      return { doing: this.#session?.connected === true ? 'reading' : 'trying' };
    if (restMs === Infinity) return { doing: 'idle' };
    const nowMs = this.#around.clock.monotonic();
    const untilMs = Math.max(restMs, nowMs + (this.#place?.seat.ledger.waitMs ?? 0));
    return { doing: 'resting', ...(untilMs > nowMs && { untilMs: wall(untilMs) }) };
  }

  /** What its model speaks, as far as the model is known. */
  get protocol(): string | undefined {
    return this.#wanted.model?.spec.protocol;
  }

  start(): void {
    this.#reporter.state('connecting');
    this.#reconciler.start();
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stop.abort(new Unreachable(SESSION_ENDED, 'the device was stopped'));
    this.#session?.end(this.#stop.signal.reason as Unreachable);
    this.#wakeUp();
    await this.#reconciler.stop();
    await this.#running;
  }

  /** The property was ordered to be something else. */
  order(property: string): void {
    this.#reconciler.order(property);
  }

  /** Runs a method of it, now or not at all. */
  call(asked: CallAsked, signal: AbortSignal): Promise<CallOutcome> {
    return this.#caller.call(asked, signal);
  }

  /** New manifests. What can be changed on the open connection is; other settings need a new one. */
  async update(wanted: Wanted): Promise<void> {
    const before = this.#wanted;
    this.#wanted = wanted;
    if (sameWork(before, wanted)) return;
    const session = this.#session;
    if (session !== undefined && sameReach(before, wanted)) {
      try {
        session.swap(await this.#plan());
        return;
      } catch (error) {
        // The new manifest is wrong: the round that follows says so.
        this.#log.debug('the plan cannot be changed', { error });
      }
    }
    this.again('the manifest was changed');
  }

  /** Plans and connects anew. */
  again(why: string): void {
    this.#session?.end(new Unreachable(SESSION_ENDED, why));
    this.retry();
  }

  /** Tries again now, whatever it was waiting for. */
  retry(): void {
    this.#retry.succeeded();
    this.#changed = true;
    this.#wakeUp();
  }

  get #stopped(): boolean {
    return this.#stop.signal.aborted;
  }

  /** A mapper may take long to start, or to answer: a device that is stopped does not wait for it. */
  #plan(): Promise<DevicePlan> {
    const { device, model } = this.#wanted;
    return unlessAborted(this.#around.plans.plan(device, model), this.#stop.signal);
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      this.#changed = false;
      try {
        await this.#rest(await this.#round());
      } catch (error) {
        // Nobody foresaw it; that is no reason to leave the device for good.
        this.#log.error('device failed unexpectedly; it is tried again', { error });
        const pauseMs = this.#retry.failed();
        await this.#nap((signal) => this.#around.clock.sleep(pauseMs, signal));
      }
    }
    this.#leave();
    if (!this.#standing.away) {
      this.#reporter.stale({
        code: 'DEVICE_STOPPED',
        message: 'this node no longer reads the device',
      });
    }
  }

  /** From planning to the loss of the connection. Returns for how long to leave the device alone. */
  async #round(): Promise<number> {
    let plan: DevicePlan | undefined;
    this.#absence = undefined;
    try {
      plan = await this.#plan();
      // What came meanwhile is not in this plan.
      if (this.#stopped || this.#changed) return 0;
      await this.#live(plan, this.#sit(plan.port));
      return 0;
    } catch (error) {
      return this.#ended(error, plan);
    } finally {
      this.#place?.seat.ledger.tried();
      this.#missed += this.#session?.missed ?? 0;
      this.#superseded += this.#session?.superseded ?? 0;
      this.#session = undefined;
    }
  }

  /** The seat is kept while the device is away: it still is one of its port. */
  #sit(port: string | undefined): Seat {
    if (this.#place !== undefined && this.#place.port === port) return this.#place.seat;
    this.#leave();
    const seat = this.#around.ports.join(port, this.id);
    this.#place = { port, seat };
    return seat;
  }

  #leave(): void {
    this.#place?.seat.leave();
    this.#place = undefined;
  }

  async #live(plan: DevicePlan, seat: Seat): Promise<never> {
    const { clock, connects, random } = this.#around;
    this.#session = new Session({
      device: this.id,
      plan,
      seat,
      connects,
      random,
      reporter: this.#reporter,
      clock,
      log: this.#log,
      answered: () => this.#answered(),
      firstReading: () => this.#reconciler.reconnected(),
    });
    return this.#session.run();
  }

  #answered(): void {
    this.#standing.answered(this.#retry.attempts);
    if (this.#retry.attempts > 0) this.#retry.succeeded();
  }

  /** For how long to leave it alone. */
  #ended(error: unknown, plan: DevicePlan | undefined): number {
    const reason = reasonOf(error);
    if (this.#stopped || reason.code === SESSION_ENDED) return 0;
    const reaction = reactionTo(error);
    if (reaction === 'misconfigured') {
      this.#leave();
      this.#standing.misconfigured(reason);
      return Infinity;
    }
    if (isPeersCut(error) && this.#retry.attempts === 0) {
      // The wire was cut because of another device: one quiet look at whether this one is still there.
      this.#retry.failed();
      return 0;
    }
    this.#standing.lost(reaction, reason, { error, attempts: this.#retry.attempts });
    const seat = this.#place?.seat;
    if (plan !== undefined && seat !== undefined) {
      const { clock } = this.#around;
      this.#absence = { plan, seat, code: reason.code, clock, log: this.#log };
    }
    return this.#retry.failed();
  }

  /** Leaves the device alone for `ms`; one that was lost then waits until its port can bear a try. */
  async #rest(ms: number): Promise<void> {
    const { clock } = this.#around;
    if (this.#standing.away) this.#restsUntilMs = clock.monotonic() + ms;
    await this.#nap(async (signal) => {
      if (ms > 0 && this.#absence !== undefined) await leaveAlone(this.#absence, ms, signal);
      else if (ms > 0) await clock.sleep(ms, signal);
      if (this.#standing.away) await this.#place?.seat.ledger.wait(signal);
    });
    this.#restsUntilMs = undefined;
  }

  /** Waits so, or until somebody wakes it. */
  async #nap(wait: (signal: AbortSignal) => Promise<void>): Promise<void> {
    if (this.#stopped || this.#changed) return;
    const { signal } = (this.#napping = new AbortController());
    try {
      await wait(signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  #wakeUp(): void {
    this.#napping?.abort(new Error('woken'));
  }
}
