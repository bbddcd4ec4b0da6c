/** One process of the demo: started with a channel by which it notices our end, watched, and ended for sure. */
import { type ChildProcess, spawn } from 'node:child_process';
import process from 'node:process';
import { createInterface } from 'node:readline';

const LAST_LINES = 15;
/** How long a process may take to end when asked, before it is killed. */
const GRACE_MS = 5000;

export class DemoChild {
  readonly name: string;
  /** Resolves with why it ended, whenever that is. */
  readonly ended: Promise<string>;
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  readonly #first: Promise<string>;

  constructor(name: string, args: readonly string[]) {
    this.name = name;
    const flags = ['--conditions=source', '--disable-warning=ExperimentalWarning'];
    this.#child = spawn(process.execPath, [...flags, ...args], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      // A session of its own: Ctrl-C reaches only us, and we end the three in order.
      detached: true,
    });
    this.ended = new Promise((resolve) => {
      this.#child.once('error', (error) => resolve(error.message));
      this.#child.once('close', (code, signal) => resolve(signal ?? `exit code ${code}`));
    });
    this.#first = new Promise((resolve) => {
      if (this.#child.stdout === null) return;
      createInterface(this.#child.stdout)
        .once('line', resolve)
        .on('line', (line) => this.#keep(line));
    });
    if (this.#child.stderr !== null) {
      createInterface(this.#child.stderr).on('line', (line) => this.#keep(line));
    }
  }

  get lastLines(): readonly string[] {
    return this.#lines;
  }

  /** The line of JSON by which it says that it is ready. */
  async ready(): Promise<Record<string, unknown>> {
    const line = await Promise.race([this.#first, this.ended.then(() => undefined)]);
    if (line === undefined) throw await this.failure();
    return JSON.parse(line) as Record<string, unknown>;
  }

  /** Resolves when it has ended, by itself or by force. */
  async stop(): Promise<void> {
    this.#child.kill('SIGTERM');
    const force = setTimeout(() => this.#child.kill('SIGKILL'), GRACE_MS);
    await this.ended;
    clearTimeout(force);
  }

  /** What to say of its unexpected end. */
  async failure(): Promise<Error> {
    const why = await this.ended;
    return new Error(
      [`the ${this.name} ended (${why}). Its last lines:`, ...this.#lines].join('\n  '),
    );
  }

  #keep(line: string): void {
    this.#lines.push(line);
    if (this.#lines.length > LAST_LINES) this.#lines.shift();
  }
}
