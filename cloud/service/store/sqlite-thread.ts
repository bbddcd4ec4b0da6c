/** The thread that writes, from here: statements go to it in order, and each waits for its answer. */
import { Worker } from 'node:worker_threads';
import { StoreFailed, StoreUnusable } from './errors.ts';
import type { Row, SqlValue, Table, Writer } from './sql.ts';
import type { Writing } from './sqlite.ts';

type Operation =
  | { readonly op: 'all' | 'run'; readonly text: string; readonly values: readonly SqlValue[] }
  | { readonly op: 'put'; readonly table: Table; readonly rows: readonly Row[] }
  | {
      readonly op: 'find';
      readonly table: Table;
      readonly keys: readonly (readonly SqlValue[])[];
    }
  | { readonly op: 'begin' | 'commit' | 'rollback' | 'savepoint' | 'release' | 'back' | 'close' };

/** `id` 0: nobody waits for the answer. */
export type Asked = Operation & { readonly id: number };

/** An error as it crosses. */
export interface Crossed {
  readonly name: string;
  readonly code: string | undefined;
  readonly message: string;
}

export type Answered =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: Crossed };

/** What the thread says first. */
export type Started = { readonly open: true } | { readonly open: false; readonly error: Crossed };

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** @throws StoreUnusable saying what to do. */
export async function startWriter(path: string): Promise<Writing> {
  const worker = new Worker(new URL('./sqlite-worker.ts', import.meta.url), { workerData: path });
  const started = await new Promise<Started>((resolve, reject) => {
    worker.once('message', resolve).once('error', reject);
  });
  if (!started.open) throw arrived(started.error);
  const writer = new RemoteWriter(worker);
  return { writer, close: () => writer.close() };
}

class RemoteWriter implements Writer {
  readonly dialect = 'sqlite';
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  /** Goes with the next operation that somebody waits for: each message costs more than what it asks for. */
  #told: Asked[] = [];
  #last = 0;
  #gone: Error | undefined;

  constructor(worker: Worker) {
    this.#worker = worker;
    worker.on('message', (answer: Answered) => this.#answered(answer));
    worker.on('error', (error) => this.#ended(error));
    worker.on('exit', () => this.#ended(new Error('the thread that writes has ended')));
  }

  all<R>(text: string, ...values: readonly SqlValue[]): Promise<readonly R[]> {
    return this.#say({ op: 'all', text, values });
  }

  run(text: string, ...values: readonly SqlValue[]): Promise<number> {
    return this.#say({ op: 'run', text, values });
  }

  async put<R extends Row>(table: Table<R>, rows: readonly R[]): Promise<void> {
    if (rows.length > 0) await this.#say({ op: 'put', table: table as unknown as Table, rows });
  }

  async find<R extends Row>(
    table: Table<R>,
    keys: readonly (readonly SqlValue[])[],
  ): Promise<readonly R[]> {
    if (keys.length === 0) return [];
    return this.#say({ op: 'find', table: table as unknown as Table, keys });
  }

  // Nobody waits for these: if one fails, so does whatever comes next, until the rollback.
  begin = (): Promise<void> => this.#tell('begin');
  savepoint = (): Promise<void> => this.#tell('savepoint');
  release = (): Promise<void> => this.#tell('release');
  back = (): Promise<void> => this.#tell('back');

  commit = (): Promise<void> => this.#say({ op: 'commit' });
  rollback = (): Promise<void> => this.#say({ op: 'rollback' });

  async close(): Promise<void> {
    if (this.#gone) return;
    await this.#say({ op: 'close' });
    await this.#worker.terminate();
  }

  #tell(op: 'begin' | 'savepoint' | 'release' | 'back'): Promise<void> {
    if (this.#gone) return Promise.reject(this.#gone);
    this.#told.push({ id: 0, op });
    return Promise.resolve();
  }

  #say<T>(operation: Operation): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#gone) {
        reject(this.#gone);
        return;
      }
      const id = ++this.#last;
      this.#waiting.set(id, { resolve: resolve as Waiting['resolve'], reject });
      this.#worker.postMessage([...this.#told, { id, ...operation }]);
      this.#told = [];
    });
  }

  #answered(answer: Answered): void {
    const waiting = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    if ('error' in answer) waiting?.reject(arrived(answer.error));
    else waiting?.resolve(answer.value);
  }

  /** A fault of this program: everything is refused from here on, and the log says why. */
  #ended(cause: Error): void {
    this.#gone ??= new StoreFailed(
      'DISK_IO',
      `The thread that writes has ended (${cause.message}): restart the service.`,
      { cause },
    );
    for (const { reject } of this.#waiting.values()) reject(this.#gone);
    this.#waiting.clear();
  }
}

/** The error that it was there. */
function arrived({ name, code, message }: Crossed): Error {
  if (name === 'StoreUnusable') return new StoreUnusable(code as StoreUnusable['code'], message);
  return Object.assign(new Error(message), { name, ...(code !== undefined && { code }) });
}
