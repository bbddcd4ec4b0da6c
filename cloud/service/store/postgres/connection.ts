/** One connection to PostgreSQL: pipelined, with prepared statements, and lost as soon as the server keeps silent. */
import { Socket } from 'node:net';
import { Client, type QueryResultRow } from 'pg';
import type { Clock } from '@limpet/dmi';
import { plainText } from '../plain-text.ts';
import type { SqlValue } from '../sql.ts';
import type { Target } from './target.ts';
import { sqlState, ConnectionLost, PasswordWanted, TlsWanted } from './trouble.ts';

export interface ConnectionOptions {
  readonly target: Target;
  readonly clock: Clock;
  /** Shown in pg_stat_activity. */
  readonly name: string;
  /** SET for the session, before anything else. */
  readonly settings: Readonly<Record<string, string>>;
  /** How many statements it keeps prepared: those used last. */
  readonly prepared: number;
  /** A statement without an answer for this long means that the server, or the way to it, is gone. */
  readonly silentMs: number;
}

export interface Answer<R> {
  readonly rows: readonly R[];
  readonly changed: number;
  /** What the server says it did: 'COMMIT', or 'ROLLBACK' in its place. */
  readonly command: string;
}

/** A statement that the server may keep planned. */
interface Prepared {
  readonly name: string;
  /** It does. */
  known: boolean;
}

/** Connecting takes at most this long. */
const CONNECT_MS = 10_000;
const PATIENCE_MS = 24 * 3600 * 1000;
const KEEPALIVE_MS = 10_000;
const SSL_REFUSED = 'The server does not support SSL connections';

export class Connection {
  readonly #client: Client;
  readonly #socket: Socket;
  readonly #options: ConnectionOptions;
  /** By their text, the least used first. */
  readonly #prepared = new Map<string, Prepared>();
  #names = 0;
  #silentMs: number;
  #inFlight = 0;
  #heard = 0;
  #unwatch: (() => void) | undefined;
  #lost: Error | undefined;
  #ended = false;
  #whenLost: ((error: Error) => void) | undefined;

  private constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#silentMs = options.silentMs;
    this.#socket = new Socket();
    this.#client = new Client(configOf(options, this.#socket));
    this.#client.on('error', (error) => this.#lose(error));
    this.#client.on('end', () => this.#lose(new Error('the connection was closed')));
  }

  /** @throws ConnectionLost, PasswordWanted, TlsWanted or the server's own error */
  static async open(options: ConnectionOptions): Promise<Connection> {
    const connection = new Connection(options);
    try {
      await connection.#client.connect();
      await connection.query(settingsText(options.settings));
      return connection;
    } catch (error) {
      connection.#ended = true;
      connection.#socket.destroy();
      throw connectFailure(error);
    }
  }

  /** Set by the one who keeps it; called once, unless it was ended. */
  onLost(listener: (error: Error) => void): void {
    this.#whenLost = listener;
    if (this.#lost) listener(this.#lost);
  }

  get usable(): boolean {
    return this.#lost === undefined && !this.#ended;
  }

  /** Sent at once, behind those that have no answer yet. Without values it may be several statements. */
  async query<R>(text: string, values?: readonly SqlValue[]): Promise<Answer<R>> {
    if (!this.usable) throw lostBy(this.#lost);
    const bound = values?.map((value) => (typeof value === 'string' ? plainText(value) : value));
    const prepared = values && this.#preparing(text);
    this.#sent();
    try {
      const { rows, rowCount, command } = await this.#client.query<QueryResultRow>({
        text,
        ...(prepared && { name: prepared.name }),
        ...(bound && { values: bound }),
      });
      if (prepared) prepared.known = true;
      return { rows: rows as R[], changed: rowCount ?? 0, command };
    } catch (error) {
      throw sqlState(error) === undefined ? lostBy(asError(error)) : error;
    } finally {
      this.#heard = this.#options.clock.monotonic();
      this.#inFlight--;
    }
  }

  /** For work of which nobody knows how long it takes, such as a migration. */
  async patient<T>(work: () => Promise<T>): Promise<T> {
    const { silentMs } = this.#options;
    this.#silentMs = PATIENCE_MS;
    try {
      return await work();
    } finally {
      this.#silentMs = silentMs;
      this.#unwatch?.();
      if (this.#inFlight > 0) this.#watch(silentMs);
    }
  }

  /** Lets what is in flight finish. */
  async end(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    if (this.#lost) return;
    const cut = this.#options.clock.after(this.#options.silentMs, () => this.#socket.destroy());
    await this.#client.end();
    cut();
  }

  /** In which state it is nobody knows: what is in flight fails, and it counts as lost. */
  abandon(reason: string): void {
    this.#socket.destroy(new Error(reason));
  }

  #preparing(text: string): Prepared {
    const known = this.#prepared.get(text);
    this.#prepared.delete(text);
    const prepared = known ?? { name: `s${this.#names++}`, known: false };
    this.#prepared.set(text, prepared);
    const [oldest] = this.#prepared;
    if (oldest && this.#prepared.size > this.#options.prepared) this.#forget(...oldest);
    return prepared;
  }

  #forget(text: string, { name, known }: Prepared): void {
    this.#prepared.delete(text);
    // What the server does not know it must not be told to forget: that would spoil the transaction.
    if (known) this.query(`DEALLOCATE ${name}`).catch(() => undefined);
  }

  #sent(): void {
    if (this.#inFlight++ === 0) this.#heard = this.#options.clock.monotonic();
    if (!this.#unwatch) this.#watch(this.#silentMs);
  }

  /** The kernel would take a quarter of an hour to notice that nobody acknowledges anything. */
  #watch(ms: number): void {
    const cancel = this.#options.clock.after(ms, () => {
      this.#unwatch = undefined;
      if (this.#inFlight === 0 || !this.usable) return;
      const silent = this.#options.clock.monotonic() - this.#heard;
      const left = this.#silentMs - silent;
      if (left > 0) return this.#watch(left);
      this.abandon(`no answer for ${Math.round(silent / 1000)} s`);
    });
    this.#unwatch = () => {
      this.#unwatch = undefined;
      cancel();
    };
  }

  #lose(error: Error): void {
    if (this.#lost) return;
    this.#lost = error;
    this.#unwatch?.();
    this.#socket.destroy();
    if (!this.#ended) this.#whenLost?.(error);
  }
}

function configOf(
  { target, name }: ConnectionOptions,
  socket: Socket,
): ConstructorParameters<typeof Client>[0] {
  const { host, port, user, database, password, tls } = target;
  return {
    host,
    port,
    user,
    database,
    // A function, so that pg looks neither into the environment nor into ~/.pgpass.
    password: () => {
      if (password === undefined) throw new PasswordWanted();
      return password;
    },
    ssl: tls ?? false,
    application_name: name,
    stream: () => socket,
    pipeline: true,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEPALIVE_MS,
    connectionTimeoutMillis: CONNECT_MS,
    types: { getTypeParser: parserOf },
  };
}

function settingsText(settings: Readonly<Record<string, string>>): string {
  return Object.entries(settings)
    .map(([name, value]) => `SET ${name} TO ${value}`)
    .join('; ');
}

function connectFailure(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof PasswordWanted) return error;
  if (sqlState(error) !== undefined) return error;
  const code = 'code' in error ? String(error.code) : '';
  // pg says this in no other way.
  if (
    error.message === SSL_REFUSED ||
    /^(ERR_TLS|ERR_SSL|CERT_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|EPROTO$)/.test(code)
  ) {
    return new TlsWanted(error.message, { cause: error });
  }
  return lostBy(error);
}

function lostBy(error: Error | undefined): ConnectionLost {
  if (error instanceof ConnectionLost) return error;
  return new ConnectionLost(error?.message ?? 'the connection was closed', { cause: error });
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

const NUMBERS = new Set([20, 21, 23, 26, 700, 701, 1700]);
const BOOL = 16;

/** Integers, floats and numerics as numbers, booleans as 0 and 1, everything else as the text it is: as SQLite answers. */
function parserOf(oid: number): (text: string) => SqlValue {
  if (NUMBERS.has(oid)) return Number;
  if (oid === BOOL) return (text) => (text === 't' ? 1 : 0);
  return (text) => text;
}
