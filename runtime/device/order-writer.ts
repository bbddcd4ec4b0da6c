/**
 * Carries out orders of one device: writes, reads back, looks again where a device applies late, and judges what came of it.
 * Those that wait together share a turn at the port: all are written, then all are read back in one go.
 */
import {
  type Clock,
  type Connection,
  type DmiError,
  type Json,
  type Order,
  type Reading,
  type Value,
} from '@limpet/dmi';
import { type Id } from '@limpet/dmi/manifest';
import { answer } from './convert.ts';
import { confirms } from './order.ts';
import { clipped, type PlannedProperty } from './plan.ts';
import { isRefusal, reactionTo, reasonOf } from './reaction.ts';
import { MAX_BATCH } from './schedule.ts';
import { type Session, SESSION_ENDED } from './session.ts';
import { type DeviceStore } from './store-door.ts';

/** A device that applies late gets so many looks: at once, then after these pauses. */
const LOOK_AGAIN_MS = [250, 500];
/** After so many writes in a row that lost the device, the order is what loses it. */
const MAX_SILENT_WRITES = 3;
/** Once writing took so long, it is read back, and the port is for others before the rest. */
const TURN_MS = 50;

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
}

/** The order in force for a property; nothing when none is to be written (any more). */
export type Decide = (name: string) => { readonly rev: number; readonly value: Value } | undefined;

/** A write that has begun, and, once the device took it, what it will report. */
interface Write extends Target {
  readonly rev: number;
  expected?: Json;
}

/** An order on its way, and which of the targets it is. */
interface Begun {
  readonly write: Write;
  readonly value: Value;
  readonly at: number;
}

interface Turn {
  /** Written, and not settled. */
  open: readonly Write[];
  /** Those that it is put down to when the device is lost now. */
  blamed: readonly Write[];
}

export class OrderWriter {
  readonly #options: OrderWriterOptions;
  /** Orders that lost the device when they were written last. */
  readonly #silent = new Map<string, { rev: number; times: number }>();

  constructor(options: OrderWriterOptions) {
    this.#options = options;
  }

  /**
   * Carries out the first of these, and those after it while its turn lasts; returns how many are done with. `decide` is
   * asked in the turn: while waiting for it an order can have been overtaken, or have run out.
   */
  async carryOut(targets: readonly Target[], session: Session, decide: Decide): Promise<number> {
    const together = this.#together(targets);
    const turn: Turn = { open: [], blamed: [] };
    let done = 0;
    try {
      const asked = { what: 'write', properties: together.length };
      await session.call('order', asked, async (connection, signal) => {
        const end = this.#options.clock.monotonic() + TURN_MS;
        while (done < together.length) {
          if (done > 0 && this.#options.clock.monotonic() >= end) break;
          done += await this.#some(
            { targets: together.slice(done), decide, turn },
            connection,
            signal,
          );
        }
        turn.blamed = turn.open;
        turn.open = await this.#look(turn.open, session, { connection, signal, last: false });
      });
      for (const { name } of turn.blamed) this.#silent.delete(name);
      await this.#lookAgain(turn, session);
    } catch (error) {
      for (const write of turn.blamed) this.#failed(write, error);
    }
    return Math.max(1, done);
  }

  /** One that lost the device goes alone, so that none is blamed for another. */
  #together(targets: readonly Target[]): readonly Target[] {
    const alone = targets.findIndex(({ name }) => this.#silent.has(name));
    return targets.slice(0, alone < 0 ? MAX_BATCH : Math.max(1, alone));
  }

  /** Writes the first of these, or more where one request takes more; returns how many are done with. */
  async #some(
    { targets, decide, turn }: { targets: readonly Target[]; decide: Decide; turn: Turn },
    connection: Connection<unknown>,
    signal: AbortSignal,
  ): Promise<number> {
    const list: Begun[] = [];
    for (const [at, target] of targets.entries()) {
      const order = decide(target.name);
      if (order === undefined) continue;
      list.push({ write: { ...target, rev: order.rev }, value: order.value, at });
      if (connection.writeMany === undefined) break;
    }
    turn.blamed = list.map(({ write }) => write);
    const answers = list.length === 0 ? [] : await written(list, connection, signal);
    for (const [index, reading] of answers.entries()) {
      const { write } = list[index] as Begun;
      if (this.#taken(write, reading)) turn.open = [...turn.open, write];
    }
    const last = list[answers.length - 1];
    return last === undefined ? targets.length : last.at + 1;
  }

  /** False when the device refused it, or its mapper cannot say what it took, which is its verdict. */
  #taken(write: Write, reading: Reading): boolean {
    const { store, device, clock } = this.#options;
    const { name, rev, planned } = write;
    if (!reading.ok) {
      this.#silent.delete(name);
      this.#reject(write, reasonOf(reading.error));
      return false;
    }
    store.judge(device, name, rev, { sent: clock.now() });
    const expected = answer(planned.property, reading);
    if (!expected.ok) {
      this.#reject(
        write,
        reasonOf(new Error(`write gave a value that is none: ${expected.reason.message}`)),
      );
      return false;
    }
    write.expected = expected.value;
    return true;
  }

  async #lookAgain(turn: Turn, session: Session): Promise<void> {
    for (const [index, pauseMs] of LOOK_AGAIN_MS.entries()) {
      turn.blamed = turn.open;
      if (turn.open.length === 0) return;
      await this.#options.clock.sleep(pauseMs, this.#options.signal);
      turn.open = turn.blamed = turn.open.filter(({ name, rev }) => this.#rev(name) === rev);
      if (turn.open.length === 0) return;
      const asked = { what: 'read back', properties: turn.open.length };
      const last = index === LOOK_AGAIN_MS.length - 1;
      turn.open = await session.call('order', asked, (connection, signal) =>
        this.#look(turn.open, session, { connection, signal, last }),
      );
    }
  }

  /** Reads back, reports it and judges; returns those that are not settled by it. */
  async #look(
    writes: readonly Write[],
    session: Session,
    look: {
      readonly connection: Connection<unknown>;
      readonly signal: AbortSignal;
      readonly last: boolean;
    },
  ): Promise<Write[]> {
    if (writes.length === 0) return [];
    const planned = writes.map((write) => write.planned);
    session.readingBack(planned);
    const visitors = planned.map(({ visitor }) => visitor);
    const readings = await look.connection.read(visitors, look.signal);
    if (readings.length !== writes.length) {
      throw new Error(`the mapper gave ${readings.length} readings for ${writes.length} visitors`);
    }
    session.readBack(planned, readings);
    return writes.filter((write, at) => !this.#settled(write, readings[at] as Reading, look.last));
  }

  #settled(write: Write, reading: Reading, last: boolean): boolean {
    const { store, device, clock } = this.#options;
    const { name, rev, planned, expected } = write;
    const result = confirms(expected as Json, answer(planned.property, reading));
    if (result.ok) {
      const { readBack } = result;
      store.judge(device, name, rev, { verdict: 'applied', confirmed: clock.now(), readBack });
    } else if (last) this.#reject(write, result.reason);
    return result.ok || last;
  }

  /** A device that is lost leaves the order pending, unless writing it is what loses the device. */
  #failed(write: Write, error: unknown): void {
    const { name, rev } = write;
    const reason = reasonOf(error);
    const reaction = reactionTo(error);
    if (reaction !== 'unreachable' && reaction !== 'garbled') {
      this.#reject(write, reason);
      return;
    }
    if (reason.code === SESSION_ENDED) return;
    const before = this.#silent.get(name);
    const times = before?.rev === rev ? before.times + 1 : 1;
    this.#silent.set(name, { rev, times });
    if (times < MAX_SILENT_WRITES) return;
    const message = `the device was lost each of ${times} times it was written: ${reason.message}`;
    this.#reject(write, { code: 'WRITE_UNANSWERED', message });
  }

  #reject({ name, rev }: Write, reason: { readonly code: string; readonly message: string }): void {
    const { store, device } = this.#options;
    store.judge(device, name, rev, { verdict: 'rejected', reason: clipped(reason) });
  }

  #rev(name: string): number | undefined {
    const { store, device } = this.#options;
    return store.twin(device)?.properties.get(name)?.desired?.rev;
  }
}

/** What the device said to the first of them, or to more. @throws what loses the device */
async function written(
  list: readonly Begun[],
  connection: Connection<unknown>,
  signal: AbortSignal,
): Promise<readonly Reading[]> {
  const orders = list.map(({ write, value }) => ({ visitor: write.planned.visitor, value }));
  if (connection.writeMany !== undefined && orders.length > 1) {
    const answers = await connection.writeMany(orders, signal).catch(unlessRefused);
    // A refusal of all is none of one of them: the first is asked for alone.
    if (answers !== undefined) return some(answers, orders.length);
  }
  const [{ visitor, value }] = orders as [Order<unknown>];
  try {
    return [{ ok: true, value: await connection.write(visitor, value, signal) }];
  } catch (error) {
    unlessRefused(error);
    return [{ ok: false, error: error as DmiError }];
  }
}

function unlessRefused(error: unknown): undefined {
  if (!isRefusal(error)) throw error;
}

function some(answers: readonly Reading[], most: number): readonly Reading[] {
  if (answers.length > 0 && answers.length <= most) return answers;
  throw new Error(`the mapper answered for ${answers.length} of ${most} orders`);
}
