/**
 * The connection that writes to a SQLite file. Statements run in the turn that asks; what takes the disk's time does not: each
 * commit waits beside the event loop until the log is on the disk, and the log is copied into the database by a thread.
 */
import { closeSync, fdatasync, openSync } from 'node:fs';
import { promisify } from 'node:util';
import type { Database } from 'better-sqlite3';
import { Checkpoints } from './checkpoints.ts';
import { StoreFailed } from './errors.ts';
import type { Writer } from './sql.ts';
import { SqliteConnection } from './sqlite-connection.ts';

export interface WriterOptions {
  /** Of the database's file. */
  readonly path: string;
  /** Nothing can be written any more before the file is opened anew. */
  readonly lost: (failure: StoreFailed) => void;
  /** Resolves when the disk has what was written to the file. Default: that of Linux. */
  readonly sync?: (file: number) => Promise<void>;
}

export class SqliteWriter extends SqliteConnection implements Writer {
  readonly #path: string;
  readonly #checkpoints: Checkpoints;
  /** The log's file: there from the first write on, and the same until the database is closed. */
  #log: number | undefined;
  readonly #lost: (failure: StoreFailed) => void;
  readonly #sync: NonNullable<WriterOptions['sync']>;
  #syncing: Promise<void> = Promise.resolve();
  #gone: StoreFailed | undefined;

  /** `db` must not wait for the disk itself when it commits (synchronous=NORMAL), nor copy the log. */
  constructor(db: Database, { path, lost, sync = promisify(fdatasync) }: WriterOptions) {
    super(db);
    this.#path = path;
    this.#lost = lost;
    this.#sync = sync;
    this.#checkpoints = new Checkpoints(db, path);
  }

  async begin(): Promise<void> {
    if (this.#gone) throw this.#gone;
    await this.#checkpoints.before();
    await this.run('BEGIN IMMEDIATE');
  }

  /** Readers see the transaction a little before it is on the disk; {@link Writer.commit} resolves once it is. */
  async commit(): Promise<void> {
    await this.run('COMMIT');
    this.#log ??= openSync(`${this.#path}-wal`, 'r');
    this.#syncing = this.#sync(this.#log).catch((error: unknown) => {
      this.#gone = lost(error);
      this.#lost(this.#gone);
      throw this.#gone;
    });
    await this.#syncing;
  }

  durable(): Promise<void> {
    return this.#syncing;
  }

  async rollback(): Promise<void> {
    // SQLite has often rolled back by itself after an error of the disk.
    if (this.db.inTransaction) await this.run('ROLLBACK');
  }

  async savepoint(): Promise<void> {
    await this.run('SAVEPOINT work');
  }

  async release(): Promise<void> {
    await this.run('RELEASE work');
  }

  async back(): Promise<void> {
    await this.run('ROLLBACK TO work');
  }

  async close(): Promise<void> {
    await this.#checkpoints.close();
    if (this.#log !== undefined) closeSync(this.#log);
  }
}

/** What was handed to the disk may be there or not, and asking again would not tell: only reading the file anew does. */
function lost(error: unknown): StoreFailed {
  const { message } = error as Error;
  return new StoreFailed(
    'DISK_LOST',
    `The disk of the cloud service did not keep what was written (${message}): check it, then start the service again.`,
    { cause: error },
  );
}
