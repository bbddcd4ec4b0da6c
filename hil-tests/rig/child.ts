/** One process under test: started, watched, killed without mercy, and asked to stop. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import process from 'node:process';
import { createInterface } from 'node:readline';

/** What is kept of its output; the oldest line goes first. */
const MAX_LINES = 10_000;
const LAST_LINES = 40;

export class Child {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  readonly #closed: Promise<unknown>;

  constructor(name: string, command: readonly string[], environment: NodeJS.ProcessEnv = {}) {
    this.name = name;
    const [file = process.execPath, ...args] = command;
    this.#child = spawn(file, args, {
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#closed = new Promise((resolve) => this.#child.once('close', resolve));
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      if (stream) createInterface({ input: stream }).on('line', (line) => this.#keep(line));
    }
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error(`${this.name} did not start`);
    return this.#child.pid;
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  get exitCode(): number | null {
    return this.#child.exitCode;
  }

  /** The last lines it printed, for messages. */
  get lastLines(): string {
    return this.#lines.slice(-LAST_LINES).join('\n');
  }

  /** Everything it printed, on both streams. */
  get output(): string {
    return this.#lines.join('\n');
  }

  /** The events of its log with this message, oldest first. */
  logged(message: string): Record<string, unknown>[] {
    return this.#lines
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .filter((event) => event['message'] === message);
  }

  /** The power goes: SIGKILL, and gone when this resolves. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  async stop(): Promise<void> {
    await this.#end('SIGTERM');
  }

  /** Resolves once it has ended by itself and its output is whole; one that does not is killed. */
  async ended(timeoutMs = 30_000): Promise<void> {
    const late = setTimeout(() => this.#child.kill('SIGKILL'), timeoutMs);
    await this.#closed;
    clearTimeout(late);
    if (this.#child.signalCode === null) return;
    throw new Error(`${this.name} was ended (${this.#ending()}):\n${this.lastLines}`);
  }

  /** Resolves once `probe` does; fails at once, with the last lines, when the process ends before. */
  async ready(probe: () => Promise<boolean>, timeoutMs = 20_000): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (!(await probe().catch(() => false))) {
      if (!this.running)
        throw new Error(`${this.name} ended (${this.#ending()}):\n${this.lastLines}`);
      if (performance.now() > deadline)
        throw new Error(`${this.name} was not ready in ${timeoutMs} ms:\n${this.lastLines}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    if (!this.running) return;
    const gone = once(this.#child, 'exit');
    this.#child.kill(signal);
    await gone;
  }

  #ending(): string {
    return this.#child.signalCode ?? `exit code ${this.#child.exitCode}`;
  }

  #keep(line: string): void {
    this.#lines.push(line);
    if (this.#lines.length > MAX_LINES) this.#lines.shift();
  }
}
