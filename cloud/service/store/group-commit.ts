/**
 * Everything that arrives in one turn of the event loop shares one transaction, and so one fsync. A piece of
 * work is settled only once the disk has it; work that throws spoils only itself; a disk that refuses fails
 * everything of that transaction.
 */
import type { Clock } from '@limpet/dmi';
import type { Database, Statement } from 'better-sqlite3';
import { sqliteCode, StoreFailed, storeFailed } from './errors.ts';

export type Outcome<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: unknown };

export interface GroupCommitOptions {
  readonly clock: Pick<Clock, 'monotonic'>;
  /** Runs a task after everything that is ready now; `setImmediate` in a service. */
  readonly soon: (task: () => void) => void;
  /** Runs last inside each transaction. */
  readonly beforeCommit: () => void;
  /** Runs after the work of a transaction was settled. */
  readonly afterCommit: () => void;
  /** Told of every transaction: `undefined` when it is on disk. */
  readonly outcome: (failure: StoreFailed | undefined) => void;
}

interface Entry {
  readonly work: () => unknown;
  readonly settle: (outcome: Outcome<unknown>) => void;
}

/** Work waiting for its transaction; beyond it new work is refused with STORE_BUSY. */
const MAX_WAITING = 20_000;
/** A transaction takes no more work after this long, so that others get their turn. */
const MAX_MS = 50;

export class GroupCommit {
  readonly #db: Database;
  readonly #options: GroupCommitOptions;
  readonly #begin: Statement;
  readonly #savepoint: Statement;
  readonly #release: Statement;
  readonly #back: Statement;
  readonly #commit: Statement;
  #waiting: Entry[] = [];
  #scheduled = false;
  #closed = false;

  constructor(db: Database, options: GroupCommitOptions) {
    this.#db = db;
    this.#options = options;
    this.#begin = db.prepare('BEGIN IMMEDIATE');
    this.#savepoint = db.prepare('SAVEPOINT work');
    this.#release = db.prepare('RELEASE work');
    this.#back = db.prepare('ROLLBACK TO work');
    this.#commit = db.prepare('COMMIT');
  }

  /** `settled` is called after the commit, or with what went wrong; never synchronously. */
  add<T>(work: () => T, settled: (outcome: Outcome<T>) => void): void {
    const entry = { work, settle: settled as Entry['settle'] };
    const refusal = this.#refusal();
    if (refusal) {
      this.#options.soon(() => entry.settle({ ok: false, error: refusal }));
      return;
    }
    this.#waiting.push(entry);
    this.#schedule();
  }

  /** The same as a promise. */
  run<T>(work: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.add(work, (outcome) => {
        if (outcome.ok) resolve(outcome.value);
        else reject(asError(outcome.error));
      });
    });
  }

  /** Commits what waits, then refuses everything. */
  close(): void {
    while (this.#waiting.length > 0) this.#turn();
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
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#options.soon(() => {
      this.#scheduled = false;
      this.#turn();
      if (this.#waiting.length > 0) this.#schedule();
    });
  }

  #turn(): void {
    const entries = this.#waiting;
    if (entries.length === 0) return;
    const settled: (() => void)[] = [];
    let taken = 0;
    try {
      this.#begin.run();
      const until = this.#options.clock.monotonic() + MAX_MS;
      for (const entry of entries) {
        if (taken > 0 && this.#options.clock.monotonic() > until) break;
        taken++;
        const outcome = this.#try(entry.work);
        settled.push(() => entry.settle(outcome));
      }
      this.#options.beforeCommit();
      this.#commit.run();
    } catch (error) {
      this.#fail(error, Math.max(taken, 1));
      return;
    }
    this.#waiting = entries.slice(taken);
    this.#options.outcome(undefined);
    for (const settle of settled) settle();
    this.#options.afterCommit();
  }

  #try(work: () => unknown): Outcome<unknown> {
    this.#savepoint.run();
    try {
      const value = work();
      this.#release.run();
      return { ok: true, value };
    } catch (error) {
      if (isOfTheDisk(error)) throw error;
      this.#back.run();
      this.#release.run();
      return { ok: false, error };
    }
  }

  #fail(error: unknown, taken: number): void {
    // SQLite has often rolled back by itself after an error of the disk.
    if (this.#db.inTransaction) this.#db.exec('ROLLBACK');
    const failure = storeFailed(asError(error));
    const failed = this.#waiting.slice(0, taken);
    this.#waiting = this.#waiting.slice(taken);
    this.#options.outcome(failure);
    for (const entry of failed) entry.settle({ ok: false, error: failure });
  }
}

function isOfTheDisk(error: unknown): boolean {
  const code = sqliteCode(error);
  return code !== undefined && !code.startsWith('SQLITE_CONSTRAINT');
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
