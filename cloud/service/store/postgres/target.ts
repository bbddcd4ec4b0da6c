/** Which PostgreSQL database is meant: the URL of `--store`, read as psql reads it, but strictly. */
import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import type { ConnectionOptions } from 'node:tls';
import { StoreUnusable } from '../errors.ts';
import { type PasswordSources, passwordOf } from './password.ts';

export interface Target {
  /** Name or address; a folder that begins with `/` holds the server's Unix socket. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string | undefined;
  readonly database: string;
  /** Where the tables are. */
  readonly schema: string;
  readonly tls: ConnectionOptions | undefined;
  /** The same for people and logs: without the password. */
  readonly shown: string;
  /** What the operator should know. */
  readonly warnings: readonly string[];
}

export interface Surroundings {
  readonly env: NodeJS.ProcessEnv;
  /** `--store-password-file`. */
  readonly passwordFile?: string | undefined;
}

type Asked = Partial<Record<string, string>>;

type SslMode = 'disable' | 'require' | 'verify-ca' | 'verify-full';

const SSL_MODES: readonly string[] = ['disable', 'require', 'verify-ca', 'verify-full'];
const PARAMETERS = [
  'host',
  'port',
  'user',
  'schema',
  'sslmode',
  'sslrootcert',
  'sslcert',
  'sslkey',
];
const EXAMPLE = 'postgres://limpet@db.example.com/limpet?sslmode=verify-full';

type Place = Pick<Target, 'host' | 'port' | 'user' | 'database' | 'schema'>;

/** @throws StoreUnusable STORE_URL: what is wrong with it, never with the password. */
export function parseTarget(text: string, { env, passwordFile }: Surroundings): Target {
  const url = parseUrl(text);
  const asked = parametersOf(url);
  const place = placeOf(url, asked, env);
  const { host } = place;
  const local = host.startsWith('/') || isLoopback(host);
  const mode = modeOf(asked['sslmode'], host, local);
  const sources: PasswordSources = { ...place, env, passwordFile };
  const { password, warnings } = passwordOf(plain(url.password) || undefined, sources);
  return {
    ...place,
    password,
    tls: mode === 'disable' ? undefined : tlsOf(mode, asked),
    shown: shownAs(place),
    warnings: [...warnings, ...unsafe(mode, local)],
  };
}

/** What the URL leaves open comes from where psql takes it. */
function placeOf(url: URL, asked: Asked, env: NodeJS.ProcessEnv): Place {
  const user = firstOf(asked['user'], plain(url.username), env['PGUSER']) ?? userInfo().username;
  const place = {
    host: firstOf(asked['host'], hostOf(url), env['PGHOST']) ?? '/var/run/postgresql',
    port: portOf(firstOf(asked['port'], url.port, env['PGPORT']) ?? '5432'),
    user,
    database: firstOf(plain(url.pathname.slice(1)), env['PGDATABASE']) ?? user,
    schema: asked['schema'] ?? 'limpet',
  };
  for (const what of ['user', 'database', 'schema'] as const) {
    const name = place[what];
    if (name === '' || name.includes('\0') || Buffer.byteLength(name) > 63) {
      throw wrong(`the ${what} ${JSON.stringify(name)} is no name that PostgreSQL knows`);
    }
  }
  return place;
}

function firstOf(...texts: readonly (string | undefined)[]): string | undefined {
  return texts.find((text) => text !== undefined && text !== '');
}

function parseUrl(text: string): URL {
  // Several hosts are no URL; said here, as its error would not tell why.
  if (/^postgres(ql)?:\/\/[^/?]*,/.test(text)) {
    throw wrong(
      'one host only: behind several there must be one address that leads to the primary',
    );
  }
  let url: URL;
  try {
    // A URL without a host is fine for PostgreSQL, and not for `URL` when it has a user.
    url = new URL(text.replace(/^(postgres(?:ql)?:\/\/[^/?]*@)(?=[/?]|$)/, '$1no-host.invalid'));
  } catch {
    // The error would quote the URL, and with it the password.
    throw wrong(
      'it cannot be read as a URL (write @ : / ? # % in names and passwords as %40 %3A %2F %3F %23 %25)',
    );
  }
  if (url.protocol !== 'postgres:' && url.protocol !== 'postgresql:') {
    throw wrong(`it begins with ${JSON.stringify(url.protocol)}`);
  }
  return url;
}

function parametersOf(url: URL): Asked {
  const asked: Asked = {};
  for (const [name, value] of url.searchParams) {
    if (name === 'password') {
      throw wrong(
        'put the password into --store-password-file, PGPASSWORD or ~/.pgpass, not into ?password=',
      );
    }
    if (!PARAMETERS.includes(name)) {
      throw wrong(`it knows no parameter ${JSON.stringify(name)}, only ${PARAMETERS.join(', ')}`);
    }
    if (asked[name] !== undefined) throw wrong(`parameter ${JSON.stringify(name)} is given twice`);
    asked[name] = value;
  }
  return asked;
}

function hostOf({ hostname }: URL): string | undefined {
  if (hostname === '' || hostname === 'no-host.invalid') return undefined;
  return plain(hostname).replace(/^\[(.*)\]$/, '$1');
}

function portOf(text: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port < 1 || port > 65_535) {
    throw wrong(`port ${JSON.stringify(text)} is not between 1 and 65535`);
  }
  return port;
}

function modeOf(asked: string | undefined, host: string, local: boolean): SslMode {
  if (asked === undefined) return local ? 'disable' : 'verify-full';
  if (!SSL_MODES.includes(asked)) {
    // `allow` and `prefer` let whoever stands between switch encryption off.
    throw wrong(`sslmode must be ${SSL_MODES.join(', ')}, got ${JSON.stringify(asked)}`);
  }
  if (host.startsWith('/') && asked !== 'disable') {
    throw wrong(`a Unix socket has no TLS: leave sslmode out`);
  }
  return asked as SslMode;
}

function tlsOf(mode: SslMode, asked: Asked): ConnectionOptions {
  const [ca, cert, key] = (['sslrootcert', 'sslcert', 'sslkey'] as const).map((name) =>
    asked[name] === undefined ? undefined : read(name, asked[name]),
  );
  if ((cert === undefined) !== (key === undefined))
    throw wrong('give both sslcert and sslkey, or neither');
  return {
    minVersion: 'TLSv1.2',
    ...(ca && { ca }),
    ...(cert && key && { cert, key }),
    rejectUnauthorized: mode !== 'require',
    ...(mode === 'verify-ca' && { checkServerIdentity: () => undefined }),
  };
}

function read(name: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw wrong(
      `${name}: cannot read the file (${cause instanceof Error ? cause.message : String(cause)})`,
    );
  }
}

function unsafe(mode: SslMode, local: boolean): readonly string[] {
  if (local) return [];
  if (mode === 'disable')
    return ['sslmode=disable: everything, also the password, crosses the network readable'];
  if (mode === 'require')
    return [
      'sslmode=require: encrypted, but nobody checks that it is your server; use verify-full',
    ];
  return [];
}

function isLoopback(host: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|::1)$/i.test(host);
}

function plain(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw wrong('a % in a name or password must be written as %25');
  }
}

function shownAs({ host, port, user, database, schema }: Place): string {
  const [name, at, in_] = [user, database, schema].map((part) => encodeURIComponent(part));
  const more = schema === 'limpet' ? [] : [`schema=${in_}`];
  if (host.startsWith('/')) {
    const query = [`host=${host}`, ...(port === 5432 ? [] : [`port=${port}`]), ...more];
    return `postgres://${name}@/${at}?${query.join('&')}`;
  }
  const where = host.includes(':') ? `[${host}]` : host;
  return `postgres://${name}@${where}:${port}/${at}${more.length > 0 ? `?${more.join('&')}` : ''}`;
}

function wrong(what: string): StoreUnusable {
  return new StoreUnusable('STORE_URL', `--store: ${what}. An example: ${EXAMPLE}`);
}
