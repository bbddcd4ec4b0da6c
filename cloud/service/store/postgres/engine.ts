/** The store's engine on PostgreSQL. */
import { randomBytes, randomUUID } from 'node:crypto';
import type { Clock, Log } from '@limpet/dmi';
import type { StoreFailed } from '../errors.ts';
import type { Engine, Sql } from '../sql.ts';
import type { Connection } from './connection.ts';
import { own, stillOwned, type Tables } from './edition.ts';
import { takeLock } from './lock.ts';
import { Readers } from './readers.ts';
import {
  check,
  LIMITS,
  type Limits,
  openReading,
  openWriting,
  type SessionOptions,
  warnOfRisks,
} from './session.ts';
import type { Target } from './target.ts';
import { refusalOf, unusableBy } from './trouble.ts';
import { PostgresWriter } from './writer.ts';

export interface PostgresOptions {
  readonly target: Target;
  readonly tables: Tables;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits?: Limits;
  /** Somebody else has taken the database. */
  readonly lost: (failure: StoreFailed) => void;
  /** A lost connection was made anew, and may write. */
  readonly back?: (() => void) | undefined;
}

interface PostgresCounts {
  /** Connections that read, and works that wait for one. */
  readonly readers: number;
  readonly waiting: number;
  /** How often the connection that writes was made anew. */
  readonly reconnects: number;
}

export interface PostgresEngine extends Engine {
  counts(): PostgresCounts;
}

/** Beside the one that writes. */
const MAX_READERS = 4;
const MAX_WAITING = 10_000;

/** @throws StoreUnusable saying what to do. */
export async function openPostgres(options: PostgresOptions): Promise<PostgresEngine> {
  const { target, tables, clock, log, limits = LIMITS, lost, back } = options;
  const session = { target, clock, limits, name: `limpet cloud ${randomBytes(4).toString('hex')}` };
  const owner = randomUUID();
  try {
    const first = await openLocked(session, async (connection) => {
      await warnOfRisks(connection, target, log);
      await own(connection, target, { tables, owner });
    });
    const writer = new PostgresWriter(first, {
      connect: () => openLocked(session, (connection) => stillOwned(connection, target, owner)),
      where: target.shown,
      log,
      clock,
      random: Math.random,
      lost,
      back,
    });
    const connect = (): Promise<Connection> => openReading(session);
    const readers = new Readers({ connect, max: MAX_READERS, maxWaiting: MAX_WAITING, log });
    return engineOf(writer, readers, target);
  } catch (error) {
    throw unusableBy(error, target);
  }
}

function engineOf(writer: PostgresWriter, readers: Readers, { shown }: Target): PostgresEngine {
  return {
    writer,
    read: <T>(work: (sql: Sql) => Promise<T>) => readers.read(work),
    durable: () => Promise.resolve(),
    refusal: (error) => refusalOf(error, shown),
    counts: () => {
      const { open, waiting } = readers.counts();
      return { readers: open, waiting, reconnects: writer.reconnects };
    },
    close: async () => {
      await readers.close();
      await writer.close();
    },
  };
}

/** The one connection that may write, once `work` is done on it; or none. */
async function openLocked(
  session: SessionOptions,
  work: (connection: Connection) => Promise<void>,
): Promise<Connection> {
  const connection = await openWriting(session);
  try {
    await check(connection, session.target);
    await takeLock(connection, session);
    await work(connection);
    return connection;
  } catch (error) {
    await connection.end();
    throw error;
  }
}
