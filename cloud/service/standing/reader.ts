/** One connection's end of a session: waits until there is something to tell. */
import { setImmediate as turn } from 'node:timers/promises';
import type { Clock } from '@limpet/dmi';
import type { ApiError, StandingEvent, StandingReader } from '#protocol/api';
import type { Session } from './session.ts';

export interface ReaderOptions {
  readonly session: Session;
  readonly clock: Pick<Clock, 'monotonic' | 'after'>;
  readonly bookmarkMs: number;
  /** What to tell of an error that ends the session. */
  readonly failure: (error: unknown) => ApiError;
  /** `failed`: the session is of no use any more. */
  readonly closed: (how: 'gone' | 'failed') => void;
}

export class Reader implements StandingReader {
  readonly #options: ReaderOptions;
  #state: 'open' | 'ending' | 'closed' = 'open';
  #bookmarkAt: number;
  #last: StandingEvent | undefined;
  /** Ends the present wait, or looks anew how long it shall be. */
  #wake: (() => void) | undefined;

  constructor(options: ReaderOptions) {
    this.#options = options;
    this.#bookmarkAt = options.clock.monotonic() + options.bookmarkMs;
  }

  async next(): Promise<readonly StandingEvent[] | undefined> {
    const { session, clock, failure } = this.#options;
    try {
      while (this.#state === 'open') {
        if (clock.monotonic() >= this.#bookmarkAt) session.owe();
        const events = session.due() <= clock.monotonic() ? await session.step() : undefined;
        if (events === undefined) await this.#wait();
        else if (events.length > 0) return this.#said(events);
        else await turn();
      }
    } catch (error) {
      this.#end(failure(error));
    }
    return this.#goodbye();
  }

  /** Something may have changed. */
  stir(): void {
    this.#options.session.stir();
    this.#wake?.();
  }

  /** The reader is told why nothing more comes. */
  end(error: ApiError): void {
    this.#end(error);
    this.#wake?.();
  }

  close(): void {
    if (this.#state === 'closed') return;
    const how = this.#state === 'open' ? 'gone' : 'failed';
    this.#state = 'closed';
    this.#wake?.();
    this.#options.closed(how);
  }

  #end(error: ApiError): void {
    if (this.#state !== 'open') return;
    this.#state = 'ending';
    this.#last = { type: 'error', status: error.toStatus() };
  }

  #goodbye(): readonly StandingEvent[] | undefined {
    const last = this.#last;
    this.#last = undefined;
    return last && [last];
  }

  #said(events: readonly StandingEvent[]): readonly StandingEvent[] | undefined {
    const { clock, bookmarkMs } = this.#options;
    if (this.#state !== 'open') return this.#goodbye();
    this.#bookmarkAt = clock.monotonic() + bookmarkMs;
    return events;
  }

  #wait(): Promise<void> {
    const { session, clock } = this.#options;
    return new Promise((resolve) => {
      let cancel: (() => void) | undefined;
      const end = (): void => {
        this.#wake = undefined;
        cancel?.();
        resolve();
      };
      const look = (): void => {
        cancel?.();
        const now = clock.monotonic();
        const at = Math.min(session.due(), this.#bookmarkAt);
        if (at <= now || this.#state !== 'open') end();
        else cancel = clock.after(at - now, end);
      };
      this.#wake = look;
      look();
    });
  }
}
