/**
 * Copies the log of a SQLite file into the database in a thread, while others write; what they wrote meanwhile is copied
 * between two transactions, so that the log begins anew instead of growing.
 */
import { Worker } from 'node:worker_threads';
import type { Log } from '@limpet/dmi';
import type { Database } from 'better-sqlite3';

/** Pages of the log, 4 KiB each. */
const LOG_PAGES = 16_000;
/** Asking how long the log is takes as long as looking up a hundred rows. */
const ASKED_MS = 50;
/** Whoever reads for long keeps the log from beginning anew: it is not tried again before it has grown by this. */
const MORE_PAGES = 4_000;

export class Checkpoints {
  readonly #db: Database;
  readonly #path: string;
  readonly #log: Log;
  #worker: Worker | undefined;
  #state: 'none' | 'copying' | 'copied' = 'none';
  #from = LOG_PAGES;
  #askedAt = -Infinity;

  constructor(db: Database, path: string, log: Log) {
    this.#db = db;
    this.#path = path;
    this.#log = log;
  }

  /** Before a transaction. */
  async before(): Promise<void> {
    if (this.#state === 'copying' || performance.now() - this.#askedAt < ASKED_MS) return;
    this.#askedAt = performance.now();
    const pages = this.#pages();
    if (pages < this.#from) {
      if (pages < LOG_PAGES) this.#from = LOG_PAGES;
      return;
    }
    if (this.#state === 'none') {
      this.#state = 'copying';
      void this.#copy().then(() => (this.#state = 'copied'));
      return;
    }
    await this.#copy();
    this.#state = 'none';
    this.#from = pages + MORE_PAGES;
  }

  async close(): Promise<void> {
    await this.#worker?.terminate();
  }

  #pages(): number {
    const [{ log }] = this.#db.pragma('wal_checkpoint(NOOP)') as [{ readonly log: number }];
    return log;
  }

  /** Where that goes wrong the log grows, until it is so long that whoever writes copies it. */
  #copy(): Promise<void> {
    const worker = (this.#worker ??= this.#start());
    return new Promise((resolve) => {
      const done = (): void => {
        worker.off('message', done).off('exit', done);
        resolve();
      };
      worker.on('message', done).on('exit', done).postMessage('copy');
    });
  }

  #start(): Worker {
    const file = new URL('./checkpoint-worker.ts', import.meta.url);
    const worker = new Worker(file, { workerData: this.#path });
    const ended = (): void => {
      if (this.#worker === worker) this.#worker = undefined;
    };
    worker.on('error', (error) => {
      this.#log.warn('the log of the database was not copied', { reason: String(error) });
      ended();
    });
    worker.on('exit', ended).unref();
    return worker;
  }
}
