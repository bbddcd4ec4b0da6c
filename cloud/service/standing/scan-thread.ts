/** Looks at all rows of a SQLite file in a thread of their own, so that nobody else waits for them. */
import { Worker } from 'node:worker_threads';
import type { Sql, SqlValue } from '../store/sql.ts';

/** What may be asked of all rows: committed state, as of a moment per statement. */
export type Asks = Pick<Sql, 'dialect' | 'all'>;

export interface ScanAsked {
  readonly id: number;
  readonly text: string;
  readonly values: readonly SqlValue[];
}

export type ScanAnswer =
  | { readonly id: number; readonly rows: readonly unknown[] }
  | { readonly id: number; readonly fault: string };

interface Waiting {
  readonly resolve: (rows: readonly unknown[]) => void;
  readonly reject: (error: Error) => void;
}

/** Starts with the first statement. */
export class ScanThread implements Asks {
  readonly dialect = 'sqlite';
  readonly #path: string;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | undefined;
  #last = 0;
  #closed = false;

  constructor(path: string) {
    this.#path = path;
  }

  all<R>(text: string, ...values: readonly SqlValue[]): Promise<readonly R[]> {
    return new Promise((resolve, reject) => {
      if (this.#closed) {
        reject(new Error('the service is stopping'));
        return;
      }
      const asked: ScanAsked = { id: ++this.#last, text, values };
      this.#waiting.set(asked.id, { resolve: resolve as Waiting['resolve'], reject });
      this.#worker ??= this.#start();
      this.#worker.postMessage(asked);
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#worker?.terminate();
  }

  #start(): Worker {
    const worker = new Worker(new URL('./scan-worker.ts', import.meta.url), {
      workerData: this.#path,
    });
    worker.on('message', (answer: ScanAnswer) => this.#answered(answer));
    // The next statement starts another.
    const ended = (error: Error): void => {
      if (this.#worker === worker) this.#worker = undefined;
      for (const { reject } of this.#waiting.values()) reject(error);
      this.#waiting.clear();
    };
    worker.on('error', ended);
    worker.on('exit', () => ended(new Error('the thread that looks at all rows has ended')));
    worker.unref();
    return worker;
  }

  #answered(answer: ScanAnswer): void {
    const waiting = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    if ('fault' in answer) waiting?.reject(new Error(answer.fault));
    else waiting?.resolve(answer.rows);
  }
}
