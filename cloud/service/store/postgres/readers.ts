/** The connections that read: a few, opened when needed, each work in one snapshot. */
import type { Log } from '@limpet/dmi';
import { StoreFailed } from '../errors.ts';
import type { Sql } from '../sql.ts';
import type { Connection } from './connection.ts';
import { Statements } from './statements.ts';

export interface ReadersOptions {
  readonly connect: () => Promise<Connection>;
  readonly max: number;
  /** Works waiting for a connection; beyond it they are refused. */
  readonly maxWaiting: number;
  readonly log: Log;
}

interface Waiting {
  readonly granted: (connection: Connection) => void;
  readonly refused: (error: unknown) => void;
}

export class Readers {
  readonly #options: ReadersOptions;
  readonly #all = new Set<Connection>();
  readonly #idle: Connection[] = [];
  #waiting: Waiting[] = [];
  #opening = 0;
  #closed = false;

  constructor(options: ReadersOptions) {
    this.#options = options;
  }

  /** Connections there are, and works that wait for one. */
  counts(): { readonly open: number; readonly waiting: number } {
    return { open: this.#all.size, waiting: this.#waiting.length };
  }

  async read<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    const connection = await this.#take();
    // Neither BEGIN nor COMMIT is waited for: they travel with the statements.
    let refused: unknown;
    const refuse = (error: unknown): void => {
      refused ??= error;
    };
    connection.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY').catch(refuse);
    const statements = new Statements((text, values) => connection.query(text, values));
    try {
      const value = await work(statements);
      if (refused !== undefined) throw refused;
      return value;
    } finally {
      connection.query('COMMIT').catch(refuse);
      this.#give(connection);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const { refused } of this.#waiting.splice(0)) refused(closed());
    await Promise.all([...this.#all].map((connection) => connection.end()));
  }

  #take(): Promise<Connection> {
    if (this.#closed) return Promise.reject(closed());
    const idle = this.#idle.pop();
    if (idle) return Promise.resolve(idle);
    if (this.#waiting.length >= this.#options.maxWaiting) {
      const message = `More than ${this.#options.maxWaiting} reads wait for the database: try again later.`;
      return Promise.reject(new StoreFailed('STORE_BUSY', message));
    }
    return new Promise((granted, refused) => {
      this.#waiting.push({ granted, refused });
      if (this.#all.size + this.#opening < this.#options.max) void this.#open();
    });
  }

  async #open(): Promise<void> {
    this.#opening++;
    try {
      const connection = await this.#options.connect();
      this.#opening--;
      this.#all.add(connection);
      connection.onLost(() => this.#forget(connection));
      if (this.#closed) await connection.end();
      else this.#give(connection);
    } catch (error) {
      this.#opening--;
      this.#notOpened(error);
    }
  }

  #forget(connection: Connection): void {
    this.#all.delete(connection);
    const place = this.#idle.indexOf(connection);
    if (place !== -1) this.#idle.splice(place, 1);
  }

  /** With another connection at work those who wait get their turn; without any they would wait for ever. */
  #notOpened(error: unknown): void {
    this.#options.log.warn('database connection not opened', { reason: String(error) });
    if (this.#all.size + this.#opening > 0) return;
    for (const { refused } of this.#waiting.splice(0)) refused(error);
  }

  #give(connection: Connection): void {
    if (!connection.usable) {
      if (this.#waiting.length > 0 && this.#all.size + this.#opening < this.#options.max)
        void this.#open();
      return;
    }
    const next = this.#waiting.shift();
    if (next) next.granted(connection);
    else this.#idle.push(connection);
  }
}

function closed(): StoreFailed {
  return new StoreFailed('STORE_CLOSED', 'The cloud service is stopping.');
}
