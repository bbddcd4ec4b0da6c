/** The cloud under load: the command as users run it, in a process of its own, and what Linux says of it. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { Client } from 'pg';
import { parseTarget } from '#cloud/service/store/postgres/target.ts';
import { ApiClient } from '#protocol/api';
import { Child } from '../../rig/child.ts';
import { FILES } from './limits.ts';
import { cpuSeconds, processMemory, processTree } from '../process-memory.ts';

export interface SubjectOptions {
  /** Folder of the database. */
  readonly data: string;
  readonly port: number;
  /** Passed on as `--store`. */
  readonly store?: string;
  /** Folder for a CPU profile of each life. */
  readonly profile?: string;
}

/** Of the service and the processes it started, together. */
export interface Usage {
  readonly cpuS: number;
  /** RssAnon, in bytes. */
  readonly private: number;
  readonly rss: number;
  /** Sent to the disk since the start. Unknown where the database is a server's. */
  readonly writtenBytes: number | undefined;
}

const ROOT = path.resolve(import.meta.dirname, '../../..');
const START_MS = 120_000;

export class Subject {
  readonly url: string;
  readonly hub: string;
  readonly api: ApiClient;
  readonly #options: SubjectOptions;
  #child: Child | undefined;

  constructor(options: SubjectOptions) {
    this.#options = options;
    this.url = `http://127.0.0.1:${options.port}`;
    this.hub = `ws://127.0.0.1:${options.port}/hub`;
    this.api = new ApiClient({ url: this.url });
  }

  /** Resolves when the API answers, with how long that took. */
  async start(): Promise<number> {
    const { data, port, store, profile } = this.#options;
    const started = performance.now();
    const raised = `ulimit -n ${FILES} 2>/dev/null || ulimit -n $(ulimit -Hn); exec "$@"`;
    const profiled = profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`];
    const service = [path.join(ROOT, 'cli/limpet.mjs'), 'cloud', '--data', data];
    service.push('--listen', `127.0.0.1:${port}`);
    if (store !== undefined) service.push('--store', store);
    const node = [process.execPath, '--conditions=source', ...profiled];
    const child = new Child('the cloud', ['/bin/sh', '-c', raised, 'sh', ...node, ...service]);
    this.#child = child;
    await child.ready(() => this.api.healthy(), START_MS);
    return performance.now() - started;
  }

  /** The power goes. */
  async kill(): Promise<void> {
    await this.#child?.kill();
  }

  async stop(): Promise<void> {
    await this.#child?.stop();
  }

  /** What it said last: for a step that failed. */
  get lastLines(): string {
    return this.#child?.lastLines ?? '';
  }

  usage(): Usage {
    const tree = processTree(this.#pid);
    const memory = tree.map(processMemory);
    const sum = (of: (pid: number) => number): number =>
      tree.reduce((total, pid) => total + of(pid), 0);
    return {
      cpuS: sum(cpuSeconds),
      private: 1024 * memory.reduce((total, each) => total + each.private, 0),
      rss: 1024 * memory.reduce((total, each) => total + each.rss, 0),
      writtenBytes: this.#options.store === undefined ? sum(writtenBytes) : undefined,
    };
  }

  /** Of all files in the folder, or of the whole database that the server has. */
  async databaseBytes(): Promise<number> {
    const { data, store } = this.#options;
    if (store !== undefined) return serverBytes(store);
    const files = readdirSync(data).map((name) => path.join(data, name));
    return files.reduce((total, file) => total + statSync(file).size, 0);
  }

  get #pid(): number {
    if (this.#child === undefined) throw new Error('the cloud was not started');
    return this.#child.pid;
  }
}

async function serverBytes(store: string): Promise<number> {
  const { host, port, user, database, password, tls } = parseTarget(store, { env: process.env });
  const client = new Client({ host, port, user, database, password, ssl: tls ?? false });
  await client.connect();
  try {
    const text = 'SELECT pg_database_size(current_database()) AS bytes';
    const { rows } = await client.query<{ readonly bytes: string }>(text);
    return Number(rows[0]?.bytes);
  } finally {
    await client.end();
  }
}

function writtenBytes(pid: number): number {
  const io = readFileSync(`/proc/${pid}/io`, 'utf8');
  return Number(/^write_bytes: (\d+)/m.exec(io)?.[1] ?? 0);
}
