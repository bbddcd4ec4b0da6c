/**
 * The connection that writes. It holds the database's lock, so that whoever may write is the one who does; when it is
 * lost everything in flight fails, and it is made anew until it holds the lock again. Nothing waits meanwhile.
 */
import type { Clock, Log } from '@limpet/dmi';
import { StoreFailed, StoreUnusable } from '../errors.ts';
import type { Row, SqlValue, Table, Writer } from '../sql.ts';
import type { Answer, Connection } from './connection.ts';
import { Statements } from './statements.ts';
import { ConnectionLost, refusalOf } from './trouble.ts';

export interface WriterOptions {
  /** Connects, takes the lock, and makes sure that nobody else wrote meanwhile. */
  readonly connect: () => Promise<Connection>;
  /** For messages. */
  readonly where: string;
  readonly log: Log;
  readonly clock: Pick<Clock, 'monotonic' | 'sleep'>;
  readonly random: () => number;
  /** Another service owns the tables now. */
  readonly lost: (failure: StoreFailed) => void;
  /** The connection was made anew. */
  readonly back?: (() => void) | undefined;
}

interface Open {
  readonly connection: Connection;
  /** What failed since the last savepoint: PostgreSQL does nothing more until it is rolled back to. */
  spoiled: Error | undefined;
  /** Rows on their way: nobody waits for them before the work is over. */
  readonly putting: Promise<void>[];
}

const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 5000;

export class PostgresWriter extends Statements implements Writer {
  readonly #options: WriterOptions;
  readonly #stop = new AbortController();
  #connection: Connection;
  /** Why nothing can be written. */
  #away: StoreFailed | undefined;
  #transaction: Open | undefined;
  #reconnecting: Promise<void> = Promise.resolve();
  #reconnects = 0;

  constructor(connection: Connection, options: WriterOptions) {
    super((text, values) => this.#run(text, values));
    this.#options = options;
    this.#connection = connection;
    this.#watch(connection);
  }

  /** How often the connection was made anew. */
  get reconnects(): number {
    return this.#reconnects;
  }

  async begin(): Promise<void> {
    if (this.#away) throw this.#away;
    const open: Open = { connection: this.#connection, spoiled: undefined, putting: [] };
    this.#transaction = open;
    this.#send(open, 'BEGIN');
  }

  async commit(): Promise<void> {
    const open = this.#open();
    if (open.spoiled) throw open.spoiled;
    const { command } = await this.#asked(open, 'COMMIT');
    this.#transaction = undefined;
    // Where a statement failed and nobody went back, PostgreSQL rolls back and calls that a success.
    if (command !== 'COMMIT') {
      const { where } = this.#options;
      throw new StoreFailed('STORE_BUSY', `${where} rolled a transaction back: try again.`);
    }
  }

  async rollback(): Promise<void> {
    const open = this.#transaction;
    this.#transaction = undefined;
    if (!open?.connection.usable) return;
    try {
      await open.connection.query('ROLLBACK');
    } catch {
      // In which state it is nobody knows: with its end the server rolls back.
      open.connection.abandon('a transaction could not be rolled back');
    }
  }

  async savepoint(): Promise<void> {
    this.#send(this.#open(), 'SAVEPOINT work');
  }

  /** Only sent: what follows sees it, and a failure is the work's when that is released. So it costs no round trip. */
  override async put<R extends Row>(table: Table<R>, rows: readonly R[]): Promise<void> {
    const put = super.put(table, rows);
    if (!this.#transaction) return put;
    this.#transaction.putting.push(put.catch(() => undefined));
  }

  async release(): Promise<void> {
    const open = this.#open();
    await Promise.all(open.putting.splice(0));
    if (open.spoiled) throw open.spoiled;
    this.#send(open, 'RELEASE work');
  }

  async back(): Promise<void> {
    const open = this.#open();
    // Or a refusal on its way would spoil what comes next.
    await Promise.all(open.putting.splice(0));
    const { spoiled } = open;
    if (spoiled && this.refusal(spoiled)) throw spoiled;
    open.spoiled = undefined;
    await this.#asked(open, 'ROLLBACK TO work');
  }

  refusal(error: unknown): StoreFailed | undefined {
    return refusalOf(error, this.#options.where);
  }

  /** Resolves when the database has it all and knows that we are gone. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#reconnecting;
    await this.#connection.end();
  }

  #open(): Open {
    if (!this.#transaction) throw new ConnectionLost('no transaction is open');
    return this.#transaction;
  }

  /** Its answer is only looked at when it is no success: what follows, and at last COMMIT, fails with it. */
  #send(open: Open, text: string): void {
    this.#asked(open, text).catch(() => undefined);
  }

  async #asked<R>(open: Open, text: string, values?: readonly SqlValue[]): Promise<Answer<R>> {
    try {
      return await open.connection.query<R>(text, values);
    } catch (error) {
      open.spoiled ??= error instanceof Error ? error : new Error(String(error));
      // The first failure tells more than those that follow from it.
      throw open.spoiled;
    }
  }

  #run<R>(text: string, values: readonly SqlValue[]): Promise<Answer<R>> {
    if (this.#transaction) return this.#asked(this.#transaction, text, values);
    return this.#away ? Promise.reject(this.#away) : this.#connection.query(text, values);
  }

  #watch(connection: Connection): void {
    connection.onLost((error) => {
      const { log, where } = this.#options;
      this.#away = refusalOf(new ConnectionLost(error.message, { cause: error }), where);
      log.error('database lost', { store: where, reason: error.message });
      this.#reconnecting = this.#reconnect();
    });
  }

  async #reconnect(): Promise<void> {
    const { log, where, clock, random } = this.#options;
    const since = clock.monotonic();
    const { signal } = this.#stop;
    let ceiling = FIRST_DELAY_MS;
    for (let attempts = 1; !signal.aborted; attempts++) {
      try {
        await clock.sleep(ceiling / 2 + (random() * ceiling) / 2, signal);
        const connection = await this.#options.connect();
        this.#connection = connection;
        this.#away = undefined;
        this.#reconnects++;
        log.info('database back', {
          store: where,
          attempts,
          awayMs: Math.round(clock.monotonic() - since),
        });
        this.#watch(connection);
        if (connection.usable) this.#options.back?.();
        return;
      } catch (error) {
        if (signal.aborted) return;
        if (this.#ended(error)) return;
      }
      ceiling = Math.min(ceiling * 2, LONGEST_DELAY_MS);
    }
  }

  /** Keeps the reason for those who write; says whether trying again is pointless. */
  #ended(error: unknown): boolean {
    const { log, where } = this.#options;
    const message = error instanceof Error ? error.message : String(error);
    const taken = error instanceof StoreUnusable && error.code === 'STORE_TAKEN';
    const failure = taken
      ? new StoreFailed('STORE_TAKEN', message, { cause: error })
      : (this.refusal(error) ?? new StoreFailed('STORE_AWAY', message, { cause: error }));
    if (failure.code !== this.#away?.code) {
      log[taken ? 'error' : 'warn']('database not back', {
        store: where,
        code: failure.code,
        reason: message,
      });
    }
    this.#away = failure;
    if (taken) this.#options.lost(failure);
    return taken;
  }
}
