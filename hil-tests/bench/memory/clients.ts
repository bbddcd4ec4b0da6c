/** The bus's clients, as the bench sees them: mqtt.js in another process, told over IPC what to do. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Answer, Ask, Heard } from './clients-process.ts';

const program = fileURLToPath(new URL('clients-process.ts', import.meta.url));

export class Clients {
  readonly #child: ChildProcess;
  readonly #asked = new Map<number, PromiseWithResolvers<Answer>>();
  #last = 0;

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on('message', (answer: Answer) => {
      const asked = this.#asked.get(answer.id);
      this.#asked.delete(answer.id);
      if (answer.error === undefined) asked?.resolve(answer);
      else asked?.reject(new Error(answer.error));
    });
    child.once('exit', () => {
      for (const asked of this.#asked.values()) asked.reject(new Error('the bus clients ended'));
      this.#asked.clear();
    });
  }

  static async start(): Promise<Clients> {
    const child = fork(program, [], { execArgv: ['--conditions=source'] });
    await once(child, 'spawn');
    return new Clients(child);
  }

  /** Subscribes to `filter` on the bus at `port`, and hears until it is left. */
  async listen(name: string, port: number, filter: string): Promise<void> {
    await this.#ask({ kind: 'listen', name, port, filter });
  }

  /** Two clients: one publishes every 100 ms, the other receives it. */
  async pair(name: string, port: number): Promise<void> {
    await this.#ask({ kind: 'pair', name, port });
  }

  /** What was heard under a name since the last time this was asked. */
  async heard(name: string): Promise<Heard> {
    const { heard } = await this.#ask({ kind: 'heard', name });
    if (heard === undefined) throw new Error(`nobody listens as ${name}`);
    return heard;
  }

  /** When the first good value was heard on the bus that opens at `port`, in ms since 1970. */
  async firstGood(port: number, filter: string): Promise<number> {
    const { at } = await this.#ask({ kind: 'first', port, filter });
    return at ?? Number.NaN;
  }

  async leave(name: string): Promise<void> {
    await this.#ask({ kind: 'leave', name });
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await gone;
  }

  #ask(ask: Ask): Promise<Answer> {
    const asked = Promise.withResolvers<Answer>();
    const id = ++this.#last;
    this.#asked.set(id, asked);
    this.#child.send({ ...ask, id }, (error) => {
      if (error === null) return;
      this.#asked.delete(id);
      asked.reject(error);
    });
    return asked.promise;
  }
}
