/** What the machine itself adds to every latency: a server that does nothing is asked beside the cloud, at the pace of a GET. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Prober } from './probes.ts';
import { latencyOf, type Machine, round } from './result.ts';

const EVERY_MS = 20;

export class Control {
  readonly #child: ChildProcess;
  readonly #prober: Prober;

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.#prober = new Prober(`http://127.0.0.1:${port}`);
  }

  static async start(): Promise<Control> {
    const child = fork(path.join(import.meta.dirname, 'control-process.ts'));
    const [port] = (await Promise.race([
      once(child, 'message'),
      once(child, 'exit').then(([code]) => {
        throw new Error(`the empty server ended (exit code ${String(code)})`);
      }),
    ])) as [number];
    return new Control(child, port);
  }

  async run(durationMs: number): Promise<Machine> {
    const [stolen, start] = [stolenSeconds(), performance.now()];
    const question = { name: 'empty', everyMs: EVERY_MS, ask: () => ({ path: '/' }) };
    const answers = await this.#prober.run([question], durationMs);
    return {
      empty: latencyOf(answers.get('empty')?.latency),
      stolen: round((stolenSeconds() - stolen) / ((performance.now() - start) / 1000), 3),
    };
  }

  close(): void {
    this.#prober.close();
    this.#child.disconnect();
  }
}

/** CPU time that this machine wanted and its host gave to others, of all cores together. */
function stolenSeconds(): number {
  const [, , , , , , , , stolen = '0'] = readFileSync('/proc/stat', 'utf8').split(/\s+/, 9);
  return Number(stolen) / 100; // a tick is 10 ms on every Linux that Node runs on
}
