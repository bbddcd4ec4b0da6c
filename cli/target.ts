/** Whom the verbs ask: a cloud by URL, or one edge by its socket; and what to say when nobody answers. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { CliError, usage } from './cli-error.ts';
import type { AskOptions } from './verbs/verb.ts';

export type Place =
  | {
      readonly kind: 'cloud';
      readonly url: string;
      readonly tokenFile: string | undefined;
      readonly ca: string | undefined;
    }
  /** A socket, or a folder or configuration file that leads to one. */
  | { readonly kind: 'edge'; readonly path: string };

type Environment = Readonly<Record<string, string | undefined>>;

const DEFAULT_CLOUD = 'http://127.0.0.1:8440';

/** What the options say, else the environment, else the cloud on this machine. */
export function placeOf(options: AskOptions, environment: Environment): Place {
  if (options.cloud !== undefined && options.edge !== undefined) {
    throw usage('--cloud and --edge are two different places: give one.');
  }
  const free = options.cloud === undefined;
  const edge = options.edge ?? (free ? environment['LIMPET_EDGE'] : undefined);
  if (edge !== undefined && edge !== '') return { kind: 'edge', path: edge };
  return {
    kind: 'cloud',
    url: cloudUrl(options.cloud ?? environment['LIMPET_CLOUD']),
    tokenFile: options.tokenFile ?? environment['LIMPET_TOKEN_FILE'],
    ca: options.ca ?? environment['LIMPET_CA'],
  };
}

function cloudUrl(text: string | undefined): string {
  const url = text === undefined || text === '' ? DEFAULT_CLOUD : text;
  if (URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)) return url;
  throw usage(
    `--cloud must be an address like http://127.0.0.1:8440 or https://HOST:8440, not "${url}".`,
  );
}

/** The socket that an edge place leads to. */
export async function socketOf(place: string): Promise<string> {
  const stat = statSync(place, { throwIfNoEntry: false });
  if (stat?.isDirectory() === true) {
    const config = path.join(place, 'limpet.yaml');
    return existsSync(config) ? socketOf(config) : path.join(place, 'limpet.sock');
  }
  if (stat?.isFile() !== true && !/\.ya?ml$/.test(place)) return path.resolve(place);
  // Told by the option that named it, not as the edge would.
  readFileOf('--edge', place);
  const { readConfig } = await import('../runtime/config.ts');
  const read = readConfig(place);
  if (read.ok) return path.join(read.config.data, 'limpet.sock');
  const { formatFaults } = await import('@limpet/dmi/manifest');
  throw new CliError(78, 'CONFIG_INVALID', formatFaults(read.faults));
}

/** The first line of a token file. */
export function readToken(file: string): string {
  const token = readFileOf('--token-file', file).split('\n', 1)[0]?.trim() ?? '';
  if (token !== '') return token;
  throw new CliError(
    78,
    'TOKEN_EMPTY',
    `the token file ${file} is empty: its first line must be the token.`,
  );
}

/** A file that an option names. */
export function readFileOf(option: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    throw new CliError(78, 'FILE_UNREADABLE', `${option} ${file} cannot be read (${code}).`, {
      cause: error,
    });
  }
}

const NOBODY = new Set([
  'ECONNREFUSED',
  'ENOENT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ETIMEDOUT',
  'ECONNRESET',
  'EACCES',
  'EPIPE',
  'ENOTSOCK',
]);

/** The same error, or one that says what was tried and both ways out. */
export function explainAt(error: unknown, place: Place): unknown {
  const code = codeBelow(error);
  if ((error as { reason?: unknown }).reason === 'Unauthorized') {
    return new CliError(
      1,
      'Unauthorized',
      `${(error as Error).message}: name the file with the token by --token-file FILE or LIMPET_TOKEN_FILE.`,
      { cause: error },
    );
  }
  if (code === undefined) return error;
  const message = place.kind === 'cloud' ? noCloud(place.url, code) : noEdge(place.path, code);
  return message === undefined ? error : new CliError(1, ...message, { cause: error });
}

/** A code and a sentence. */
type Said = readonly ['TLS' | 'UNREACHABLE', string];

function noCloud(url: string, code: string): Said | undefined {
  if (/CERT|SELF_SIGNED|^ERR_TLS|UNABLE_TO/.test(code)) {
    const ways = `the certificate of ${url} is not trusted (${code}): name its authority with --ca FILE.`;
    return ['TLS', ways];
  }
  if (/^EPROTO$|WRONG_VERSION_NUMBER/.test(code)) {
    const plain = url.replace(/^https:/, 'http:');
    return ['TLS', `${url} does not speak TLS: check the port, or ask it as ${plain}.`];
  }
  if (code === 'ECONNRESET' && url.startsWith('http:')) {
    const secured = url.replace(/^http:/, 'https:');
    const ways = `check the port, or, if that cloud has TLS, ask it as ${secured}.`;
    return ['TLS', `${url} hung up (${code}): ${ways}`];
  }
  if (!NOBODY.has(code)) return undefined;
  const ways = `no cloud answers at ${url} (${code}). Start one with "limpet cloud --data DIR" or "limpet demo", name another with --cloud URL or LIMPET_CLOUD, or ask an edge with --edge limpet.yaml.`;
  return ['UNREACHABLE', ways];
}

function noEdge(place: string, code: string): Said | undefined {
  if (code === 'EPIPE' || code === 'ECONNRESET') {
    const why = 'it is stopping, or more ask it at once than it serves. Try again.';
    return ['UNREACHABLE', `the edge at ${place} cut the connection (${code}): ${why}`];
  }
  if (!NOBODY.has(code)) return undefined;
  const ways = `no edge answers at ${place} (${code}). Start it with "limpet edge --config limpet.yaml", name another with --edge PLACE or LIMPET_EDGE, or ask a cloud with --cloud URL.`;
  return ['UNREACHABLE', ways];
}

/** The system's code of the error or of what caused it. */
function codeBelow(error: unknown): string | undefined {
  for (let at = error; at instanceof Error; at = at.cause) {
    const { code } = at as { code?: unknown };
    if (typeof code === 'string') return code;
  }
  return undefined;
}
