/** The queries of users: how many at once and for how long, what they wait for, and which were slow. */
import type { Clock, Log } from '@limpet/dmi';
import { API_VERSION } from '@limpet/dmi/manifest';
import {
  ApiError,
  type Backend,
  type QueryAnswer,
  type QueryAsked,
  type SlowQueries,
  tooManyRequests,
} from '#protocol/api';
import type { QueryFault, QueryRequest } from '#protocol/query';
import { rolloutAsked } from '../rollout/asked.ts';
import type { Said } from './query-process.ts';
import { QUERY_SETTINGS, type QuerySettings } from './settings.ts';
import type { Worker } from './workers.ts';

export interface QueriesOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly worker: (settings: QuerySettings) => Worker;
  /** The version that every reader sees by now, and a way to hear of the next. */
  readonly version: () => number;
  readonly onChange: (listener: () => void) => () => void;
  /** Resolves when the disk has everything that readers can see by now. */
  readonly durable: () => Promise<void>;
  /** Answers at once what takes next to nothing; undefined: that is for a worker. */
  readonly quick?: (request: QueryRequest) => Promise<Said | undefined>;
  readonly settings?: Partial<QuerySettings>;
}

/** A write of another moment than these is not one of this service. */
const AFTER_MS = 5_000;
const CLIPPED = 2_000;

class Stopped extends Error {}
class TooSlow extends Stopped {}

/** `turned_away`: for want of room. `stopped`: for want of time, or of anybody who still wanted to know. */
type End = 'answered' | 'refused' | 'failed' | 'stopped' | 'turned_away';

export interface QueryCounts {
  readonly running: number;
  readonly waiting: number;
  /** Since the start. */
  readonly ended: Readonly<Record<End, number>>;
  readonly slow: number;
}

export class Queries {
  readonly #options: QueriesOptions;
  readonly #settings: QuerySettings;
  readonly #idle: Worker[] = [];
  readonly #workers: Worker[] = [];
  readonly #waiting: ((worker: Worker) => void)[] = [];
  readonly #slow: SlowQueries['items'][number][] = [];
  readonly #ended = { answered: 0, refused: 0, failed: 0, stopped: 0, turned_away: 0 };
  #slowOnes = 0;

  constructor(options: QueriesOptions) {
    this.#options = options;
    this.#settings = { ...QUERY_SETTINGS, ...options.settings };
  }

  /** @throws ApiError BadRequest, TooManyRequests, Timeout, ServiceUnavailable */
  async answer(asked: QueryAsked, gone: AbortSignal): Promise<QueryAnswer> {
    const { clock } = this.#options;
    if (asked.after !== undefined) await this.#reached(asked.after, gone);
    const { query, continue: token } = asked;
    const request = { query, ...(token !== undefined && { continue: token }) };
    const quick = await this.#quickly(asked, request);
    if (quick !== undefined) return quick;
    const worker = await this.#worker(gone);
    const stop = new AbortController();
    const left = (): void => stop.abort(new Stopped('the client has gone'));
    gone.addEventListener('abort', left, { once: true });
    if (gone.aborted) left();
    const timer = clock.after(this.#settings.longestMs, () => {
      stop.abort(new TooSlow(`it ran for longer than ${this.#settings.longestMs} ms`));
    });
    const began = clock.monotonic();
    try {
      const said = await worker.ask(request, stop.signal);
      await this.#options.durable();
      return this.#told(asked, said);
    } catch (error) {
      throw this.#failed(asked, error, clock.monotonic() - began);
    } finally {
      timer();
      gone.removeEventListener('abort', left);
      void worker.rest().then(() => this.#free(worker));
    }
  }

  async #quickly(asked: QueryAsked, request: QueryRequest): Promise<QueryAnswer | undefined> {
    try {
      const said = await this.#options.quick?.(request);
      if (said === undefined) return undefined;
      await this.#options.durable();
      return this.#told(asked, said);
    } catch (error) {
      throw this.#failed(asked, error, 0);
    }
  }

  counts(): QueryCounts {
    const running = this.#workers.length - this.#idle.length;
    const waiting = this.#waiting.length;
    return { running, waiting, ended: this.#ended, slow: this.#slowOnes };
  }

  /** Newest first. */
  slow(): SlowQueries {
    const { slowMs: thresholdMs } = this.#settings;
    return {
      apiVersion: API_VERSION,
      kind: 'SlowQueryList',
      thresholdMs,
      items: this.#slow.toReversed(),
    };
  }

  async close(): Promise<void> {
    for (const worker of this.#workers) worker.close();
  }

  #told({ query }: QueryAsked, said: Said): QueryAnswer {
    if (said.kind === 'bug') throw new Error(said.message);
    this.#ended[said.kind] += 1;
    if (said.kind === 'refused') throw refusal(said.fault);
    const { answer, plan, tookMs } = said.answered;
    if (plan !== undefined && answer.kind === 'QueryResult') {
      this.#record({ query, tookMs, plan, outcome: 'answered', rows: answer.rows.length });
    }
    return answer;
  }

  #failed({ query }: QueryAsked, error: unknown, tookMs: number): unknown {
    if (error instanceof ApiError) return error;
    if (!(error instanceof Stopped)) {
      this.#ended.failed += 1;
      return error;
    }
    this.#ended.stopped += 1;
    const slow = error instanceof TooSlow || tookMs >= this.#settings.slowMs;
    if (slow) this.#record({ query, tookMs, plan: [], outcome: error.message });
    const message = `the query was stopped: ${error.message}; EXPLAIN tells what it reads`;
    const causes = [{ field: 'query', reason: 'QUERY_TOO_SLOW', message }];
    return new ApiError('Timeout', message, { causes });
  }

  #record(slow: Omit<SlowQueries['items'][number], 'at'>): void {
    const { clock, log } = this.#options;
    const { tookMs, query } = slow;
    if (this.#slow.length >= this.#settings.slowKept) this.#slow.shift();
    const at = new Date(clock.now()).toISOString();
    this.#slowOnes += 1;
    this.#slow.push({ ...slow, at, tookMs: Math.round(tookMs), query: query.slice(0, CLIPPED) });
    log.info('slow query', { ms: Math.round(tookMs), outcome: slow.outcome });
  }

  /** A free worker, or the next one that gets free. @throws ApiError TooManyRequests */
  #worker(gone: AbortSignal): Promise<Worker> {
    const { running, waiting } = this.#settings;
    if (this.#workers.length === 0) this.#begin();
    const idle = this.#idle.pop();
    if (idle) return Promise.resolve(idle);
    if (gone.aborted) return Promise.reject(leftEarly());
    if (this.#waiting.length >= waiting) {
      this.#ended.turned_away += 1;
      throw tooManyRequests(`${running} queries run and ${waiting} wait; try again`, 1);
    }
    return new Promise((resolve, reject) => {
      const turn = (worker: Worker): void => {
        gone.removeEventListener('abort', left);
        resolve(worker);
      };
      // At once: its place is for somebody who still waits.
      const left = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(turn), 1);
        this.#ended.stopped += 1;
        reject(leftEarly());
      };
      this.#waiting.push(turn);
      gone.addEventListener('abort', left, { once: true });
    });
  }

  /** All at once: one that starts takes a processor for half a second, and the first query waits for one anyway. */
  #begin(): void {
    for (let i = 0; i < this.#settings.running; i++) {
      const worker = this.#options.worker(this.#settings);
      worker.start();
      this.#workers.push(worker);
      this.#idle.push(worker);
    }
  }

  #free(worker: Worker): void {
    const next = this.#waiting.shift();
    if (next) next(worker);
    else this.#idle.push(worker);
  }

  /** Readers see a write when it is committed, and that is told. */
  #reached(after: number, gone: AbortSignal): Promise<void> {
    const { version, onChange, clock } = this.#options;
    if (version() >= after) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const end = (settle: () => void): void => {
        forget();
        timer();
        gone.removeEventListener('abort', left);
        settle();
      };
      const forget = onChange(() => {
        if (version() >= after) end(resolve);
      });
      const message = `version ${after} has not come: after takes the resourceVersion of a write to this service`;
      const timer = clock.after(AFTER_MS, () =>
        end(() => reject(new ApiError('Timeout', message))),
      );
      const left = (): void => end(() => reject(gone.reason as Error));
      gone.addEventListener('abort', left, { once: true });
    });
  }
}

/** Nobody reads it: it was not begun, so it is no slow query. */
function leftEarly(): ApiError {
  return new ApiError('Timeout', 'the query was not begun: the client has gone');
}

function refusal(fault: QueryFault): ApiError {
  return new ApiError('BadRequest', `query: ${fault.message}`, {
    causes: [{ field: 'query', ...fault }],
  });
}

/** The backend, answering queries too. */
export function answering(backend: Backend, queries: Queries): Backend {
  return Object.assign(backend, {
    query: async (asked: QueryAsked, signal: AbortSignal) => {
      return (await rolloutAsked(backend, asked)) ?? (await queries.answer(asked, signal));
    },
    slowQueries: () => queries.slow(),
  });
}
