/** Carries out whole transactions on a SQLite file in a thread, which starts with the first. */
import { Worker } from 'node:worker_threads';
import type { Log } from '@limpet/dmi';
import { StoreFailed } from './errors.ts';
import { Spoiled } from './sql.ts';
import type { Note } from './sqlite-connection.ts';

/** An error as it crosses. */
export interface Crossed {
  readonly name: string;
  readonly code: string | undefined;
  readonly message: string;
}

/** `spoiled`: it was not the disk. */
export type WriteAnswer =
  | { readonly kept: true }
  | { readonly kept: false; readonly spoiled: boolean; readonly error: Crossed };

export class WriteThread {
  readonly #path: string;
  readonly #log: Log;
  #worker: Worker | undefined;

  constructor(path: string, log: Log) {
    this.#path = path;
    this.#log = log;
  }

  /** One at a time. Resolves when it is on the disk. @throws Spoiled, or the fault of the disk; nothing was kept then */
  async carryOut(notes: readonly Note[]): Promise<void> {
    const worker = (this.#worker ??= this.#start());
    const answer = await new Promise<WriteAnswer>((resolve, reject) => {
      const settle = (act: () => void) => (): void => {
        worker.off('message', told).off('exit', ended);
        act();
      };
      const told = (said: WriteAnswer): void => settle(() => resolve(said))();
      const ended = (): void => settle(() => reject(gone()))();
      worker.on('message', told).on('exit', ended);
      worker.postMessage(notes);
    });
    if (answer.kept) return;
    const error = arrived(answer.error);
    throw answer.spoiled ? new Spoiled(error.message, { cause: error }) : error;
  }

  async close(): Promise<void> {
    await this.#worker?.terminate();
  }

  #start(): Worker {
    const file = new URL('./write-worker.ts', import.meta.url);
    const worker = new Worker(file, { workerData: this.#path });
    // The next transaction starts another.
    worker.on('error', (error) => {
      this.#log.error('the thread that writes has ended', { reason: String(error) });
    });
    worker.on('exit', () => {
      if (this.#worker === worker) this.#worker = undefined;
    });
    return worker;
  }
}

/** Whether the transaction was kept is not known, as after a crash: edges tell again what was not acknowledged. */
function gone(): StoreFailed {
  return new StoreFailed('DISK_IO', 'The thread of the cloud service that writes has ended.');
}

/** The error that it was there. */
function arrived({ name, code, message }: Crossed): Error {
  return Object.assign(new Error(message), { name, ...(code !== undefined && { code }) });
}
