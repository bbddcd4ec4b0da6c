/**
 * Makes one device what is wanted of it: writes, reads back, gives a verdict. One order at a time; a property
 * that is wanted differently while it waits is written once, with the latest value.
 */
import {
  type Clock,
  type Connection,
  type Json,
  type Log,
  type Reading,
  Unreachable,
  type Value,
} from '@limpet/dmi';
import { type DeviceModel, type Id } from '@limpet/dmi/manifest';
import { answer } from './convert.ts';
import { Deadlines } from './deadlines.ts';
import { confirms, nextStep, type Occasion, type Step } from './order.ts';
import { clipped, type PlannedProperty } from './plan.ts';
import { reactionTo, reasonOf } from './reaction.ts';
import { type Reporter } from './reporter.ts';
import { type Session, SESSION_ENDED } from './session.ts';
import { type DeviceStore } from './store-door.ts';

/** A device that applies late gets so many looks: at once, then after these pauses. */
const LOOK_AGAIN_MS = [250, 500];
/** After so many writes in a row that lost the device, the order is what loses it. */
const MAX_SILENT_WRITES = 3;

export interface ReconcilerOptions {
  readonly device: Id;
  readonly store: DeviceStore;
  readonly reporter: Reporter;
  readonly clock: Clock;
  readonly log: Log;
  readonly model: () => DeviceModel | undefined;
  /** The connection of now, if there is one. */
  readonly session: () => Session | undefined;
}

/** A write that has begun: which order, and what. */
interface Write {
  readonly name: string;
  readonly rev: number;
  readonly planned: PlannedProperty;
  readonly session: Session;
}

/** Bounded by the number of properties: each waits once, and has one timer at most. */
export class Reconciler {
  readonly #options: ReconcilerOptions;
  readonly #waiting = new Map<string, Occasion>();
  readonly #deadlines: Deadlines;
  readonly #silent = new Map<string, { rev: number; times: number }>();
  #running: Promise<void> | undefined;
  readonly #end = new AbortController();

  constructor(options: ReconcilerOptions) {
    this.#options = options;
    this.#deadlines = new Deadlines(options, (name) => this.#put(name, 'order'));
  }

  /** Something is wanted of this property, or no longer. */
  order(name: string): void {
    this.#put(name, 'order');
  }

  /** The device is there again, and has said what it is. */
  reconnected(): void {
    this.#putAll('reconnect');
  }

  /** At the start: sets the clocks of orders that wait. */
  start(): void {
    this.#putAll('order');
  }

  /** Starts nothing more; resolves when what runs has ended. */
  async stop(): Promise<void> {
    this.#end.abort(new Unreachable(SESSION_ENDED, 'the device was stopped'));
    this.#waiting.clear();
    this.#deadlines.stop();
    await this.#running;
  }

  #putAll(occasion: Occasion): void {
    const { store, device } = this.#options;
    for (const [name, { desired }] of store.twin(device)?.properties ?? []) {
      if (desired !== undefined) this.#put(name, occasion);
    }
  }

  #put(name: string, occasion: Occasion): void {
    if (this.#end.signal.aborted) return;
    // A reconnect that waits is not forgotten because an order came as well.
    if (this.#waiting.get(name) !== 'reconnect') this.#waiting.set(name, occasion);
    this.#running ??= this.#drain();
  }

  async #drain(): Promise<void> {
    // A later turn, so that orders placed in one go count as one.
    await Promise.resolve();
    for (;;) {
      const [first] = this.#waiting;
      if (first === undefined) break;
      const [name, occasion] = first;
      this.#waiting.delete(name);
      try {
        await this.#reconcile(name, occasion);
      } catch (error) {
        this.#options.log.error('an order could not be carried out', { property: name, error });
      }
    }
    this.#running = undefined;
  }

  async #reconcile(name: string, occasion: Occasion): Promise<void> {
    this.#deadlines.watch(name);
    const step = this.#step(name, occasion);
    const session = this.#options.session();
    const planned = session?.plan.properties.get(name);
    if (step.kind !== 'write' || session === undefined || planned === undefined) {
      this.#judge(name, step);
      return;
    }
    await this.#write({ name, planned, session }, occasion);
  }

  #step(name: string, occasion: Occasion): Step {
    const { store, device, clock, model, session } = this.#options;
    const { desired, reported } = store.twin(device)?.properties.get(name) ?? {};
    return nextStep({
      property: name,
      occasion,
      desired,
      reported,
      readBack: store.readBack(device, name),
      expired: (store.deadline(device, name) ?? Infinity) <= clock.now(),
      model: model(),
      settled: session()?.settled ?? false,
    });
  }

  #judge(name: string, step: Step): void {
    const { store, device, clock } = this.#options;
    const rev = this.#rev(name);
    if (rev === undefined) return;
    switch (step.kind) {
      case 'expired': {
        const message = 'it ran out before the device could be told';
        store.judge(device, name, rev, {
          verdict: 'expired',
          reason: { code: 'EXPIRED', message },
        });
        break;
      }
      case 'agreed':
        store.judge(device, name, rev, {
          verdict: 'applied',
          confirmed: clock.now(),
          readBack: step.readBack,
        });
        break;
      case 'rejected':
        store.judge(device, name, rev, { verdict: 'rejected', reason: clipped(step.reason) });
        break;
      case 'none':
      case 'write':
        break;
    }
  }

  async #write(wanted: Omit<Write, 'rev'>, occasion: Occasion): Promise<void> {
    const { name, session } = wanted;
    let write: Write | undefined;
    let expected: Json | undefined;
    try {
      await session.call('order', { what: 'write', properties: 1 }, async (connection, signal) => {
        // Decided in the turn: while waiting for it the order can have been overtaken, or have run out.
        const step = this.#step(name, occasion);
        const rev = this.#rev(name);
        if (step.kind !== 'write' || rev === undefined) {
          this.#judge(name, step);
          return;
        }
        write = { ...wanted, rev };
        expected = await this.#send(write, step.value, connection, signal);
        const readings = await connection.read([wanted.planned.visitor], signal);
        if (this.#look(write, expected, { readings, last: false })) expected = undefined;
      });
      this.#silent.delete(name);
      if (write !== undefined && expected !== undefined) await this.#lookAgain(write, expected);
    } catch (error) {
      if (write !== undefined) this.#failed(write, error);
    }
  }

  /** Writes; returns what the device will report. */
  async #send(
    { name, rev, planned }: Write,
    value: Value,
    connection: Connection<unknown>,
    signal: AbortSignal,
  ): Promise<Json> {
    const { store, device, clock } = this.#options;
    const taken = await connection.write(planned.visitor, value, signal);
    store.judge(device, name, rev, { sent: clock.now() });
    const expected = answer(planned.property, { ok: true, value: taken });
    if (expected.ok) return expected.value;
    throw new Error(`write gave a value that is none: ${expected.reason.message}`);
  }

  async #lookAgain(write: Write, expected: Json): Promise<void> {
    for (const [index, pauseMs] of LOOK_AGAIN_MS.entries()) {
      await this.#options.clock.sleep(pauseMs, this.#end.signal);
      if (this.#rev(write.name) !== write.rev) return;
      const { visitor } = write.planned;
      const readings = await write.session.call(
        'order',
        { what: 'read back', properties: 1 },
        (connection, signal) => connection.read([visitor], signal),
      );
      const last = index === LOOK_AGAIN_MS.length - 1;
      if (this.#look(write, expected, { readings, last })) return;
    }
  }

  /** Reports what was read back and judges it; whether that settles the order. */
  #look(
    { name, rev, planned }: Write,
    expected: Json,
    seen: { readonly readings: readonly Reading[]; readonly last: boolean },
  ): boolean {
    const { store, device, clock, reporter } = this.#options;
    const [reading] = seen.readings;
    if (reading === undefined) throw new Error('the mapper gave no reading for one visitor');
    reporter.readings([planned], [reading]);
    const result = confirms(expected, answer(planned.property, reading));
    if (result.ok) {
      const { readBack } = result;
      store.judge(device, name, rev, { verdict: 'applied', confirmed: clock.now(), readBack });
    } else if (seen.last) {
      store.judge(device, name, rev, { verdict: 'rejected', reason: clipped(result.reason) });
    }
    return result.ok || seen.last;
  }

  /** A device that is lost leaves the order pending, unless writing it is what loses the device. */
  #failed({ name, rev }: Write, error: unknown): void {
    const { store, device } = this.#options;
    const reason = reasonOf(error);
    const reaction = reactionTo(error);
    if (reaction === 'unreachable' || reaction === 'garbled') {
      if (reason.code === SESSION_ENDED) return;
      const before = this.#silent.get(name);
      const times = before?.rev === rev ? before.times + 1 : 1;
      this.#silent.set(name, { rev, times });
      if (times < MAX_SILENT_WRITES) return;
      const message = `the device was lost each of ${times} times it was written: ${reason.message}`;
      store.judge(device, name, rev, {
        verdict: 'rejected',
        reason: clipped({ code: 'WRITE_UNANSWERED', message }),
      });
      return;
    }
    store.judge(device, name, rev, { verdict: 'rejected', reason: clipped(reason) });
  }

  #rev(name: string): number | undefined {
    const { store, device } = this.#options;
    return store.twin(device)?.properties.get(name)?.desired?.rev;
  }
}
