/** All standing queries of the service: who reads, who may come back, and what they may take together. */
import type { Clock } from '@limpet/dmi';
import { ApiError, type StandingAsked, type StandingReader } from '#protocol/api';
import { type Cursor, readCursor } from './cursor.ts';
import { takenOver, tooManyReaders } from './errors.ts';
import { STANDING_LIMITS, type StandingLimits } from './limits.ts';
import { parseStanding } from './plan.ts';
import { Reader } from './reader.ts';
import type { StandingReads } from './reads.ts';
import { Session } from './session.ts';
import type { StandingTally } from './teller.ts';

export interface StandingsOptions {
  readonly reads: StandingReads;
  readonly clock: Pick<Clock, 'now' | 'monotonic' | 'after'>;
  /** Tells of each commit. Returns the way to stop. */
  readonly onChange: (listener: () => void) => () => void;
  /** What to tell of an error: of the query, of the store, or a bug. */
  readonly failure: (error: unknown, query: string) => ApiError;
  readonly limits?: Partial<StandingLimits>;
  /** Lets go of what reads, once nobody does any more. */
  readonly closed?: () => Promise<void>;
}

/** `remembered`: without a reader. `refused`: for want of room. */
export interface StandingCounts extends Readonly<StandingTally> {
  readonly open: number;
  readonly remembered: number;
  readonly refused: number;
}

interface Remembered {
  readonly session: Session;
  readonly until: number;
}

export class Standings {
  readonly #options: StandingsOptions;
  readonly #limits: StandingLimits;
  readonly #readers = new Map<Session, Reader>();
  /** By id, the first to go first. */
  readonly #remembered = new Map<string, Remembered>();
  readonly #tally: StandingTally = { rows: 0, events: 0, resets: 0, looks: 0, scans: 0 };
  readonly #stop: () => void;
  #refused = 0;
  #closed = false;

  constructor(options: StandingsOptions) {
    this.#options = options;
    this.#limits = { ...STANDING_LIMITS, ...options.limits };
    this.#stop = options.onChange(() => {
      for (const reader of this.#readers.values()) reader.stir();
    });
  }

  counts(): StandingCounts {
    return {
      ...this.#tally,
      open: this.#readers.size,
      remembered: this.#remembered.size,
      refused: this.#refused,
    };
  }

  /** @throws ApiError BadRequest, TooManyRequests, ServiceUnavailable */
  async stand({ query, cursor }: StandingAsked): Promise<StandingReader> {
    this.#forgetOld();
    const at = cursor === undefined ? undefined : readCursor(cursor, query);
    const session = (at && (await this.#known(at))) ?? (await this.#opened(query, at));
    this.#admit();
    const { clock, failure } = this.#options;
    const reader: Reader = new Reader({
      session,
      clock,
      bookmarkMs: this.#limits.bookmarkMs,
      failure: (error) => failure(error, query),
      closed: (how) => this.#left(session, reader, how),
    });
    this.#readers.set(session, reader);
    return reader;
  }

  /** Tells all readers that the service stops; resolves when none reads the store any more. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#stop();
    for (const reader of this.#readers.values()) {
      reader.end(new ApiError('ServiceUnavailable', 'the service is stopping'));
    }
    const remembered = [...this.#remembered.values()].map(({ session }) => session);
    await Promise.all([...this.#readers.keys(), ...remembered].map((session) => session.idle()));
    await this.#options.closed?.();
  }

  /** The session that this cursor is of: it goes on. */
  async #known(at: Cursor): Promise<Session | undefined> {
    const remembered = this.#remembered.get(at.session)?.session;
    this.#remembered.delete(at.session);
    const session = remembered ?? this.#taken(at.session);
    await session?.resume(at);
    return session;
  }

  /** Of a connection whose end has not been noticed yet. */
  #taken(id: string): Session | undefined {
    for (const [session, reader] of this.#readers) {
      if (session.id !== id) continue;
      this.#readers.delete(session);
      reader.end(takenOver());
      return session;
    }
    return undefined;
  }

  async #opened(query: string, cursor: Cursor | undefined): Promise<Session> {
    const { clock, reads, failure } = this.#options;
    try {
      const session = new Session(
        { query, tree: parseStanding(query), cursor },
        {
          reads,
          limits: this.#limits,
          tally: this.#tally,
          now: () => clock.now(),
          monotonic: () => clock.monotonic(),
          makeRoom: () => this.#forgetAll(),
        },
      );
      await session.open();
      return session;
    } catch (error) {
      throw failure(error, query);
    }
  }

  #admit(): void {
    if (this.#closed) throw new ApiError('ServiceUnavailable', 'the service is stopping');
    if (this.#readers.size < this.#limits.open) return;
    this.#refused += 1;
    throw tooManyReaders(this.#limits.open);
  }

  #left(session: Session, reader: Reader, how: 'gone' | 'failed'): void {
    // Another reader may have taken it over.
    if (this.#readers.get(session) !== reader) return;
    this.#readers.delete(session);
    if (how === 'failed') {
      session.end();
      return;
    }
    const until = this.#options.clock.monotonic() + this.#limits.rememberMs;
    this.#remembered.set(session.id, { session, until });
    this.#forgetOld();
  }

  #forgetOld(): void {
    const now = this.#options.clock.monotonic();
    for (const [id, { session, until }] of this.#remembered) {
      if (until > now && this.#remembered.size <= this.#limits.remembered) return;
      this.#remembered.delete(id);
      session.end();
    }
  }

  #forgetAll(): void {
    for (const { session } of this.#remembered.values()) session.end();
    this.#remembered.clear();
  }
}
