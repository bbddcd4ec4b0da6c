/** Where the password of the database comes from, in the order of psql: the URL or a file, PGPASSWORD, ~/.pgpass. */
import { readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { StoreUnusable } from '../errors.ts';

export interface PasswordSources {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
  readonly env: NodeJS.ProcessEnv;
  /** `--store-password-file`. */
  readonly passwordFile: string | undefined;
}

export interface Found {
  readonly password: string | undefined;
  readonly warnings: readonly string[];
}

/** @throws StoreUnusable STORE_URL, never quoting a password. */
export function passwordOf(inUrl: string | undefined, sources: PasswordSources): Found {
  const { passwordFile, env } = sources;
  if (inUrl !== undefined && passwordFile !== undefined) {
    throw wrong(
      'give the password in --store-password-file or in the URL of --store, not in both.',
    );
  }
  if (passwordFile !== undefined) return ofFile(passwordFile);
  if (inUrl !== undefined) {
    const warning =
      'a password in --store is seen by everyone who lists processes: use --store-password-file';
    return { password: inUrl, warnings: [warning] };
  }
  if (env['PGPASSWORD']) return { password: env['PGPASSWORD'], warnings: [] };
  return ofPassFile(sources);
}

/** One line; the newline that editors add does not count. */
function ofFile(file: string): Found {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw wrong(`--store-password-file: cannot read the file (${why}).`);
  }
  const password = text.replace(/\r?\n$/, '');
  if (password === '' || /[\r\n\0]/.test(password)) {
    throw wrong(
      `--store-password-file: ${file} must hold the password on one line, and nothing else.`,
    );
  }
  const warnings = isOpen(file) ? [`${file} can be read by others: chmod 600 ${file}`] : [];
  return { password, warnings };
}

/** Lines of `host:port:database:user:password`, `*` for any, `\` before `:` and `\`; the first that fits counts. */
function ofPassFile({ host, port, user, database, env }: PasswordSources): Found {
  const file = env['PGPASSFILE'] || path.join(homedir(), '.pgpass');
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return { password: undefined, warnings: [] };
  }
  // As psql does: what others can read is not used.
  if (isOpen(file))
    return {
      password: undefined,
      warnings: [`${file} is not used, others can read it: chmod 600 ${file}`],
    };
  // psql calls the default socket `localhost` here.
  const wanted = [
    host === '/var/run/postgresql' ? 'localhost' : host,
    String(port),
    database,
    user,
  ];
  for (const line of text.split(/\r?\n/)) {
    if (line.startsWith('#')) continue;
    const fields = fieldsOf(line);
    const password = fields[4];
    if (password === undefined || password === '') continue;
    const fits = wanted.every((value, index) => {
      const field = fields[index];
      return field === '*' || field === value || (index === 0 && field === host);
    });
    if (fits) return { password, warnings: [] };
  }
  return { password: undefined, warnings: [] };
}

function fieldsOf(line: string): readonly string[] {
  const fields: string[] = [''];
  for (const [token] of line.matchAll(/\\.|[^]/g)) {
    if (token === ':' && fields.length < 5) fields.push('');
    else
      fields[fields.length - 1] +=
        token.length === 2 && token.startsWith('\\') ? token.slice(1) : token;
  }
  return fields;
}

/** Windows has no such bits. */
function isOpen(file: string): boolean {
  return process.platform !== 'win32' && (statSync(file).mode & 0o077) !== 0;
}

function wrong(message: string): StoreUnusable {
  return new StoreUnusable('STORE_URL', message);
}
