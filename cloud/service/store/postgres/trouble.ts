/** What PostgreSQL and the way to it refuse, in the words of the store. */
import { DatabaseError } from 'pg';
import { StoreFailed, StoreUnusable, unusable } from '../errors.ts';
import type { Target } from './target.ts';

/** The connection, not the statement, is at fault. Whether a COMMIT under way counted, nobody knows. */
export class ConnectionLost extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ConnectionLost';
  }
}

/** The server asks for a password and we have none. */
export class PasswordWanted extends Error {}

/** No TLS, or none that can be trusted. */
export class TlsWanted extends Error {}

/** SQLSTATE; undefined when it is not the server that says no. */
export function sqlState(error: unknown): string | undefined {
  return error instanceof DatabaseError ? error.code : undefined;
}

interface Refusal {
  readonly code: StoreFailed['code'];
  readonly message: (where: string, why: string) => string;
}

const away: Refusal = {
  code: 'STORE_AWAY',
  message: (where, why) =>
    `${where} cannot be reached (${why}): the cloud service goes on by itself when it is back.`,
};
const damaged: Refusal = {
  code: 'STORE_CORRUPT',
  message: (where, why) =>
    `${where} is damaged (${why}): stop the service and restore the newest copy.`,
};
const busy: Refusal = {
  code: 'STORE_BUSY',
  message: (where, why) => `${where} had no room or no time for this (${why}): try again later.`,
};
const disk: Refusal = {
  code: 'DISK_IO',
  message: (where, why) => `The disk of ${where} refused (${why}): look at the server's log.`,
};

/** By SQLSTATE; a class of two letters where no code of five is listed. What is in neither is the statement's fault. */
const REFUSALS: Partial<Record<string, Refusal>> = {
  '08': away,
  '57P01': away,
  '57P02': away,
  '57P03': away,
  '57P05': away,
  '25P03': away,
  '25P04': away,
  '53': busy,
  '40': busy,
  '55P03': busy,
  '53100': {
    code: 'DISK_FULL',
    message: (where) => `The disk of ${where} is full: free some space.`,
  },
  '53300': {
    code: 'STORE_BUSY',
    message: (where) =>
      `${where} has no connection left: raise max_connections, or the limit of this user (the cloud service takes 6).`,
  },
  '58': disk,
  XX: disk,
  XX001: damaged,
  XX002: damaged,
  '25006': {
    code: 'STORE_READ_ONLY',
    message: (where) =>
      `${where} takes no writes, it is a standby or set read-only: lead --store to the primary.`,
  },
  '42501': {
    code: 'STORE_DENIED',
    message: (where, why) => `${where} does not permit this to its user (${why}): GRANT it.`,
  },
  '28': {
    code: 'STORE_DENIED',
    message: (where, why) =>
      `${where} does not let its user in (${why}): check the password (--store-password-file, PGPASSWORD, ~/.pgpass) and pg_hba.conf.`,
  },
  '3D000': {
    code: 'STORE_MISSING',
    message: (where) =>
      `${where} does not exist: CREATE DATABASE … ENCODING 'UTF8' OWNER …, or correct --store.`,
  },
};

/** @returns undefined when the statement was at fault, not the database. */
export function refusalOf(error: unknown, where: string): StoreFailed | undefined {
  if (error instanceof StoreFailed) return error;
  const refusal = kindOf(error);
  if (!refusal || !(error instanceof Error)) return undefined;
  return new StoreFailed(refusal.code, refusal.message(where, error.message), { cause: error });
}

/** Why the database cannot be opened. */
export function unusableBy(error: unknown, target: Target): unknown {
  if (error instanceof StoreUnusable || !(error instanceof Error)) return error;
  const where = target.shown;
  if (error instanceof PasswordWanted) {
    const message = `${where} wants a password: give --store-password-file, PGPASSWORD or a line in ~/.pgpass.`;
    return new StoreUnusable('STORE_DENIED', message);
  }
  if (error instanceof TlsWanted) {
    const message =
      `${where}: no trusted TLS (${error.message}). Give the authority's certificate with ?sslrootcert=FILE, or ` +
      'sslmode=disable on a network of your own.';
    return new StoreUnusable('STORE_TLS', message, { cause: error });
  }
  const refusal = refusalOf(error, where);
  return refusal ? unusable(refusal) : error;
}

function kindOf(error: unknown): Refusal | undefined {
  if (error instanceof ConnectionLost) return away;
  const state = sqlState(error);
  return state === undefined ? undefined : (REFUSALS[state] ?? REFUSALS[state.slice(0, 2)]);
}
