/**
 * The connection that writes to a SQLite file. What a transaction reads is read in the turn that asks. What it writes is
 * noted until the transaction wants to read it: one that only wrote much is carried out whole by a thread, any other here.
 * What takes the disk's time is waited for beside the event loop.
 */
import { closeSync, fdatasync, openSync } from 'node:fs';
import { promisify } from 'node:util';
import type { Log } from '@limpet/dmi';
import type { Database } from 'better-sqlite3';
import { Checkpoints } from './checkpoints.ts';
import { isFault, StoreFailed } from './errors.ts';
import { type Row, Spoiled, type SqlValue, type Table, type Writer } from './sql.ts';
import { noteOf, SqliteConnection } from './sqlite-connection.ts';
import { Notes } from './sqlite-notes.ts';
import { WriteThread } from './write-thread.ts';

export interface WriterOptions {
  /** Of the database's file. */
  readonly path: string;
  /** Nothing can be written any more before the file is opened anew. */
  readonly lost: (failure: StoreFailed) => void;
  readonly log: Log;
  /** Resolves when the disk has what was written to the file. Default: that of Linux. */
  readonly sync?: (file: number) => Promise<void>;
}

/** Rows and statements: what is less costs less here than the way to the thread. */
const FEW = 40;

export class SqliteWriter implements Writer {
  readonly dialect = 'sqlite';
  readonly #connection: SqliteConnection;
  readonly #path: string;
  readonly #lost: (failure: StoreFailed) => void;
  readonly #sync: NonNullable<WriterOptions['sync']>;
  readonly #checkpoints: Checkpoints;
  readonly #thread: WriteThread;
  /** Of the transaction that is under way, as long as nothing of it is in the database. */
  #notes: Notes | undefined;
  /** The log's file: there from the first write on, and the same until the database is closed. */
  #log: number | undefined;
  #syncing: Promise<void> = Promise.resolve();
  #gone: StoreFailed | undefined;

  /** `db` must not wait for the disk itself when it commits (synchronous=NORMAL), nor copy the log. */
  constructor(db: Database, { path, lost, log, sync = promisify(fdatasync) }: WriterOptions) {
    this.#connection = new SqliteConnection(db);
    this.#path = path;
    this.#lost = lost;
    this.#sync = sync;
    this.#checkpoints = new Checkpoints(db, path, log);
    this.#thread = new WriteThread(path, log);
  }

  async begin(openly = false): Promise<void> {
    if (this.#gone) throw this.#gone;
    await this.#checkpoints.before();
    if (openly) await this.#connection.run('BEGIN IMMEDIATE');
    else this.#notes = new Notes();
  }

  async all<R>(text: string, ...values: readonly SqlValue[]): Promise<readonly R[]> {
    const known = READS.test(text) && this.#notes?.silentOn(text);
    if (this.#notes && !known) await this.#open(this.#notes);
    return this.#connection.all(text, ...values);
  }

  async find<R extends Row>(
    table: Table<R>,
    keys: readonly (readonly SqlValue[])[],
  ): Promise<readonly R[]> {
    const found = this.#notes?.found(table, keys);
    if (found) return [...found.rows, ...(await this.#connection.find(table, found.rest))];
    if (this.#notes) await this.#open(this.#notes);
    return this.#connection.find(table, keys);
  }

  async run(text: string, ...values: readonly SqlValue[]): Promise<void> {
    if (this.#notes && CHANGES.test(text)) this.#notes.run(text, noteOf(text, values));
    else await this.change(text, ...values);
  }

  async change(text: string, ...values: readonly SqlValue[]): Promise<number> {
    if (this.#notes) await this.#open(this.#notes);
    return this.#connection.change(text, ...values);
  }

  async put<R extends Row>(table: Table<R>, rows: readonly R[]): Promise<void> {
    if (rows.length === 0) return;
    if (this.#notes) this.#notes.put(table as unknown as Table, rows);
    else await this.#connection.put(table, rows);
  }

  async savepoint(): Promise<void> {
    if (this.#notes) this.#notes.begin();
    else await this.#connection.run('SAVEPOINT work');
  }

  async release(): Promise<void> {
    if (this.#notes) this.#notes.end();
    else await this.#connection.run('RELEASE work');
  }

  async back(): Promise<void> {
    if (this.#notes) this.#notes.back();
    else await this.#connection.run('ROLLBACK TO work');
  }

  async commit(): Promise<void> {
    const notes = this.#notes;
    if (notes && notes.size > FEW) {
      await this.#thread.carryOut(notes.all());
      this.#notes = undefined;
      return;
    }
    if (notes) await this.#open(notes);
    const committed = this.#connection.run('COMMIT');
    // In the turn in which readers begin to see it, so that none is answered before the disk has it.
    this.#syncing = committed.then(
      () => this.#kept(),
      () => undefined,
    );
    await committed;
    await this.#syncing;
  }

  async rollback(): Promise<void> {
    this.#notes = undefined;
    // SQLite has often rolled back by itself after an error of the disk.
    if (this.#connection.db.inTransaction) await this.#connection.run('ROLLBACK');
  }

  /** Of a transaction written here others see everything a little before the disk has it. */
  durable(): Promise<void> {
    return this.#syncing;
  }

  async close(): Promise<void> {
    await Promise.all([this.#checkpoints.close(), this.#thread.close()]);
    if (this.#log !== undefined) closeSync(this.#log);
  }

  /** What was noted is written here, and so is all that follows. */
  async #open(notes: Notes): Promise<void> {
    this.#notes = undefined;
    const { ended, under } = notes.parts();
    await this.#connection.run('BEGIN IMMEDIATE');
    try {
      for (const note of ended) this.#connection.write(note);
      if (under === undefined) return;
      await this.#connection.run('SAVEPOINT work');
      for (const note of under) this.#connection.write(note);
    } catch (error) {
      throw isFault(error) ? new Spoiled('written too late', { cause: error }) : error;
    }
  }

  async #kept(): Promise<void> {
    this.#log ??= openSync(`${this.#path}-wal`, 'r');
    try {
      await this.#sync(this.#log);
    } catch (error) {
      this.#gone = lost(error);
      this.#lost(this.#gone);
      throw this.#gone;
    }
  }
}

const READS = /^\s*(SELECT|WITH|PRAGMA)/i;
const CHANGES = /^\s*(INSERT|UPDATE|DELETE)/i;

/** What was handed to the disk may be there or not, and asking again would not tell: only reading the file anew does. */
function lost(error: unknown): StoreFailed {
  const { message } = error as Error;
  return new StoreFailed(
    'DISK_LOST',
    `The disk of the cloud service did not keep what was written (${message}): check it, then start the service again.`,
    { cause: error },
  );
}
