/** What the operator asked for, checked before anything is opened. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { createSecureContext } from 'node:tls';
import { type Log, Misconfigured } from '@limpet/dmi';
import { duration, parseQuantity } from '@limpet/dmi/manifest';
import type { Retention } from './history/slices.ts';
import { parseTarget, type Target } from './store/postgres/target.ts';

export interface CloudSettings {
  /** Folder of the database; made when absent. Not used with `store`. */
  readonly data?: string | undefined;
  /** `postgres://…`: the database is there. */
  readonly store?: string | undefined;
  /** File with the password for it. */
  readonly storePasswordFile?: string | undefined;
  /** `HOST:PORT`, `[::1]:PORT` for IPv6; port 0 picks a free one. */
  readonly listen: string;
  /** PEM files; both or none. */
  readonly tlsCert?: string | undefined;
  readonly tlsKey?: string | undefined;
  /** File with one or more tokens, one a line. */
  readonly tokenFile?: string | undefined;
  /** Where a line for each request goes: a file, or `-` for standard error. Default: nowhere. */
  readonly accessLog?: string | undefined;
  /** How long the past is kept, such as `30d`; `off`: not at all. Default 30d. */
  readonly history?: string | undefined;
  /** At most about so many bytes of it, such as `2Gi`. Default 2Gi. */
  readonly historyBytes?: string | undefined;
}

export interface Listening {
  readonly host: string;
  readonly port: number;
  readonly tls: { readonly cert: Buffer; readonly key: Buffer } | undefined;
  readonly tokens: readonly string[] | undefined;
}

const SHORTEST_TOKEN = 16;

/** @throws Misconfigured CLOUD_LISTEN, CLOUD_EXPOSED, CLOUD_TLS, CLOUD_TOKEN, CLOUD_FILE */
export function checkSettings(settings: CloudSettings, log: Log): Listening {
  const { host, port } = parseListen(settings.listen);
  const { tlsCert, tlsKey, tokenFile } = settings;
  const guarded = tlsCert !== undefined && tlsKey !== undefined && tokenFile !== undefined;
  if (!isLoopback(host) && !guarded) {
    const message =
      `Listening on ${host} would open the cloud service to the network: give --tls-cert, --tls-key and ` +
      '--token-file, or listen on 127.0.0.1.';
    throw new Misconfigured('CLOUD_EXPOSED', message);
  }
  if ((tlsCert === undefined) !== (tlsKey === undefined)) {
    throw new Misconfigured('CLOUD_TLS', 'Give both --tls-cert and --tls-key, or neither.');
  }
  const tls = tlsCert !== undefined && tlsKey !== undefined ? readTls(tlsCert, tlsKey) : undefined;
  return {
    host,
    port,
    tls,
    tokens: tokenFile === undefined ? undefined : tokensOf(tokenFile, log),
  };
}

const HISTORY = { age: '30d', bytes: '2Gi' };
/** Less would be more bookkeeping than history. */
const LEAST = { ageMs: 60_000, bytes: 2 ** 20 };

/** Undefined: none is kept. @throws Misconfigured CLOUD_HISTORY */
export function retentionOf({ history, historyBytes }: CloudSettings): Retention | undefined {
  if (history === 'off') return undefined;
  const age = history ?? HISTORY.age;
  const ageMs = duration(age);
  if (ageMs === undefined || ageMs < LEAST.ageMs) {
    const message = `--history must be a duration from 1m on, like 12h or 30d, or off; got ${JSON.stringify(age)}.`;
    throw new Misconfigured('CLOUD_HISTORY', message);
  }
  const size = historyBytes ?? HISTORY.bytes;
  const bytes = parseQuantity(size);
  if (bytes === undefined || bytes < LEAST.bytes) {
    const message = `--history-bytes must be a size from 1Mi on, like 512Mi or 2Gi; got ${JSON.stringify(size)}.`;
    throw new Misconfigured('CLOUD_HISTORY', message);
  }
  return { ageMs, bytes };
}

/**
 * Where the database is: a file of SQLite, or PostgreSQL.
 * @throws Misconfigured CLOUD_STORE, StoreUnusable STORE_URL
 */
export function placeOf(
  { data, store, storePasswordFile }: CloudSettings,
  log: Log,
): string | Target {
  const file = data === undefined ? undefined : path.join(data, 'cloud.db');
  if (store !== undefined) {
    if (file !== undefined && existsSync(file)) log.warn('database in --data not used', { file });
    return parseTarget(store, { env: process.env, passwordFile: storePasswordFile });
  }
  if (storePasswordFile !== undefined) {
    throw new Misconfigured('CLOUD_STORE', '--store-password-file goes with --store postgres://…');
  }
  if (file !== undefined) return file;
  const message =
    'Say where the database is: --data FOLDER, or --store postgres://USER@HOST/DATABASE.';
  throw new Misconfigured('CLOUD_STORE', message);
}

/** Whether a host name or address can only mean this machine. */
function isLoopback(host: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|(::ffff:)?127(\.\d{1,3}){3}|::1|(0{1,4}:){7}0{0,3}1)$/i.test(
    host,
  );
}

function parseListen(listen: string): { readonly host: string; readonly port: number } {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]/]+)):(\d{1,5})$/.exec(listen);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || port > 65_535) {
    const message = `--listen must be HOST:PORT such as 127.0.0.1:8440 or [::1]:8440, got ${JSON.stringify(listen)}.`;
    throw new Misconfigured('CLOUD_LISTEN', message);
  }
  return { host, port };
}

function readTls(certFile: string, keyFile: string): NonNullable<Listening['tls']> {
  const tls = { cert: read('--tls-cert', certFile), key: read('--tls-key', keyFile) };
  try {
    createSecureContext(tls);
  } catch (cause) {
    const message = `${certFile} and ${keyFile} must be a certificate and its private key, in PEM (${String(cause)}).`;
    throw new Misconfigured('CLOUD_TLS', message, { cause });
  }
  return tls;
}

/** Messages never quote a token. */
function tokensOf(file: string, log: Log): readonly string[] {
  const lines = read('--token-file', file).toString('utf8').split(/\r?\n/);
  const tokens = lines.map((line) => line.trim()).filter((line) => line !== '');
  const odd = tokens.some(
    (token) => !/^[\x21-\x7e]+$/.test(token) || token.length < SHORTEST_TOKEN,
  );
  if (odd || tokens.length === 0) {
    const message =
      `${file} must hold tokens of at least ${SHORTEST_TOKEN} printable characters without spaces, one a line; ` +
      'make one with: openssl rand -hex 32';
    throw new Misconfigured('CLOUD_TOKEN', message);
  }
  // Windows has no such bits.
  if (process.platform !== 'win32' && (statSync(file).mode & 0o007) !== 0) {
    log.warn('token file readable by everyone', { file, fix: `chmod 600 ${file}` });
  }
  return tokens;
}

function read(option: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Misconfigured('CLOUD_FILE', `${option}: cannot read the file (${why}).`, { cause });
  }
}
