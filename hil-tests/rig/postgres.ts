/** A PostgreSQL server of our own, thrown away afterwards: on a Unix socket in a temporary folder, and nowhere else. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';

export interface PostgresServerOptions {
  /** As `-c NAME=VALUE`. Without, the server does not wait for the disk: a killed one loses nothing, a power cut might. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Also on 127.0.0.1 at this port, */
  readonly port?: number;
  /** where users beside `limpet` need a password. With a certificate also over TLS. */
  readonly tls?: { readonly cert: string; readonly key: string };
}

const PORT = 5432;
const STARTED = 'database system is ready to accept connections';
const DEBIAN = '/usr/lib/postgresql';

/** The server will not run as root. */
interface Account {
  readonly uid: number;
  readonly gid: number;
}

export class PostgresServer {
  readonly folder: string;
  readonly #options: PostgresServerOptions;
  readonly #programs: string;
  readonly #account: Account | undefined;
  readonly #lines: string[] = [];
  #child: ChildProcess | undefined;

  static async start(options: PostgresServerOptions = {}): Promise<PostgresServer> {
    const server = new PostgresServer(options);
    try {
      server.#make();
      await server.restart();
      return server;
    } catch (error) {
      await server.stop();
      throw error;
    }
  }

  private constructor(options: PostgresServerOptions) {
    this.#options = options;
    this.#programs = programs();
    this.#account = process.getuid?.() === 0 ? accountOf('postgres') : undefined;
    this.folder = mkdtempSync(path.join(tmpdir(), 'limpet-pg-'));
  }

  /** Of a database, `postgres` when not said; `more` are parameters such as `schema`. */
  url(database = 'postgres', more: Readonly<Record<string, string>> = {}): string {
    const port = String(this.#options.port ?? PORT);
    const query = new URLSearchParams({ host: this.folder, port, ...more });
    return `postgres://limpet@/${database}?${query.toString()}`;
  }

  /** Runs SQL with psql and returns what it prints. */
  sql(text: string, database = 'postgres'): string {
    const args = [
      '-X',
      '-q',
      '-A',
      '-t',
      '-v',
      'ON_ERROR_STOP=1',
      '-h',
      this.folder,
      '-p',
      String(this.#options.port ?? PORT),
      '-U',
      'limpet',
    ];
    return execFileSync(this.#program('psql'), [...args, '-d', database], {
      encoding: 'utf8',
      input: text,
      stdio: ['pipe', 'pipe', 'pipe'],
    }).trim();
  }

  get running(): boolean {
    return (
      this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null
    );
  }

  /** Resolves when it takes connections. */
  async restart(): Promise<void> {
    const { settings = { fsync: 'off', full_page_writes: 'off' }, port } = this.#options;
    const all = {
      listen_addresses: port === undefined ? '' : '127.0.0.1',
      unix_socket_directories: this.folder,
      port: String(port ?? PORT),
      max_connections: '60',
      shared_buffers: '64MB',
      ...settings,
    };
    const flags = Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    const child = spawn(this.#program('postgres'), ['-D', this.#cluster, ...flags], {
      stdio: ['ignore', 'ignore', 'pipe'],
      ...this.#account,
    });
    this.#child = child;
    await new Promise<void>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', () =>
        reject(new Error(`postgres ended:\n${this.#lines.slice(-20).join('\n')}`)),
      );
      createInterface({ input: child.stderr }).on('line', (line) => {
        this.#lines.push(line);
        if (this.#lines.length > 1000) this.#lines.shift();
        if (line.includes(STARTED)) resolve();
      });
    });
  }

  /** The power goes: every process of it at once, and gone when this resolves. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (!child?.pid || !this.running) return;
    const parts = execFileSync('ps', ['-o', 'pid=', '--ppid', String(child.pid)], {
      encoding: 'utf8',
    });
    const gone = once(child, 'exit');
    process.kill(child.pid, 'SIGKILL');
    for (const pid of parts.split('\n').map(Number)) if (pid > 0) killed(pid);
    await gone;
  }

  /** As an operator ends it: connections are cut, everything is written. */
  async shutDown(): Promise<void> {
    const child = this.#child;
    if (!child || !this.running) return;
    const gone = once(child, 'exit');
    child.kill('SIGINT');
    await gone;
  }

  /** Ends it and removes everything. */
  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }

  get #cluster(): string {
    return path.join(this.folder, 'cluster');
  }

  #make(): void {
    if (this.#account) chownSync(this.folder, this.#account.uid, this.#account.gid);
    chmodSync(this.folder, 0o755);
    const args = [
      '-D',
      this.#cluster,
      '-U',
      'limpet',
      '-A',
      'trust',
      '-E',
      'UTF8',
      '--locale=C',
      '-N',
    ];
    execFileSync(this.#program('initdb'), args, {
      stdio: ['ignore', 'ignore', 'pipe'],
      cwd: '/',
      ...this.#account,
    });
    const access =
      'local all limpet trust\nhost all all 127.0.0.1/32 scram-sha-256\nlocal all all trust\n';
    writeFileSync(path.join(this.#cluster, 'pg_hba.conf'), access);
    if (this.#options.tls) this.#offerTls(this.#options.tls);
  }

  #offerTls({ cert, key }: { readonly cert: string; readonly key: string }): void {
    for (const [name, from] of [
      ['server.pem', cert],
      ['server.key', key],
    ] as const) {
      const copy = path.join(this.#cluster, name);
      writeFileSync(copy, readFileSync(from), { mode: 0o600 });
      if (this.#account) chownSync(copy, this.#account.uid, this.#account.gid);
    }
    const settings = `ssl = on\nssl_cert_file = 'server.pem'\nssl_key_file = 'server.key'\n`;
    appendFileSync(path.join(this.#cluster, 'postgresql.conf'), settings);
  }

  #program(name: string): string {
    return path.join(this.#programs, name);
  }
}

/** @throws with what to install. */
function programs(): string {
  const folders = (process.env['PATH'] ?? '').split(path.delimiter);
  const versions = existsSync(DEBIAN)
    ? readdirSync(DEBIAN).toSorted((a, b) => Number(b) - Number(a))
    : [];
  const all = [...versions.map((version) => path.join(DEBIAN, version, 'bin')), ...folders];
  const found = all.find((folder) => existsSync(path.join(folder, 'initdb')));
  if (found === undefined) throw new Error('no PostgreSQL here: apt-get install postgresql');
  return found;
}

function accountOf(name: string): Account {
  const [uid, gid] = ['-u', '-g'].map((flag) =>
    Number(execFileSync('id', [flag, name], { encoding: 'utf8' })),
  );
  if (uid === undefined || gid === undefined) throw new Error(`there is no user ${name}`);
  return { uid, gid };
}

/** Some end by themselves when the postmaster does. */
function killed(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
