/** What one front allows, so that no client can take it all. */
export interface FrontLimits {
  /** Requests being served, watches aside; one more is answered 429. */
  readonly requests: number;
  /** Open watches; one more is answered 429. */
  readonly watches: number;
  /** How often an idle watch hears how far it is. */
  readonly bookmarkMs: number;
  /** A watch whose reader takes nothing for this long is cut off. */
  readonly stallMs: number;
  /** What all readers together may leave unread; beyond it those that take nothing are cut off, and others wait. */
  readonly unreadBytes: number;
  /** The longest life of a watch; clients open the next one. */
  readonly watchMs: number;
}

export const LIMITS: FrontLimits = {
  requests: 256,
  watches: 1000,
  bookmarkMs: 15_000,
  stallMs: 60_000,
  unreadBytes: 64 * 1024 * 1024,
  watchMs: 3_600_000,
};

/** For `createServer`: a client that dawdles over its request loses the connection. */
export const SERVER_OPTIONS = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  keepAliveTimeout: 65_000,
  connectionsCheckingInterval: 2_000,
  maxHeaderSize: 16_384,
  noDelay: true,
  keepAlive: true,
  keepAliveInitialDelay: 30_000,
} as const;

/** A response that nobody reads, or a connection that nobody uses, is closed after this. */
export const IDLE_SOCKET_MS = 60_000;
