/**
 * Everything that arrives while a transaction runs, or in one turn of the event loop, shares the next one, and so one fsync.
 * Works run one after another. A piece of work is settled only once the disk has it; work that throws spoils only
 * itself; a disk that refuses fails everything of that transaction. Work may be run a second time, after all of it was undone.
 */
import type { Clock } from '@limpet/dmi';
import { Durations } from './durations.ts';
import { StoreFailed, storeFailed } from './errors.ts';
import { type Engine, Spoiled } from './sql.ts';

export type Outcome<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: unknown };

export interface GroupCommitOptions<Tx> {
  readonly engine: Pick<Engine, 'writer' | 'refusal'>;
  /** What works are given: good inside their transaction only. */
  readonly tx: Tx;
  readonly clock: Pick<Clock, 'monotonic'>;
  /** Runs a task after everything that is ready now; `setImmediate` in a service. */
  readonly soon: (task: () => void) => void;
  /** Runs last inside each transaction. */
  readonly beforeCommit: () => Promise<void>;
  /** Something was rolled back: a piece of work, or all of them. */
  readonly rolledBack: () => void;
  /** Runs after the work of a transaction was settled. */
  readonly afterCommit: () => void;
  /** Told of every transaction: `undefined` when it is on disk. */
  readonly outcome: (failure: StoreFailed | undefined) => void;
}

interface Entry<Tx> {
  readonly work: (tx: Tx) => Promise<unknown>;
  readonly settle: (outcome: Outcome<unknown>) => void;
}

interface Settled {
  readonly settle: (outcome: Outcome<unknown>) => void;
  readonly outcome: Outcome<unknown>;
}

/** Work waiting for its transaction; beyond it new work is refused with STORE_BUSY. */
const MAX_WAITING = 20_000;
/** A transaction takes no more work after so much of it, so that others get their turn. */
const MAX_MS = 50;
/** Works that run for so long without waiting for anything let the event loop have a turn. */
const TURN_MS = 2;

export class GroupCommit<Tx> {
  readonly #options: GroupCommitOptions<Tx>;
  #waiting: Entry<Tx>[] = [];
  #scheduled = false;
  #running: Promise<void> | undefined;
  #closed = false;
  /** How many of those that wait the transaction under way has taken. */
  #taken = 0;
  /** How long transactions took that are on disk, and how many were refused. */
  readonly durations = new Durations();
  failures = 0;

  constructor(options: GroupCommitOptions<Tx>) {
    this.#options = options;
  }

  /** `settled` is called after the commit, or with what went wrong; never synchronously. */
  add<T>(work: (tx: Tx) => Promise<T>, settled: (outcome: Outcome<T>) => void): void {
    const entry = { work, settle: settled as Entry<Tx>['settle'] };
    const refusal = this.#refusal();
    if (refusal) {
      this.#options.soon(() => entry.settle({ ok: false, error: refusal }));
      return;
    }
    this.#waiting.push(entry);
    this.#schedule();
  }

  /** The same as a promise. */
  run<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.add(work, (outcome) => {
        if (outcome.ok) resolve(outcome.value);
        else reject(asError(outcome.error));
      });
    });
  }

  /** A transaction is under way. */
  get busy(): boolean {
    return this.#running !== undefined;
  }

  /** Works that wait for their transaction. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Commits what waits, then refuses everything. */
  async close(): Promise<void> {
    while (this.#running || this.#waiting.length > 0) await this.#go();
    this.#closed = true;
  }

  #refusal(): StoreFailed | undefined {
    if (this.#closed) return new StoreFailed('STORE_CLOSED', 'The cloud service is stopping.');
    if (this.#waiting.length < MAX_WAITING) return undefined;
    return new StoreFailed(
      'STORE_BUSY',
      `More than ${MAX_WAITING} writes wait for the disk of the cloud service: try again later.`,
    );
  }

  #schedule(): void {
    if (this.#scheduled || this.#running) return;
    this.#scheduled = true;
    this.#options.soon(() => {
      this.#scheduled = false;
      void this.#go();
    });
  }

  /** The transaction under way, or the next. */
  #go(): Promise<void> {
    this.#running ??= this.#turn().finally(() => {
      this.#running = undefined;
      if (this.#waiting.length > 0) this.#schedule();
    });
    return this.#running;
  }

  async #turn(): Promise<void> {
    const { clock, outcome, afterCommit } = this.#options;
    if (this.#waiting.length === 0) return;
    const started = clock.monotonic();
    let settled: readonly Settled[];
    try {
      settled = await this.#transact();
    } catch (error) {
      await this.#fail(error, Math.max(this.#taken, 1));
      return;
    }
    this.durations.add(clock.monotonic() - started);
    this.#waiting = this.#waiting.slice(this.#taken);
    outcome(undefined);
    for (const each of settled) each.settle(each.outcome);
    afterCommit();
  }

  /** What was spoiled later than the work that did it is done again, so that it spoils only that. */
  async #transact(): Promise<readonly Settled[]> {
    const { engine, rolledBack } = this.#options;
    try {
      return await this.#attempt(false);
    } catch (error) {
      if (!(error instanceof Spoiled)) throw error;
      await engine.writer.rollback();
      rolledBack();
      return this.#attempt(true);
    }
  }

  async #attempt(openly: boolean): Promise<readonly Settled[]> {
    const { engine, clock, soon, beforeCommit } = this.#options;
    const settled: Settled[] = [];
    this.#taken = 0;
    await engine.writer.begin(openly);
    let worked = 0;
    let turn = 0;
    for (let entry = this.#waiting[0]; entry !== undefined; entry = this.#waiting[this.#taken]) {
      if (worked > MAX_MS) break;
      if (worked - turn > TURN_MS) {
        await new Promise<void>(soon);
        turn = worked;
      }
      this.#taken += 1;
      const { settle, work } = entry;
      const began = clock.monotonic();
      settled.push({ settle, outcome: await this.#try(work) });
      worked += clock.monotonic() - began;
    }
    await beforeCommit();
    await engine.writer.commit();
    return settled;
  }

  async #try(work: (tx: Tx) => Promise<unknown>): Promise<Outcome<unknown>> {
    const { engine, tx, rolledBack } = this.#options;
    const { writer } = engine;
    await writer.savepoint();
    try {
      const value = await work(tx);
      await writer.release();
      return { ok: true, value };
    } catch (error) {
      if (error instanceof Spoiled || engine.refusal(error)) throw error;
      await writer.back();
      await writer.release();
      rolledBack();
      return { ok: false, error };
    }
  }

  async #fail(error: unknown, taken: number): Promise<void> {
    const { engine, outcome, rolledBack } = this.#options;
    // Without its connection the database has rolled back by itself.
    await engine.writer.rollback().catch(() => undefined);
    const failure = engine.refusal(error) ?? storeFailed(asError(error));
    this.failures += 1;
    const failed = this.#waiting.slice(0, taken);
    this.#waiting = this.#waiting.slice(taken);
    rolledBack();
    outcome(failure);
    for (const entry of failed) entry.settle({ ok: false, error: failure });
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
