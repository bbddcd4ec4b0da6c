/** Where queries run: processes beside SQLite, or the service's own connections to PostgreSQL. */
import { type ChildProcess, fork } from 'node:child_process';
import type { QueryRequest } from '#protocol/query';
import { StoreFailed } from '../store/errors.ts';
import type { Engine } from '../store/sql.ts';
import { QueryEngine } from './engine.ts';
import { type Said, saidOf, type Start } from './query-process.ts';

/** Runs one query at a time. */
export interface Worker {
  /** Gets ready, so that the first query need not wait for that. */
  start(): void;
  /** Rejects with the signal's reason once that aborts. */
  ask(request: QueryRequest, signal: AbortSignal): Promise<Said>;
  /** Resolves when nothing of what it was asked goes on: then it may be asked again. */
  rest(): Promise<unknown>;
  close(): void;
}

/** A process of its own; started when it is needed, and again after one that had to be stopped. */
export class ProcessWorker implements Worker {
  readonly #with: Start;
  #child: ChildProcess | undefined;

  constructor(start: Start) {
    this.#with = start;
  }

  start(): void {
    this.#running();
  }

  ask(request: QueryRequest, signal: AbortSignal): Promise<Said> {
    if (signal.aborted) return Promise.reject(signal.reason as Error);
    const child = this.#running();
    return new Promise((resolve, reject) => {
      const end = (settle: () => void): void => {
        child.off('message', said).off('exit', gone);
        signal.removeEventListener('abort', stop);
        settle();
      };
      const said = (message: Said): void => end(() => resolve(message));
      const gone = (): void => end(() => reject(new Error('the process of the query ended')));
      const stop = (): void => {
        this.#end(child);
        end(() => reject(signal.reason as Error));
      };
      child.on('message', said).on('exit', gone);
      signal.addEventListener('abort', stop);
      child.send(request);
    });
  }

  /** What was stopped ended with its process. */
  rest(): Promise<unknown> {
    return Promise.resolve();
  }

  close(): void {
    if (this.#child) this.#end(this.#child);
  }

  #running(): ChildProcess {
    if (this.#child?.connected === true) return this.#child;
    const child = fork(new URL('query-process.ts', import.meta.url), [], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    // Whoever waits for an answer is told by 'exit'.
    child.on('error', () => this.#end(child)).on('exit', () => this.#end(child));
    child.unref();
    child.channel?.unref();
    child.send(this.#with);
    this.#child = child;
    return child;
  }

  #end(child: ChildProcess): void {
    child.kill('SIGKILL');
    if (this.#child === child) this.#child = undefined;
  }
}

/** PostgreSQL does the work elsewhere. What nobody waits for goes on there, until `statement_timeout` stops it. */
export class EngineWorker implements Worker {
  readonly #engine: QueryEngine;
  #work: Promise<unknown> = Promise.resolve();

  constructor(read: Engine['read'], limits: Omit<Start, 'path'>) {
    this.#engine = new QueryEngine({
      read,
      ...limits,
      now: () => Date.now(),
      monotonic: () => performance.now(),
    });
  }

  /** Its connections are there. */
  start(): void {}

  async ask(request: QueryRequest, signal: AbortSignal): Promise<Said> {
    signal.throwIfAborted();
    const work = this.#engine.answer(request).then(
      (answered): Said => ({ kind: 'answered', answered }),
      (error: unknown) => {
        if (error instanceof StoreFailed) throw error;
        return saidOf(error, request);
      },
    );
    this.#work = work.catch(() => undefined);
    return Promise.race([work, aborted(signal)]);
  }

  rest(): Promise<unknown> {
    return this.#work;
  }

  close(): void {}
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
}
