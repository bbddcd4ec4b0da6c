/** Carries out one order: writes, reads back, looks again where a device applies late, and judges what came of it. */
import { type Clock, type Connection, type Json, type Reading, type Value } from '@limpet/dmi';
import { type Id } from '@limpet/dmi/manifest';
import { answer } from './convert.ts';
import { confirms } from './order.ts';
import { clipped, type PlannedProperty } from './plan.ts';
import { reactionTo, reasonOf } from './reaction.ts';
import { type Session, SESSION_ENDED } from './session.ts';
import { type DeviceStore } from './store-door.ts';

/** A device that applies late gets so many looks: at once, then after these pauses. */
const LOOK_AGAIN_MS = [250, 500];
/** After so many writes in a row that lost the device, the order is what loses it. */
const MAX_SILENT_WRITES = 3;

export interface OrderWriterOptions {
  readonly device: Id;
  readonly store: DeviceStore;
  readonly clock: Clock;
  /** Ends the pauses between looks. */
  readonly signal: AbortSignal;
}

/** Where an order goes. */
export interface Target {
  readonly name: string;
  readonly planned: PlannedProperty;
  readonly session: Session;
}

/** A write that has begun: which order, and what. */
interface Write extends Target {
  readonly rev: number;
}

export class OrderWriter {
  readonly #options: OrderWriterOptions;
  readonly #silent = new Map<string, { rev: number; times: number }>();

  constructor(options: OrderWriterOptions) {
    this.#options = options;
  }

  /** `decide` is asked in the turn: while waiting for it the order can have been overtaken, or have run out. */
  async carryOut(
    target: Target,
    decide: () => { readonly rev: number; readonly value: Value } | undefined,
  ): Promise<void> {
    const { name, planned, session } = target;
    let write: Write | undefined;
    let expected: Json | undefined;
    try {
      await session.call('order', { what: 'write', properties: 1 }, async (connection, signal) => {
        const order = decide();
        if (order === undefined) return;
        write = { ...target, rev: order.rev };
        expected = await this.#send(write, order.value, connection, signal);
        session.readingBack(planned);
        const readings = await connection.read([planned.visitor], signal);
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
      await this.#options.clock.sleep(pauseMs, this.#options.signal);
      if (this.#rev(write.name) !== write.rev) return;
      const { session, planned } = write;
      const asked = { what: 'read back', properties: 1 };
      const readings = await session.call('order', asked, (connection, signal) => {
        session.readingBack(planned);
        return connection.read([planned.visitor], signal);
      });
      const last = index === LOOK_AGAIN_MS.length - 1;
      if (this.#look(write, expected, { readings, last })) return;
    }
  }

  /** Reports what was read back and judges it; whether that settles the order. */
  #look(
    { name, rev, planned, session }: Write,
    expected: Json,
    seen: { readonly readings: readonly Reading[]; readonly last: boolean },
  ): boolean {
    const { store, device, clock } = this.#options;
    const [reading] = seen.readings;
    if (reading === undefined) throw new Error('the mapper gave no reading for one visitor');
    session.readBack(planned, reading);
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
